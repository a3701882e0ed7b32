package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// passing is a gateway with routes of every kind to one upstream, which speaks every protocol.
func passing(u *stack.Upstream) string {
	return strings.ReplaceAll(`
listener: {request_timeout: 2s}
routes:
- {prefix: /game, upstream: http1}
- {prefix: /open, upstream: http1, token: none}
- {prefix: /h2, upstream: http2}
- {prefix: /mute, upstream: http1, forward_token: false}
- {prefix: /base, upstream: http1, token: none, rewrite: /}
- {prefix: /dir/, upstream: http1, token: none, rewrite: /}
- {prefix: /v1, upstream: http1, token: none, rewrite: /api}
- {prefix: /v2/, upstream: http1, token: none, rewrite: /api/}
- {prefix: /v3, upstream: http1, token: none, rewrite: /api/}
- {prefix: /a+b, upstream: http1, token: none, rewrite: /}
- {path: /status, upstream: http1, token: none}
- {path: /alias, upstream: http1, token: none, rewrite: /status}
- {path: /game/special, upstream: http2, token: none}
- {prefix: /live, upstream: http1, websocket: true}
- {prefix: /watch, upstream: http1, websocket: true, token: none, timeout: 500ms}
- {prefix: /lobby.v1.Lobby/, upstream: grpc}
- {prefix: /open.v1.Lobby/, upstream: grpc, token: none}
upstreams:
- {name: http1, endpoints: [ADDRESS]}
- {name: http2, endpoints: [ADDRESS], protocol: http2}
- {name: grpc, endpoints: [ADDRESS], protocol: grpc}
`, "ADDRESS", u.Address())
}

// upstream starts an upstream that ends with the test.
func upstream(t *testing.T) *stack.Upstream {
	t.Helper()
	u, err := stack.StartUpstream()
	require.NoError(t, err)
	t.Cleanup(u.Close)
	return u
}

