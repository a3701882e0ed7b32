package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestUsersReplicas: two processes on one table, behind one Envoy.
func TestUsersReplicas(t *testing.T) {
	table := startIsolatedTable(t, moto.Endpoint)
	s := usersReady(t, stack.Options{
		Users: &stack.UsersOptions{Store: stack.DynamoDB, Replicas: 2}, Concurrency: 2,
		Gateway: fmt.Sprintf("users: {store: {dynamodb: {endpoint: %q}}}", table.url),
	})
	t.Run("an idempotency key is one, whichever process it is sent to", func(t *testing.T) { keysAcrossProcesses(t, s) })

	u := signUp(t, s, "replicas")
	// Few, as moto copies a table for each write with a key. It is the order of events that matters here.
	l, readers := newLedger(u.connect(t, 4), 9), u.connect(t, 5)
	still := l[0].finished(t)

	t.Run("one is killed: no read fails, and writes that fail say so", func(t *testing.T) {
		var all outcome
		for round := 0; all.updatesApplied == 0; round++ { // until the victim had one
			require.Less(t, round, 6, "%+v", all)
			victim := s.AllUsers()[round%2]
			w := startWork(t, l, readers, still)
			w.progress(t, 20)
			table.hold(t, len(l)) // what each writer has sent is applied, and not answered
			killed := time.Now()
			victim.Kill()
			table.release()
			w.progress(t, 20)
			began := time.Now()
			require.NoError(t, victim.Start(deadline(t, 30*time.Second)))
			awaitTraffic(t, victim)
			back := time.Since(began)
			w.end()
			last := time.Duration(0)
			for _, f := range w.failures {
				last = f.at.Sub(killed)
				require.False(t, f.read, f)
				if !isCut(f.err) {
					require.NoError(t, saysUnavailable(f.err))
				}
			}
			o := l.settle(t, u.sub, recordsOfTable(t, s, u))
			l.resume(t)
			all.add(o)
			t.Logf("%s; not acknowledged: %+v; the last failure %s after the kill; traffic again %s after the start", w, o,
				last.Round(time.Millisecond), back.Round(time.Millisecond))
		}
	})
	t.Run("each is replaced: nothing fails", func(t *testing.T) {
		w := startWork(t, l, readers, still)
		w.progress(t, 20)
		for _, replaced := range s.AllUsers() {
			began := time.Now()
			require.NoError(t, replaced.Stop())
			stopped := time.Since(began)
			w.progress(t, 20)
			require.NoError(t, replaced.Start(deadline(t, 30*time.Second)))
			awaitTraffic(t, replaced)
			t.Logf("%s has ended within %s", replaced.Name, stopped.Round(time.Millisecond))
		}
		w.end()
		require.Empty(t, w.failures)
		require.Zero(t, l.settle(t, u.sub, recordsOfTable(t, s, u)))
		l.resume(t)
		t.Log(w)
	})
}

// finished is a record that the writer creates, and never updates.
func (w *ledgerWriter) finished(t *testing.T) *ledgerRecord {
	t.Helper()
	require.NoError(t, w.step())
	r := w.last
	require.NotNil(t, r)
	w.last = nil
	return r
}

// awaitTraffic returns when the process has answered reads and writes. Its counts begin with it.
func awaitTraffic(t *testing.T, u *stack.Users) {
	t.Helper()
	eventually(t, 60*time.Second, func(ctx context.Context) error {
		m, err := u.Metrics(ctx)
		if err != nil {
			return err
		}
		for _, labels := range []string{`code="201",endpoint="create"`, `code="200",endpoint="read"`, `code="200",endpoint="update"`} {
			if m["adsidecar_users_requests_total{"+labels+"}"] == 0 {
				return errors.New("no request with " + labels)
			}
		}
		return nil
	})
}

// work is a load of reads and writes. Each of its connections sends one request after the other until it ends, whether they fail or not.
type work struct {
	halted chan struct{}
	end    func() // returns when the last answer is there
	began  time.Time
	reads  []atomic.Int64 // of each connection
	writes []atomic.Int64

	mu       sync.Mutex
	failures []workFailure
}

// workFailure is a request that failed.
type workFailure struct {
	read bool
	at   time.Time
	err  error
}

// String says what failed, and when.
func (f workFailure) String() string {
	return fmt.Sprintf("%s read=%t: %v", f.at.Format("15:04:05.000"), f.read, f.err)
}

