package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/counters"
	"adsidecar/e2e/stack"
)

// reportsWithin is how long it may take until an Envoy's report is in the status: its interval of 5 s, on a busy machine.
const reportsWithin = 90 * time.Second

// tally is what games sent to one Envoy, by the answers that they got.
type tally struct {
	envoy  *stack.Envoy
	token  string
	counts counters.Counts[uint64]
}

// ask sends a request and writes down its answer.
func (l *tally) ask(ctx context.Context, query, token string) (int, error) {
	a, err := l.envoy.Do(ctx, http.MethodGet, "/ad_request"+query, token, nil)
	if err != nil {
		return 0, err
	}
	l.counts.Requests++
	switch a.Status {
	case http.StatusOK:
		l.counts.Served++
		l.counts.Answered2xx++
		return a.Status, nil
	case http.StatusNotFound:
		l.counts.NoAd++
	case http.StatusBadRequest:
		l.counts.BadRequest++
	case http.StatusUnauthorized:
		l.counts.Unauthorized++
	case http.StatusServiceUnavailable:
		l.counts.Unavailable++
		l.counts.Answered5xx++
		return a.Status, nil
	}
	l.counts.Answered4xx++
	return a.Status, nil
}

// asks sends n requests that all get this status.
func (l *tally) asks(t *testing.T, n int, query, token string, status int) {
	t.Helper()
	for range n {
		got, err := l.ask(deadline(t, 20*time.Second), query, token)
		require.NoError(t, err)
		require.Equal(t, status, got, query)
	}
}