// client keeps one connection; h2 speaks HTTP/2 with prior knowledge.
func client(t *testing.T, h2 bool) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetHTTP1(!h2)
	p.SetUnencryptedHTTP2(h2)
	transport := &http.Transport{Protocols: &p, MaxConnsPerHost: 1, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// trip is a request through the gateway. The zero value is a GET without a token.
type trip struct {
	method, token string
	header        http.Header
	body          []byte
}

// send makes the trip. Each has the header at which the module with test hooks would end its VM, were it ever asked.
func send(ctx context.Context, c *http.Client, url string, r trip) (*stack.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, url, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("X-Test-Panic", "trap")
	if r.token != "" {
		req.Header.Set("Authorization", r.token)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return &stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, errors.Join(err, resp.Body.Close())
}

func mustSend(t *testing.T, c *http.Client, url string, r trip) *stack.Answer {
	t.Helper()
	a, err := send(deadline(t, 20*time.Second), c, url, r)
	require.NoError(t, err, url)
	return a
}

// echoed is what the upstream got.
func echoed(t *testing.T, a *stack.Answer) stack.Echo {
	t.Helper()
	require.Equal(t, "1", a.Header.Get("Echo"), a)
	var e stack.Echo
	require.NoError(t, json.Unmarshal(a.Body, &e), a)
	return e
}

// vmCounters are Envoy's counters of VMs made and restarted, and the filter's own.
func vmCounters(t *testing.T, s *stack.Stack) map[string]float64 {
	t.Helper()
	stats, err := s.Envoy().Stats(deadline(t, 10*time.Second))
	require.NoError(t, err)
	maps.DeleteFunc(stats, func(name string, _ float64) bool {
		return !strings.HasPrefix(name, "adsidecar_") && !strings.HasPrefix(name, "envoy_wasm_adsidecar_") && !strings.HasSuffix(name, "_v8_created{}")
	})
	require.Contains(t, stats, "adsidecar_served{}")
	require.Contains(t, stats, "envoy_wasm_envoy_wasm_runtime_v8_created{}")
	require.Contains(t, stats, "envoy_wasm_adsidecar_vm_reload_success{}")
	return stats
}

// TestPassThrough sends every kind of game traffic to an upstream, none of which enters the filter's VM.
func TestPassThrough(t *testing.T) {
	u := upstream(t)
	s := served(t, stack.Options{Module: hooks(t), Gateway: passing(u)})
	before := vmCounters(t, s)
	requests := len(u.Counts())

	t.Run("HTTP", func(t *testing.T) { testPassThroughHTTP(t, s, u) })
	t.Run("paths", func(t *testing.T) { testPassThroughPaths(t, s) })
	t.Run("streams", func(t *testing.T) { testPassThroughStreams(t, s, u) })

	require.Greater(t, len(u.Counts()), requests+20)
	require.Equal(t, before, vmCounters(t, s), "nothing of it entered the VM or made one")
	t.Run("the hook ends a VM that is asked", func(t *testing.T) {
		a := mustSend(t, client(t, false), s.BaseURL()+stack.AdPath("us", "eng"), trip{token: s.Token()})
		require.Equal(t, 503, a.Status)
		require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
		const reloads, created = "envoy_wasm_adsidecar_vm_reload_success{}", "envoy_wasm_envoy_wasm_runtime_v8_created{}"
		after := vmCounters(t, s)
		require.Greater(t, after[reloads], before[reloads])
		require.Greater(t, after[created], before[created])
	})
}

func testPassThroughHTTP(t *testing.T, s *stack.Stack, u *stack.Upstream) {
	clients := map[string]*http.Client{"HTTP/1.1": client(t, false), "HTTP/2.0": client(t, true)}
	for proto, c := range clients {
		for path, upstreamProto := range map[string]string{"/game/x": "HTTP/1.1", "/h2/x": "HTTP/2.0"} {
			t.Run(proto+" to "+upstreamProto, func(t *testing.T) {
				body := []byte(strings.Repeat("0123456789abcdef", 1<<16)) // 1 MiB, many times the buffers
				sum := sha256.Sum256(body)
				for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
					a := mustSend(t, c, s.BaseURL()+path+"?a=1&b=%2F", trip{method: method, token: s.Token(), body: body, header: http.Header{"X-Player": {"p1"}}})
					require.Equal(t, 200, a.Status, a)
					e := echoed(t, a)
					require.Equal(t, []any{method, path, "a=1&b=%2F", upstreamProto}, []any{e.Method, e.Path, e.Query, e.Proto})
					require.EqualValues(t, len(body), e.BodyBytes)
					require.Equal(t, hex.EncodeToString(sum[:]), e.BodySHA256)
					require.Equal(t, string(body[:64<<10]), e.Body, "the answer is longer than the buffers too")
					require.Equal(t, "p1", e.Headers.Get("X-Player"))
					require.Equal(t, s.Token(), e.Headers.Get("Authorization"), "the token is forwarded as it came")
					require.Equal(t, a.Header.Get("X-Request-Id"), e.Headers.Get("X-Request-Id"))
				}
				a := mustSend(t, c, s.BaseURL()+path, trip{token: "Bearer " + s.Token()})
				require.Equal(t, "GET", echoed(t, a).Method)
				a = mustSend(t, c, s.BaseURL()+path, trip{method: "HEAD", token: s.Token()})
				require.Equal(t, 200, a.Status)
				require.Empty(t, a.Body)
			})
		}
		t.Run(proto+" without a token that counts", func(t *testing.T) {
			for _, path := range []string{"/game", "/game/x", "/prod/game/x", "/h2/x", "/mute/x", "/live"} {
				count := u.Counts()
				for _, token := range []string{"", "Bearer", "Bearer x", "Basic x," + s.Token(), "Basic x,Bearer " + s.Token(), s.Token() + "x"} {
					requireError(t, mustSend(t, c, s.BaseURL()+path, trip{token: token}), 401, "unauthorized", "")
					requireError(t, mustSend(t, c, s.BaseURL()+path, trip{method: "POST", token: token, body: []byte("x")}), 401, "unauthorized", "")
				}
				require.Equal(t, count, u.Counts(), "the upstream sees none of it")
			}
		})
		t.Run(proto+" on a public route", func(t *testing.T) {
			for _, token := range []string{"", "Bearer x", "Basic eDp5", s.Token()} {
				a := mustSend(t, c, s.BaseURL()+"/open/x", trip{token: token})
				require.Equal(t, 200, a.Status, a)
				require.Equal(t, token, echoed(t, a).Headers.Get("Authorization"), "it is the upstream's business")
			}
		})
		t.Run(proto+" headers by which a client would steer Envoy are not obeyed", func(t *testing.T) {
			a := mustSend(t, c, s.BaseURL()+"/open/x?echo-delay=50ms", trip{header: http.Header{
				"X-Envoy-Upstream-Rq-Timeout-Ms": {"1"}, "X-Envoy-Max-Retries": {"9"}, "X-Envoy-Retry-On": {"5xx"}, "X-Envoy-Original-Path": {"/x"},
				"X-Envoy-External-Address": {"192.0.2.1"}, "X-Forwarded-For": {"192.0.2.1"},
			}})
			require.Equal(t, 200, a.Status, a)
			e := echoed(t, a)
			maps.DeleteFunc(e.Headers, func(name string, _ []string) bool { return !strings.HasPrefix(name, "X-Envoy-") })
			require.Equal(t, http.Header{"X-Envoy-External-Address": {"127.0.0.1"}}, e.Headers)
		})
		t.Run(proto+" with a token that the upstream is not to see", func(t *testing.T) {
			require.Empty(t, echoed(t, mustSend(t, c, s.BaseURL()+"/mute/x", trip{token: s.Token()})).Headers.Get("Authorization"))
		})
		t.Run(proto+" answers of the upstream are left as they are", func(t *testing.T) {
			for _, status := range []string{"200", "201", "301", "400", "401", "403", "404", "405", "408", "413", "418", "429", "431", "500", "502", "503", "504"} {
				direct := mustSend(t, c, "http://"+u.Address()+"/open/x?echo-status="+status, trip{})
				a := mustSend(t, c, s.BaseURL()+"/open/x?echo-status="+status, trip{})
				require.Equal(t, direct.Status, a.Status)
				require.Equal(t, "/open/x", echoed(t, a).Path, "the body is the upstream's")
				require.NotEmpty(t, a.Header.Get("X-Request-Id"))
				for _, added := range []string{"X-Request-Id", "Date", "Content-Length"} { // what the upstream echoes differs in length
					a.Header.Del(added)
					direct.Header.Del(added)
				}
				require.Equal(t, direct.Header, a.Header, status)
			}
		})
	}
}

func testPassThroughPaths(t *testing.T, s *stack.Stack) {
	c := client(t, false)
	for path, want := range map[string]string{
		"/game":                      "/game",
		"/game/":                     "/game/",
		"/game/x":                    "/game/x",
		"/game/x%20y":                "/game/x%20y",
		"/prod/game/x":               "/game/x",
		"/prod/game":                 "/game",
		"/development/game/x":        "/game/x",
		"/game/prod":                 "/game/prod",
		"/open/ad_request":           "/open/ad_request",
		"/open/../game/x":            "/game/x",
		"/open//x":                   "/open/x",
		"/base":                      "/",
		"/base/":                     "/",
		"/base/x":                    "/x",
		"/base/x/y":                  "/x/y",
		"/base/base/x":               "/base/x",
		"/prod/base":                 "/",
		"/prod/base/x":               "/x",
		"/dir/":                      "/",
		"/dir/x":                     "/x",
		"/prod/dir/x":                "/x",
		"/v1":                        "/api",
		"/v1/":                       "/api/",
		"/v1/x":                      "/api/x",
		"/prod/v1/x":                 "/api/x",
		"/v2/":                       "/api/",
		"/v2/x":                      "/api/x",
		"/development/v2/x":          "/api/x",
		"/v3":                        "/api/",
		"/v3/x":                      "/api/x",
		"/prod/v3/x":                 "/api/x",
		"/a+b":                       "/",
		"/a+b/x":                     "/x",
		"/status":                    "/status",
		"/prod/status":               "/status",
		"/alias":                     "/status",
		"/prod/alias":                "/status",
		"/prod/open/x?a=1&a=2&=&%zz": "/open/x",
		"/base?country=us":           "/",
		"/base/x?to=/y%2F":           "/x",
		"/v1?q":                      "/api",
		"/alias?q=1":                 "/status",
	} {
		t.Run(path+" is "+want, func(t *testing.T) {
			a := raw(t, s, "GET "+path+" HTTP/1.1\r\nHost: game.example\r\nAuthorization: "+s.Token()+"\r\nX-Test-Panic: trap\r\n\r\n")
			require.Equal(t, 200, a.Status, a)
			e := echoed(t, a)
			_, query, _ := strings.Cut(path, "?")
			require.Equal(t, want, e.Path)
			require.Equal(t, query, e.Query, "the query is kept")
			require.Equal(t, "game.example", e.Host)
		})
	}
	for _, path := range []string{
		"/games", "/gamer/x", "/gam", "/Game", "/prod/games", "/production/game", "/prod/prod/game", "/dir", "/v2", "/statuses", "/status/", "/status/x",
		"/alias/x", "/aab", "/aab/x", "/basex",
	} {
		t.Run(path+" is no route", func(t *testing.T) {
			requireError(t, mustSend(t, c, s.BaseURL()+path, trip{token: s.Token()}), 404, "not_found", "")
			requireError(t, mustSend(t, c, s.BaseURL()+path, trip{}), 401, "unauthorized", "")
		})
	}
	t.Run("the first route that matches wins", func(t *testing.T) {
		requireError(t, mustSend(t, c, s.BaseURL()+"/game/special", trip{}), 401, "unauthorized", "")
		require.Equal(t, "HTTP/1.1", echoed(t, mustSend(t, c, s.BaseURL()+"/game/special", trip{token: s.Token()})).Proto)
	})
	t.Run("a route that does not allow an upgrade", func(t *testing.T) {
		upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		a := mustSend(t, c, s.BaseURL()+"/open/x", trip{header: upgrade})
		require.Equal(t, 403, a.Status)
		require.Equal(t, []string{"application/json"}, a.Header.Values("Content-Type"))
		require.False(t, slices.Contains(a.Header.Values("Connection"), "Upgrade"))
	})
}
