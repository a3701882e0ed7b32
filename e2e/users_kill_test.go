package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestUsersKilled: whatever the service has acknowledged outlives it, and whatever it has not is there wholly or not at all.
func TestUsersKilled(t *testing.T) {
	const (
		rounds = 24
		most   = 100 // until creates with a key, and updates, have been applied without being acknowledged
	)
	s := usersReady(t, stack.Options{Users: &stack.UsersOptions{}, Concurrency: 2})
	u := signUp(t, s, "kill")
	l := newLedger(u.connect(t, userClients), 1)
	random := rand.New(rand.NewPCG(1, 2)) // the same moments in each run
	require.NoError(t, l[0].step())
	known := l[0].last.UserID
	var all outcome
	var recoveries []time.Duration
	for round := 0; round < rounds || all.keyedApplied == 0 || all.updatesApplied == 0; round++ {
		require.Less(t, round, most, "%+v", all)
		l.killUnder(t, s.Users(), 20+random.Int64N(80))
		o := l.settle(t, u.sub, recordsOfFile(t, s))
		require.Equal(t, userClients, o.creates+o.updates, "each client was asking")
		all.add(o)

		began := time.Now()
		require.NoError(t, s.Users().Start(deadline(t, 30*time.Second)))
		eventually(t, 30*time.Second, func(context.Context) error {
			_, _, err := l[0].conn.read(known)
			return err
		})
		recoveries = append(recoveries, time.Since(began))
		l.resume(t)
	}
	require.NoError(t, s.Users().Stop())
	require.Zero(t, l.settle(t, u.sub, recordsOfFile(t, s)))
	t.Logf("%d kills; not acknowledged: %+v; a read succeeds %s after the start, %s at most", len(recoveries), all,
		slices.Sorted(slices.Values(recoveries))[len(recoveries)/2].Round(time.Millisecond), slices.Max(recoveries).Round(time.Millisecond))
}

// killUnder kills u once this many writes were acknowledged. All writers go on until they hear that it is away.
func (l ledger) killUnder(t *testing.T, u *stack.Users, after int64) {
	t.Helper()
	var acknowledged atomic.Int64
	var killed atomic.Bool
	due := make(chan struct{})
	kill := sync.OnceFunc(func() { close(due) })
	var killer sync.WaitGroup
	killer.Go(func() {
		<-due
		killed.Store(true)
		u.Kill()
	})
	defer killer.Wait()
	defer kill()
	atOnce(t, len(l), func(i int) error {
		for {
			if err := l[i].step(); err != nil {
				if !killed.Load() {
					return fmt.Errorf("before the kill: %w", err)
				}
				if isCut(err) {
					return nil
				}
				return saysUnavailable(err)
			}
			if acknowledged.Add(1) == after {
				kill()
			}
		}
	})
}
