package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// deadSource is a source that answers 500 until it is told otherwise.
func deadSource(t *testing.T, body []byte) *stack.Source {
	t.Helper()
	source, err := stack.StartSource(stack.SourceConfig{Body: body})
	require.NoError(t, err)
	t.Cleanup(source.Close)
	source.SetMode(stack.SourceFails)
	return source
}

// TestFilterMetrics: Envoy's statistics tell what the filter answered and what it serves.
func TestFilterMetrics(t *testing.T) {
	later := ad("ca", "ca", "eng")
	later.StartHour = (time.Now().UTC().Hour() + 2) % 24
	later.EndHour = (later.StartHour + 1) % 24
	source := deadSource(t, document(t, ad("a", "us", "eng"), ad("b", "us", "eng"), later))
	s := start(t, stack.Options{Source: source, Concurrency: 2})
	const ads, sourceTime, us = "adsidecar_ads{}", "adsidecar_source_time{}", "/ad_request?country=us&lang=eng"
	filter := func() map[string]float64 {
		stats, err := s.Envoy().Stats(deadline(t, 10*time.Second))
		require.NoError(t, err)
		got := map[string]float64{}
		for name, value := range stats {
			if strings.HasPrefix(name, "adsidecar_") {
				got[name] = value
			}
		}
		return got
	}
	want := map[string]float64{
		"adsidecar_served{}": 0, "adsidecar_no_ad{}": 0, "adsidecar_bad_request{}": 0, "adsidecar_unavailable{}": 0, "adsidecar_internal{}": 0,
	}
	// counts sends requests, each of them n times on connections of its own, and expects one counter to move.
	counts := func(t *testing.T, counter string, n int, method, path string, status int) {
		t.Helper()
		for range n {
			a, err := send(deadline(t, 20*time.Second), client(t, false), s.BaseURL()+path, trip{method: method, token: s.Token()})
			require.NoError(t, err)
			require.Equal(t, status, a.Status, a)
		}
		if counter != "" {
			want[counter] += float64(n)
		}
		require.Equal(t, want, filter())
	}
	// described waits until the Envoy has taken the index of n ads, and then until a request is served from it: only that changes the
	// gauges.
	described := func(t *testing.T, n int, ids ...string) {
		t.Helper()
		p := pageWhen(t, s, func(p statusPage) bool {
			of, _ := p.of("ecds")
			return p.Index != nil && p.Index.Ads == n && of.InSync && of.Acknowledged == p.Index.Version
		})
		require.Equal(t, want, filter(), "no request was served from it yet")
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			a, err := send(ctx, client(t, false), s.BaseURL()+us, trip{token: s.Token()})
			if err != nil {
				return err
			}
			want[map[int]string{200: "adsidecar_served{}", 404: "adsidecar_no_ad{}", 503: "adsidecar_unavailable{}"}[a.Status]]++
			if got, _ := a.Ad(); a.Status == 503 || !slices.Contains(ids, got.ID) {
				return errors.New(a.String())
			}
			return nil
		})
		want[ads], want[sourceTime] = float64(n), float64(p.Index.SourceTime.Unix())
		require.Equal(t, want, filter())
	}
	t.Run("without an index there are no gauges", func(t *testing.T) {
		require.Equal(t, want, filter())
		counts(t, "adsidecar_unavailable{}", 3, "GET", us, 503)
		counts(t, "adsidecar_bad_request{}", 1, "GET", "/ad_request", 400)
	})
	source.SetMode(stack.SourceServes)
	t.Run("each answer is counted once, by its kind", func(t *testing.T) {
		described(t, 3, "a", "b")
		counts(t, "adsidecar_served{}", 7, "GET", us, 200)
		counts(t, "adsidecar_served{}", 2, "HEAD", us, 200)
		counts(t, "adsidecar_no_ad{}", 3, "GET", "/ad_request?country=ca&lang=eng", 404)
		counts(t, "adsidecar_no_ad{}", 1, "GET", "/prod/ad_request?country=xx&lang=eng", 404)
		counts(t, "adsidecar_bad_request{}", 2, "GET", "/ad_request?country=usa&lang=eng", 400)
		counts(t, "adsidecar_bad_request{}", 1, "POST", us, 405)
		counts(t, "adsidecar_bad_request{}", 1, "GET", us+"&x="+strings.Repeat("x", 2000), 414)
	})
	t.Run("what the filter is not asked is not counted", func(t *testing.T) {
		counts(t, "", 2, "GET", "/health", 200)
		counts(t, "", 2, "GET", "/elsewhere", 404)
		require.Equal(t, 401, do(t, s, "GET", us, "").Status)
		require.Equal(t, want, filter())
	})
	t.Run("the gauges follow a push, and the counters go on", func(t *testing.T) {
		before := want[sourceTime]
		<-time.After(time.Until(time.Unix(int64(before)+1, 0))) // a source's time has seconds
		source.SetBody(document(t, ad("c", "us", "eng")))
		described(t, 1, "c")
		require.Greater(t, want[sourceTime], before)
		counts(t, "adsidecar_served{}", 4, "GET", us, 200)
	})
	t.Run("an index without ads", func(t *testing.T) {
		source.SetBody(document(t))
		described(t, 0, "")
		counts(t, "adsidecar_no_ad{}", 2, "GET", us, 404)
	})
}

// TestShutdown: a control plane that is asked to end does, at once and without a fault, and no game notices.
func TestShutdown(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng"))})
	c := connect(t, s)
	stop := busy(t, map[string]func(ctx context.Context) error{"ad requests": func(ctx context.Context) error {
		_, err := c.ask(ctx, "us", "eng", time.Time{})
		return err
	}})
	for name, end := range map[string]struct {
		mode   stack.SourceMode
		signal syscall.Signal
	}{
		"SIGTERM":                         {stack.SourceServes, syscall.SIGTERM},
		"Ctrl-C":                          {stack.SourceServes, syscall.SIGINT},
		"SIGTERM while a poll hangs":      {stack.SourceHangs, syscall.SIGTERM},
		"SIGTERM while a document stalls": {stack.SourceStalls, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			s.Source.SetMode(end.mode)
			polls := s.Source.Counts().Requests
			if !s.ControlPlane().Process().Running() {
				require.NoError(t, s.ControlPlane().Start(deadline(t, time.Minute)))
			}
			eventually(t, 30*time.Second, func(context.Context) error {
				if s.Source.Counts().Requests == polls {
					return errors.New("no poll")
				}
				return nil
			})
			pageWhen(t, s, func(p statusPage) bool { return len(p.XDS.Envoys) == 1 && p.XDS.Envoys[0].Connected })
			idle := client(t, false) // keeps its connection
			require.NoError(t, answers(deadline(t, 10*time.Second), idle, s.ControlPlane().URL+"/healthz", 200))

			p, watch := s.ControlPlane().Process(), stack.StartStopwatch()
			require.NoError(t, syscall.Kill(p.PID(), end.signal))
			select {
			case <-p.Done():
			case <-time.After(time.Minute):
				require.FailNow(t, "it does not end")
			}
			took := watch.Took()
			t.Logf("it took %s", took)
			require.Less(t, took, 5*time.Second)
			require.Zero(t, p.ExitCode())
			last := p.Log.Tail(1)
			require.Len(t, last, 1)
			require.Contains(t, last[0], `"control plane ends"`)
			require.Contains(t, last[0], `"level":"info"`)
			require.Equal(t, 200, get(t, s, "?country=us&lang=eng").Status)
		})
	}
	t.Logf("meanwhile, without a failure: %v", stop())
}
