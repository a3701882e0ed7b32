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

func TestReadinessIsOfTheEndpointsParts(t *testing.T) {
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

func TestReadinessOfPartsThatAreNotServedIsNotAsked(t *testing.T) {
	h := start(t, func(c *Config) {
		c.Serve = []Endpoint{Authenticate}
		c.Store = func(context.Context) error { return errors.New("down") }
	})
	require.Equal(t, http.StatusOK, h.send(t, request{method: "GET", path: "/readyz"}).status)
}

// The checks are public: a flood of them must not reach the store.
func TestPartsAreAskedOnceASecond(t *testing.T) {
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

	lines := h.logs.FilterField(zap.String("part", "the store")).All()
	require.Len(t, lines, 2, "a line for each change")
	require.Equal(t, zap.WarnLevel, lines[0].Level)
	require.Equal(t, errDial.Error(), lines[0].ContextMap()["error"])
	require.Equal(t, "ready again", lines[1].Message)
}

// A client that does not wait for the answer must not make the part look down to the others.
func TestAPartIsAskedForAllAndNotForOneClient(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := (&service{Config: Config{Now: time.Now, Logger: zap.NewNop()}}).newPart("the store", func(ctx context.Context) error {
		_, bounded := ctx.Deadline()
		require.True(t, bounded)
		return ctx.Err()
	})
	require.NoError(t, p.ready(ctx))
}
