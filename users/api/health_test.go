package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestReadinessIsOfTheEndpointsDependencies(t *testing.T) {
	for name, c := range map[string]struct {
		down    func(*Config, func(context.Context) error)
		unready []string
		text    string
	}{
		"the store": {
			func(c *Config, f func(context.Context) error) { c.Store = f },
			[]string{"create", "read", "update"},
			"the store is unavailable",
		},
		"the keys": {
			func(c *Config, f func(context.Context) error) { c.Keys = f },
			[]string{"create", "read", "update"},
			"the token verifier is unavailable",
		},
		"the user pool": {
			func(c *Config, f func(context.Context) error) { c.Pool = f },
			[]string{"authenticate"},
			"the user pool is unavailable",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(cfg *Config) { c.down(cfg, func(context.Context) error { return errDial }) })
			for _, e := range Endpoints {
				status, text := http.StatusOK, "healthy"
				for _, u := range c.unready {
					if u == string(e) {
						status, text = http.StatusServiceUnavailable, c.text
					}
				}
				for _, method := range []string{"GET", "HEAD"} {
					got := h.do(t, request{method: method, path: "/hc-" + string(e)})
					require.Equal(t, status, got.status, e)
					require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
					if method == "GET" {
						require.Equal(t, text, string(got.body))
					}
				}
			}
			ready := h.send(t, request{method: "GET", path: "/readyz"})
			require.Equal(t, http.StatusServiceUnavailable, ready.status)
			require.Equal(t, map[string]any{"message": c.text, "code": "not_ready"}, ready.json(t))
			live := h.send(t, request{method: "GET", path: "/healthz"})
			require.Equal(t, http.StatusOK, live.status, "liveness depends on nothing")
			require.JSONEq(t, `{"status":"healthy"}`, string(live.body))
		})
	}
	ready := start(t, nil).send(t, request{method: "GET", path: "/readyz"})
	require.Equal(t, http.StatusOK, ready.status)
	require.JSONEq(t, `{"status":"ready"}`, string(ready.body))
}

func TestReadinessOfWhatIsNotServedIsNotAsked(t *testing.T) {
	h := start(t, func(c *Config) {
		c.Serve = []Endpoint{Authenticate}
		c.Store = func(context.Context) error { return errors.New("down") }
	})
	require.Equal(t, http.StatusOK, h.send(t, request{method: "GET", path: "/readyz"}).status)
}

// The checks are public: a flood of them must not reach the store.
func TestDependenciesAreAskedOnceASecond(t *testing.T) {
	now := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var asked atomic.Int64
	var down atomic.Bool
	h := start(t, func(c *Config) {
		c.Now = now.Now
		c.Store = func(context.Context) error {
			asked.Add(1)
			if down.Load() {
				return errDial
			}
			return nil
		}
	})
	check := func() int { return h.do(t, request{method: "GET", path: "/hc-read"}).status }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { h.send(t, request{method: "GET", path: "/hc-create"}) })
	}
	all.Wait()
	require.Equal(t, http.StatusOK, check())
	require.Equal(t, int64(1), asked.Load())
	down.Store(true)
	now.add(time.Second - 1)
	require.Equal(t, http.StatusOK, check())
	now.add(1)
	require.Equal(t, http.StatusServiceUnavailable, check())
	require.Equal(t, http.StatusServiceUnavailable, check())
	require.Equal(t, int64(2), asked.Load())
	now.add(time.Second)
	require.Equal(t, http.StatusServiceUnavailable, check())
	down.Store(false)
	now.add(time.Second)
	require.Equal(t, http.StatusOK, check())

	lines := h.logs.FilterField(zap.String("dependency", "the store")).All()
	require.Len(t, lines, 2, "a line for each change")
	require.Equal(t, zap.WarnLevel, lines[0].Level)
	require.Equal(t, errDial.Error(), lines[0].ContextMap()["error"])
	require.Equal(t, "ready again", lines[1].Message)
}

// A client that does not wait for the answer must not make the dependency look down to the others.
func TestADependencyIsAskedForAllAndNotForOneClient(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := (&service{Config: Config{Now: time.Now, Logger: zap.NewNop()}}).newDependency("the store", func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		require.WithinRange(t, deadline, time.Now(), time.Now().Add(time.Second), "Envoy waits for a second")
		return ctx.Err()
	}, checkEvery)
	require.NoError(t, d.ready(ctx))
}

// AWS limits how often the user pool may be asked.
func TestAUserPoolThatIsReadyIsAskedEveryFiveSeconds(t *testing.T) {
	now := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var asked atomic.Int64
	var down atomic.Bool
	h := start(t, func(c *Config) {
		c.Now = now.Now
		c.Pool = func(context.Context) error {
			asked.Add(1)
			if down.Load() {
				return errDial
			}
			return nil
		}
	})
	after := func(d time.Duration, status int, calls int64) {
		t.Helper()
		now.add(d)
		require.Equal(t, status, h.do(t, request{method: "GET", path: "/hc-authenticate"}).status)
		require.Equal(t, calls, asked.Load())
	}
	after(0, http.StatusOK, 1)
	down.Store(true)
	after(5*time.Second-1, http.StatusOK, 1)
	after(1, http.StatusServiceUnavailable, 2)
	after(time.Second-1, http.StatusServiceUnavailable, 2)
	after(1, http.StatusServiceUnavailable, 3)
	down.Store(false)
	after(time.Second, http.StatusOK, 4)
	after(5*time.Second-1, http.StatusOK, 4)
}

func TestADependencyThatPanicsIsNotReady(t *testing.T) {
	h := start(t, func(c *Config) { c.Store = func(context.Context) error { panic("the key is hunter2") } })
	for range 2 {
		got := h.do(t, request{method: "GET", path: "/hc-read"})
		require.Equal(t, http.StatusServiceUnavailable, got.status)
		require.Equal(t, "the store is unavailable", string(got.body))
	}
	lines := h.logs.FilterMessage("not ready").All()
	require.Len(t, lines, 1)
	require.Equal(t, "panic: a string", lines[0].ContextMap()["error"])
	require.Contains(t, lines[0].ContextMap()["stack"], "TestADependencyThatPanicsIsNotReady")
}
