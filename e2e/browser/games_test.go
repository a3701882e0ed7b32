package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// games ask one Envoy for an ad, some 200 times a second, until they are stopped.
type games struct {
	envoy  *stack.Envoy
	stop   func()
	ended  sync.WaitGroup
	closed float64 // connections that Envoy had closed before

	began    time.Time
	mu       sync.Mutex
	requests int
	failures []string
	slowest  time.Duration
}

// play starts four games. Each answer must be a 200 with one of the test's ads.
func play(t *testing.T, s *stack.Stack) *games {
	t.Helper()
	const number, pause = 4, 20 * time.Millisecond
	g := &games{envoy: s.Envoy(), began: time.Now()}
	g.closed = g.closedByEnvoy(t)
	stopped := make(chan struct{})
	g.stop = sync.OnceFunc(func() {
		close(stopped)
		g.ended.Wait()
	})
	t.Cleanup(g.stop)
	token := s.Token()
	for range number {
		g.ended.Go(func() {
			pace := time.NewTicker(pause)
			defer pace.Stop()
			for {
				select {
				case <-stopped:
					return
				case <-pace.C:
					g.ask(token)
				}
			}
		})
	}
	return g
}

// ask is not of the test's context: a request that is under way when the games are stopped has not failed.
func (g *games) ask(token string) {
	began := time.Now()
	a, err := g.envoy.Do(context.Background(), http.MethodGet, stack.AdPath("us", "eng"), "Bearer "+token, nil)
	if err == nil {
		var ad stack.Ad
		if ad, err = a.Ad(); err == nil && (ad.ID == "" || !strings.HasPrefix(ad.URL, "https://v.example/")) {
			err = fmt.Errorf("none of the ads: %s", a)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	g.slowest = max(g.slowest, time.Since(began))
	if err != nil {
		g.failures = append(g.failures, err.Error())
	}
}

// closedByEnvoy is how many connections of games Envoy has closed of itself. A client repeats a request by itself when its connection was
// closed under it, so a failure could hide there.
func (g *games) closedByEnvoy(t *testing.T) float64 {
	t.Helper()
	all, err := g.envoy.Stats(t.Context())
	require.NoError(t, err)
	n, ok := all[`envoy_http_downstream_cx_destroy_local{envoy_http_conn_manager_prefix="public"}`]
	require.True(t, ok)
	return n
}

// unharmed stops the games, and requires that no request of theirs has failed, and that there were many.
func (g *games) unharmed(t *testing.T) {
	t.Helper()
	g.stop()
	took := time.Since(g.began)
	t.Logf("%d requests in %s, %.0f a second, %d failed, the slowest took %s",
		g.requests, took.Round(time.Second), float64(g.requests)/took.Seconds(), len(g.failures), g.slowest.Round(time.Millisecond))
	require.Empty(t, g.failures[:min(len(g.failures), 10)])
	require.Greater(t, g.requests, 200)
	require.Equal(t, g.closed, g.closedByEnvoy(t), "connections that Envoy closed")
}
