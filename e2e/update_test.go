package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/publish"
	"adsidecar/e2e/stack"
)

// updatePoll is the poll interval of the tests of this file, the shortest that a gateway may have.
const updatePoll = 100 * time.Millisecond

// TestUpdates changes the source's document while requests run. An edition is the document as it was last set; every answer must be
// right for an edition that was at hand while the request was under way.
func TestUpdates(t *testing.T) {
	e := newEditions("e0-0")
	s := served(t, stack.Options{Campaigns: e.document(t), Concurrency: 2, PollInterval: updatePoll})
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: e.ask})
	steady := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("gb", "eng"), Ask: always(wantAd("steady"))})
	e.connections(len(l.conns))

	// update sets the next edition, which has these ads, and returns how long it took until every connection was served it.
	update := func(t *testing.T, ids ...string) time.Duration {
		t.Helper()
		e.announce(ids...)
		began := stack.StartStopwatch()
		s.Source.SetBody(e.document(t))
		require.NoError(t, e.wait(deadline(t, 60*time.Second)), "%s", l)
		took := began.Took()
		require.LessOrEqual(t, took, updatePoll+allowance, "until every connection was served edition %d", e.newest)
		return took
	}

	t.Run("200 updates: every answer is right for one of the two editions at hand, and the newest is served within poll + 2 s", func(t *testing.T) {
		before, err := s.ControlPlane().Metrics(t.Context())
		require.NoError(t, err)
		var took []time.Duration
		for n := range 200 {
			var ids []string
			for i := range n%3 + 1 {
				ids = append(ids, fmt.Sprintf("e%d-%d", n+1, i))
			}
			took = append(took, update(t, ids...))
		}
		after, err := s.ControlPlane().Metrics(t.Context())
		require.NoError(t, err)
		const pushes = `adsidecar_xds_pushes_total{type="ecds"}`
		require.EqualValues(t, 200, after[pushes]-before[pushes], "each edition is pushed once")
		for _, other := range []string{"lds", "cds"} {
			series := fmt.Sprintf(`adsidecar_xds_pushes_total{type=%q}`, other)
			require.Equal(t, before[series], after[series], "an index alone is pushed")
		}
		slices.Sort(took)
		t.Logf("from the source's change until every connection on every worker was served it: median %s, max %s (poll interval %s)",
			took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), updatePoll)
	})
	t.Run("an ad that is added is served", func(t *testing.T) {
		update(t, "first")
		t.Logf("after %s", update(t, "first", "second"))
	})
	t.Run("an ad that is removed is never served again, and the others go on", func(t *testing.T) {
		t.Logf("after %s", update(t, "second", "third"))
		l.progress(t, 10)
	})
	t.Run("without any ad the answer is 404, and an ad that comes back is served", func(t *testing.T) {
		t.Logf("404 after %s", update(t))
		requireError(t, get(t, s, "?country=us&lang=eng"), 404, "no_ad_available", "")
		l.progress(t, 10)
		t.Logf("served after %s", update(t, "back"))
	})
	l.unharmed(t)
	steady.unharmed(t)

	t.Run("a document with no ad at all is a 404 for every key", func(t *testing.T) {
		began := stack.StartStopwatch()
		s.Source.SetBody([]byte(`{"ads":[]}`))
		for _, country := range []string{"us", "gb"} {
			eventually(t, 60*time.Second, func(ctx context.Context) error {
				a, err := s.Get(ctx, country, "eng")
				if err != nil {
					return err
				}
				return wantStatus(404)(a)
			})
			requireError(t, get(t, s, "?lang=eng&country="+country), 404, "no_ad_available", "")
		}
		require.LessOrEqual(t, began.Took(), updatePoll+allowance)
	})
	t.Run("of three ads, one of them bad, two are served and one is reported with its reason", func(t *testing.T) {
		s.Source.SetBody(document(t, ad("good-1", "us", "eng"), ad("bad", "usa", "eng"), ad("good-2", "us", "eng")))
		eventually(t, 60*time.Second, func(ctx context.Context) error {
			a, err := s.Get(ctx, "us", "eng")
			if err != nil {
				return err
			}
			return wantAd("good-1", "good-2")(a)
		})
		perWorker := map[string]bool{}
		for range 20 {
			got, err := get(t, s, "?country=us&lang=eng").Ad()
			require.NoError(t, err)
			perWorker[got.ID] = true
		}
		require.Equal(t, map[string]bool{"good-1": true, "good-2": true}, perWorker)

		var status publish.Status
		require.NoError(t, s.ControlPlane().Status(t.Context(), &status))
		require.Equal(t, 1, status.Rejected.Total)
		require.Equal(t, map[string]int{"invalid_country": 1}, status.Rejected.ByReason)
		require.Len(t, status.Rejected.First, 1)
		bad := status.Rejected.First[0]
		require.Equal(t, []any{1, "bad", "country", "invalid_country"}, []any{bad.Index, bad.ID, bad.Field, bad.Reason})
		require.Contains(t, bad.Detail, "usa")
		require.Equal(t, 2, status.Index.Ads)
		metrics, err := s.ControlPlane().Metrics(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, metrics[`adsidecar_ads_rejected{reason="invalid_country"}`])
		require.EqualValues(t, 2, metrics["adsidecar_index_ads"])
	})
}