// serves waits for the first ad.
func (l *tally) serves(t *testing.T) {
	t.Helper()
	eventually(t, 90*time.Second, func(ctx context.Context) error {
		status, err := l.ask(ctx, "?country=us&lang=eng", l.token)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}

// TestCounters: the control plane knows what two Envoys answered, each and together, also over their restarts and its own. Nobody
// reads the Envoys' admin addresses here before the end: NoWait, and no Stats.
func TestCounters(t *testing.T) {
	s := start(t, stack.Options{
		Campaigns: document(t, ad("a", "us", "eng")), Envoy: stack.EnvoyOptions{NoWait: true},
	})
	further, err := s.AddEnvoy(t.Context(), stack.EnvoyOptions{Static: true, NoWait: true})
	require.NoError(t, err)
	token := "Bearer " + s.Token()
	first := &tally{envoy: s.Envoy(), token: token}
	second := &tally{envoy: further, token: token}
	const us, nothing = "?country=us&lang=eng", "?country=zz&lang=eng"

	// counted waits until the status says what the tallies do.
	counted := func(t *testing.T, processes ...int) counters.Status {
		t.Helper()
		var page struct {
			Counters counters.Status `json:"counters"`
		}
		eventually(t, reportsWithin, func(ctx context.Context) error {
			if err := s.ControlPlane().Status(ctx, &page); err != nil {
				return err
			}
			if len(page.Counters.Envoys) != 2 {
				return fmt.Errorf("%d Envoys report", len(page.Counters.Envoys))
			}
			for i, l := range []*tally{first, second} {
				e := page.Counters.Envoys[i]
				if e.Totals != l.counts || !e.Connected || e.Processes != processes[i] {
					return fmt.Errorf("%s: processes %d, connected %t, %+v, sent %+v", e.Node, e.Processes, e.Connected, e.Totals, l.counts)
				}
			}
			return nil
		})
		require.Equal(t, "envoy", page.Counters.Envoys[0].Node)
		require.Equal(t, "envoy-2", page.Counters.Envoys[1].Node)
		return page.Counters
	}
	sum := func() uint64 { return first.counts.Served + second.counts.Served }

	t.Run("two Envoys", func(t *testing.T) {
		for _, l := range []*tally{first, second} {
			l.serves(t)
		}
		first.asks(t, 7, us, token, http.StatusOK)
		first.asks(t, 3, nothing, token, http.StatusNotFound)
		first.asks(t, 2, "?country=us", token, http.StatusBadRequest)
		first.asks(t, 4, us, "", http.StatusUnauthorized)
		second.asks(t, 5, us, token, http.StatusOK)
		second.asks(t, 1, nothing, token, http.StatusNotFound)

		got := counted(t, 1, 1)
		require.Equal(t, sum(), got.Totals.Served)
		require.Equal(t, first.counts.Requests+second.counts.Requests, got.Totals.Requests)
		series := planeMetrics(t, s.ControlPlane())
		require.EqualValues(t, sum(), series[`adsidecar_envoy_ad_requests_total{result="served"}`])
		require.EqualValues(t, 4, series[`adsidecar_envoy_ad_requests_total{result="no_ad"}`])
		require.EqualValues(t, 4, series[`adsidecar_envoy_refusals_total{reason="unauthorized"}`])
		require.EqualValues(t, 2, series[`adsidecar_envoy_reporting`])
		for _, e := range got.Envoys {
			require.True(t, e.Last.Live)
			require.EqualValues(t, 1, *e.Last.Ads)
			require.Positive(t, e.Last.MemoryPhysical)
		}
	})
	t.Run("a rate is seen, and ends", func(t *testing.T) {
		rate := func(ctx context.Context) (float64, error) {
			var page struct {
				Counters counters.Status `json:"counters"`
			}
			err := s.ControlPlane().Status(ctx, &page)
			if err == nil && page.Counters.PerSecond == nil {
				err = errors.New("no rate yet")
			}
			if err != nil {
				return 0, err
			}
			return page.Counters.PerSecond.Served, nil
		}
		eventually(t, reportsWithin, func(ctx context.Context) error {
			first.asks(t, 1, us, token, http.StatusOK)
			if r, err := rate(ctx); err != nil || r < 0.1 {
				return fmt.Errorf("%f ads a second: %w", r, err)
			}
			return nil
		})
		eventually(t, time.Minute, func(ctx context.Context) error {
			if r, err := rate(ctx); err != nil || r != 0 {
				return fmt.Errorf("%f ads a second: %w", r, err)
			}
			return nil
		})
	})
	t.Run("one is killed and begins anew, and soon has counted more than before", func(t *testing.T) {
		counted(t, 1, 1)
		second.envoy.Kill()
		<-second.envoy.Process().Done()
		require.NoError(t, second.envoy.Start(t.Context()))
		second.serves(t)
		second.asks(t, 60, us, token, http.StatusOK)
		require.Equal(t, sum(), counted(t, 1, 2).Totals.Served)
	})
	t.Run("the other is stopped and begins anew, and has counted less", func(t *testing.T) {
		require.NoError(t, first.envoy.Stop())
		require.NoError(t, first.envoy.Start(t.Context()))
		first.serves(t)
		first.asks(t, 2, us, token, http.StatusOK)
		require.Equal(t, sum(), counted(t, 2, 2).Totals.Served)
	})
	t.Run("a control plane that begins anew counts from there", func(t *testing.T) {
		require.NoError(t, s.ControlPlane().Stop())
		require.NoError(t, s.ControlPlane().Start(t.Context()))
		first.counts, second.counts = counters.Counts[uint64]{}, counters.Counts[uint64]{}
		counted(t, 1, 1)
		first.asks(t, 3, us, token, http.StatusOK)
		second.asks(t, 4, us, token, http.StatusOK)
		require.EqualValues(t, 7, counted(t, 1, 1).Totals.Served)
	})
	t.Run("nothing else is reported", func(t *testing.T) {
		stats, err := first.envoy.Stats(t.Context())
		require.NoError(t, err)
		kinds := map[string]bool{}
		for series := range stats {
			name, _, _ := strings.Cut(series, "{")
			kinds[name] = true
		}
		require.True(t, kinds["envoy_server_uptime"])
		require.True(t, kinds["envoy_cluster_membership_healthy"], "what says whether a cluster answers is there")
		for name := range kinds {
			require.False(t, strings.HasPrefix(name, "envoy_cluster_circuit_breakers") || strings.HasPrefix(name, "envoy_cluster_lb_") ||
				strings.HasPrefix(name, "envoy_cluster_manager") || strings.HasPrefix(name, "envoy_listener_manager") ||
				strings.HasPrefix(name, "envoy_runtime") || strings.HasPrefix(name, "envoy_filesystem"), name)
		}
	})
}