// startWork starts it: the ledger's writers, and readers of a record that nobody writes, who expect it as it is. It ends with the test at
// the latest.
func startWork(t *testing.T, l ledger, readers []*userConn, still *ledgerRecord) *work {
	t.Helper()
	w := &work{halted: make(chan struct{}), began: time.Now(), reads: make([]atomic.Int64, len(readers)), writes: make([]atomic.Int64, len(l))}
	var running sync.WaitGroup
	w.end = sync.OnceFunc(func() {
		close(w.halted)
		running.Wait()
	})
	t.Cleanup(w.end)
	for i, c := range readers {
		running.Go(func() { w.run(true, &w.reads[i], func() error { return c.expect(still) }) })
	}
	for i, writer := range l {
		running.Go(func() { w.run(false, &w.writes[i], writer.step) })
	}
	return w
}

func (w *work) run(read bool, done *atomic.Int64, step func() error) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-w.halted:
			return
		case <-pace.C:
		}
		if err := step(); err != nil {
			w.mu.Lock()
			w.failures = append(w.failures, workFailure{read, time.Now(), err})
			w.mu.Unlock()
		}
		done.Add(1)
	}
}

// progress returns when each connection has had n more answers.
func (w *work) progress(t *testing.T, n int64) {
	t.Helper()
	wait := func(counts []atomic.Int64) func() error {
		var want []int64
		for i := range counts {
			want = append(want, counts[i].Load()+n)
		}
		return func() error {
			for i := range counts {
				if got := counts[i].Load(); got < want[i] {
					return fmt.Errorf("a connection has %d answers of %d", got, want[i])
				}
			}
			return nil
		}
	}
	reads, writes := wait(w.reads), wait(w.writes)
	eventually(t, 60*time.Second, func(context.Context) error { return errors.Join(reads(), writes()) })
}

// String is how much it did.
func (w *work) String() string {
	sum := func(counts []atomic.Int64) (n int64) {
		for i := range counts {
			n += counts[i].Load()
		}
		return n
	}
	return fmt.Sprintf("%d reads, %d writes, %d failed", sum(w.reads), sum(w.writes), len(w.failures))
}

func keysAcrossProcesses(t *testing.T, s *stack.Stack) {
	u, other := signUp(t, s, "keys"), signUp(t, s, "other")
	// Two connections to each process, and two to whichever Envoy chooses.
	conns := u.connect(t, 2)
	for _, process := range s.AllUsers() {
		conns = append(conns, u.connectTo(t, process.URL), u.connectTo(t, process.URL))
	}
	const keys = 12
	records := map[string]string{} // user ID → mark
	for n := range keys {
		mark := fmt.Sprintf("same-%d", n)
		made := make([]creation, len(conns))
		atOnce(t, len(conns), func(i int) (err error) {
			made[i], err = conns[i].create(profileOf(mark), mark)
			return err
		})
		for _, m := range made {
			require.Equal(t, made[0], m)
		}
		require.Empty(t, records[made[0].UserID])
		records[made[0].UserID] = mark
	}
	for n := range keys {
		atOnce(t, len(conns), func(i int) error {
			_, err := conns[i].create(profileOf("later"), fmt.Sprintf("same-%d", n))
			if !isKeyConflict(err) {
				return fmt.Errorf("want a conflict, got %w", err)
			}
			return nil
		})
	}
	for n := range keys { // of two bodies at once one is created, and the other is a conflict
		key := fmt.Sprintf("race-%d", n)
		mark := func(i int) string { return fmt.Sprintf("%s-%d", key, i%2) }
		made := make([]creation, len(conns))
		atOnce(t, len(conns), func(i int) (err error) {
			if made[i], err = conns[i].create(profileOf(mark(i)), key); isKeyConflict(err) {
				return nil
			}
			return err
		})
		winner := creation{}
		for i, m := range made {
			switch {
			case m == creation{}:
			case winner == creation{}:
				winner = m
				records[m.UserID] = mark(i)
			default:
				require.Equal(t, winner, m, "one body has the key")
			}
		}
		require.NotZero(t, winner, "nobody has created it")
	}
	others := map[string]string{}
	c := other.connect(t, 1)[0]
	for n := range keys {
		key := fmt.Sprintf("same-%d", n)
		made, err := c.create(profileOf("other-"+key), key)
		require.NoError(t, err)
		others[made.UserID] = "other-" + key
	}
	for owner, records := range map[*userAccount]map[string]string{u: records, other: others} {
		stored := recordsOfTable(t, s, owner)
		require.Len(t, stored, len(records))
		for id, mark := range records {
			require.Equal(t, storedRecord{profileOf(mark), owner.sub, 1}, stored[id])
		}
	}
}

func isKeyConflict(err error) bool {
	var r *otherAnswer
	return errors.As(err, &r) && r.Status == http.StatusConflict && r.Code() == "idempotency_conflict"
}