// editions are the documents of a test of updates, one after the other: the ads of us/eng, and one of gb/eng that stays.
type editions struct {
	mu      sync.Mutex
	ads     map[int][]string // by edition; none: 404
	newest  int
	oldest  int   // that may be answered
	seen    []int // the newest that each connection was certainly served
	changed chan struct{}
}

func newEditions(ids ...string) *editions {
	return &editions{ads: map[int][]string{0: ids}, changed: make(chan struct{}), seen: make([]int, 64)}
}

// connections says how many connections take part.
func (e *editions) connections(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = e.seen[:n]
}

// announce makes these ads the newest edition: from now on they may be answered too. The edition before must have been waited for.
func (e *editions) announce(ids ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.newest++
	e.ads[e.newest] = ids
}

// document is the newest edition.
func (e *editions) document(t *testing.T) []byte {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	ads := []campaign{ad("steady", "gb", "eng")}
	for _, id := range e.ads[e.newest] {
		ads = append(ads, ad(id, "us", "eng"))
	}
	return document(t, ads...)
}

// ask is a load's.
func (e *editions) ask(conn int) func(*stack.Answer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := max(e.oldest, e.seen[conn]) // a worker does not go back
	return func(a *stack.Answer) error { return e.check(conn, oldest, a) }
}

// check finds the editions that the answer is right for, of those from oldest to the newest.
func (e *editions) check(conn, oldest int, a *stack.Answer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var fits []int
	for n := oldest; n <= e.newest; n++ {
		if len(e.ads[n]) == 0 && a.Status == 404 && a.Code() == "no_ad_available" || len(e.ads[n]) > 0 && wantAd(e.ads[n]...)(a) == nil {
			fits = append(fits, n)
		}
	}
	if len(fits) == 0 {
		return fmt.Errorf("edition %d to %d has %q to %q, got %s", oldest, e.newest, e.ads[oldest], e.ads[e.newest], a)
	}
	if fits[0] > e.seen[conn] {
		e.seen[conn] = fits[0]
		close(e.changed)
		e.changed = make(chan struct{})
	}
	return nil
}

// wait returns when every connection was served the newest edition. From then on no older one may be answered.
func (e *editions) wait(ctx context.Context) error {
	for {
		e.mu.Lock()
		behind := slices.IndexFunc(e.seen, func(n int) bool { return n < e.newest })
		changed := e.changed
		if behind < 0 {
			e.oldest = e.newest
			e.mu.Unlock()
			return nil
		}
		e.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("connection %d was not served edition %d: %w", behind, e.newest, ctx.Err())
		}
	}
}
