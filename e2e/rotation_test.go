package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// rotationAds are keys with 1, 2, 3 and 5 eligible ads, some of which have equal schedules, and a key that tells which document is
// served.
func rotationAds(marker string) []campaign {
	ads := []campaign{ad(marker, "zz", "eng")}
	for _, key := range []struct {
		country, lang string
		ads           int
	}{{"aa", "eng", 1}, {"bb", "eng", 2}, {"cc", "eng", 3}, {"ee", "eng", 5}, {"uk", "eng", 3}, {"fr", "fre", 3}, {"xx", "spa", 3}, {"yy", "spa", 3}} {
		for i := range key.ads {
			ads = append(ads, ad(fmt.Sprintf("%s-%d", key.country, i), key.country, key.lang))
		}
	}
	return ads
}

// in returns the ids of rotationAds of a country.
func in(country string, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s-%d", country, i))
	}
	return ids
}

// TestRotation: on one worker the eligible ads of a key take turns.
func TestRotation(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, rotationAds("m0")...)})
	c := connect(t, s)

	for country, k := range map[string]int{"aa": 1, "bb": 2, "cc": 3, "ee": 5} {
		t.Run(fmt.Sprintf("300 requests get each of %d ads equally often, in order", k), func(t *testing.T) {
			var cursor turns
			counts := map[string]int{}
			for range 300 {
				id := c.id(t, country, "eng")
				cursor.requireNext(t, in(country, k), id, country)
				counts[id]++
			}
			require.Len(t, counts, k)
			for id, n := range counts {
				require.Equal(t, 300/k, n, id)
			}
		})
	}
	t.Run("all spellings of a key share one cursor", func(t *testing.T) {
		var british, french turns
		for i := range 60 {
			british.requireNext(t, in("uk", 3), c.id(t, []string{"uk", "gb", "GB"}[i%3], []string{"en", "eng", "ENG"}[i%3]), "british")
			french.requireNext(t, in("fr", 3), c.id(t, "fr", []string{"fr", "fre", "fra"}[i%3]), "french")
		}
	})
	t.Run("two keys with equal schedules have cursors of their own", func(t *testing.T) {
		var x, y turns
		for i := range 60 {
			x.requireNext(t, in("xx", 3), c.id(t, "xx", "spa"), "xx")
			if i%5 == 0 {
				y.requireNext(t, in("yy", 3), c.id(t, "yy", "spa"), "yy")
			}
		}
	})
	t.Run("a push for another key does not restart a cycle", func(t *testing.T) {
		cursors := map[string]*turns{"bb": {}, "cc": {}, "ee": {}}
		sizes := map[string]int{"bb": 2, "cc": 3, "ee": 5}
		for push := range 8 {
			for range push%5 + 1 { // not a whole cycle
				for country, cursor := range cursors {
					cursor.requireNext(t, in(country, sizes[country]), c.id(t, country, "eng"), fmt.Sprintf("%s after push %d", country, push))
				}
			}
			marker := fmt.Sprintf("m%d", push+1)
			s.Source.SetBody(document(t, rotationAds(marker)...))
			eventually(t, 20*time.Second, c.serves("zz", "eng", marker))
		}
	})
	t.Run("a removed ad is not served again, and the others go on in turn", func(t *testing.T) {
		var cursor turns
		cursor.requireNext(t, in("ee", 5), c.id(t, "ee", "eng"), "before")
		ads := rotationAds("removed")
		for i := range ads {
			if ads[i].ID == "ee-2" {
				ads[i].Country = "qq"
			}
		}
		s.Source.SetBody(document(t, ads...))
		eventually(t, 20*time.Second, c.serves("zz", "eng", "removed"))
		left := []string{"ee-0", "ee-1", "ee-3", "ee-4"}
		for range 40 {
			cursor.requireNext(t, left, c.id(t, "ee", "eng"), "after")
		}
		require.Equal(t, "ee-2", c.id(t, "qq", "eng"), "it moved to another key")
	})
}

// serves is a probe: the key's ad has this id.
func (c *connection) serves(country, lang, id string) func(context.Context) error {
	return func(ctx context.Context) error {
		got, err := c.ask(ctx, country, lang, time.Time{})
		if err == nil && got != id {
			err = fmt.Errorf("%s/%s is %q, not %q", country, lang, got, id)
		}
		return err
	}
}

// TestRotationOfTwoWorkers: each worker has a cursor, so each ad's count differs from its share by less than the number of workers.
func TestRotationOfTwoWorkers(t *testing.T) {
	const workers, connections, requests = 2, 24, 25 // 600 requests
	s := served(t, stack.Options{Campaigns: document(t, rotationAds("m0")...), Concurrency: workers})
	all := make([]*connection, connections)
	for i := range all {
		all[i] = connect(t, s)
	}
	// on runs f on all connections at once.
	on := func(t *testing.T, f func(ctx context.Context, c *connection) error) {
		t.Helper()
		ctx := deadline(t, time.Minute)
		errs := make([]error, connections)
		var wg sync.WaitGroup
		for i, c := range all {
			wg.Go(func() { errs[i] = f(ctx, c) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
	}
	for country, k := range map[string]int{"aa": 1, "bb": 2, "cc": 3, "ee": 5} {
		t.Run(fmt.Sprintf("the share of each of %d ads", k), func(t *testing.T) {
			var mu sync.Mutex
			counts := map[string]int{}
			on(t, func(ctx context.Context, c *connection) error {
				for range requests {
					id, err := c.ask(ctx, country, "eng", time.Time{})
					if err != nil {
						return err
					}
					mu.Lock()
					counts[id]++
					mu.Unlock()
				}
				return nil
			})
			share := float64(connections*requests) / float64(k)
			require.Len(t, counts, k)
			for _, id := range in(country, k) {
				require.Less(t, math.Abs(float64(counts[id])-share), float64(workers), "%s: %d of %.1f", id, counts[id], share)
			}
		})
	}
	stats, err := s.Envoy().Stats(deadline(t, 10*time.Second))
	require.NoError(t, err)
	for w := range workers {
		require.Positive(t, stats[fmt.Sprintf(`envoy_listener_worker_downstream_cx_total{envoy_worker_id="%d",envoy_listener_address="public"}`, w)], "connections of worker %d", w)
	}

	t.Run("a removed ad is not served after a worker has the push", func(t *testing.T) {
		ads := rotationAds("m1")
		for i := range ads {
			if ads[i].ID == "cc-1" {
				ads[i].Country = "qq"
			}
		}
		s.Source.SetBody(document(t, ads...))
		on(t, func(ctx context.Context, c *connection) error {
			if err := stack.Poll(ctx, c.serves("zz", "eng", "m1")); err != nil {
				return err
			}
			for range requests {
				id, err := c.ask(ctx, "cc", "eng", time.Time{})
				if err != nil {
					return err
				}
				if id == "cc-1" {
					return errors.New("the removed ad was served")
				}
			}
			return nil
		})
	})
}
