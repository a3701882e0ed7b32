package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"adsidecar/e2e/stack"
)

// breaking is an upstream that reads a request and then cuts the connection. It returns its address and how many requests it has read.
func breaking(t *testing.T) (address string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an end
		}
		_ = conn.Close()
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), requests
}

// TestPassThroughOfSickUpstreams: what a game sees when a server behind the gateway is down, slow, cuts connections or is ill, and that
// nothing is sent twice.
func TestPassThroughOfSickUpstreams(t *testing.T) {
	var servers [6]*stack.Upstream
	for i := range servers {
		servers[i] = upstream(t)
	}
	well, other, third, alone, down, up := servers[0], servers[1], servers[2], servers[3], servers[4], servers[5]
	down.Stop()
	broken, broke := breaking(t)
	s := served(t, stack.Options{Gateway: fmt.Sprintf(`
routes:
- {prefix: /fleet, upstream: fleet, token: none}
- {prefix: /alone, upstream: alone, token: none}
- {prefix: /fleet.v1.Fleet/, upstream: rpc, token: none}
- {prefix: /down, upstream: down, token: none}
- {prefix: /down.v1.Down/, upstream: down, token: none}
- {prefix: /half, upstream: half, token: none}
- {prefix: /slow, upstream: up, token: none, timeout: 300ms}
- {prefix: /stall, upstream: up, token: none, idle_timeout: 300ms}
- {prefix: /break, upstream: break, token: none}
upstreams:
- {name: fleet, endpoints: ["%[1]s", "%[2]s", "%[3]s"], health_check: {path: /healthz, interval: 100ms}}
- {name: alone, endpoints: ["%[4]s"], health_check: {path: /healthz, interval: 100ms}}
- {name: rpc, endpoints: ["%[1]s", "%[2]s"], protocol: grpc, health_check: {interval: 100ms}}
- {name: down, endpoints: ["%[5]s"]}
- {name: half, endpoints: ["%[5]s", "%[6]s"]}
- {name: up, endpoints: ["%[6]s"]}
- {name: break, endpoints: ["%[7]s"]}
`, well.Address(), other.Address(), third.Address(), alone.Address(), down.Address(), up.Address(), broken)})
	clients := map[string]*http.Client{"HTTP/1.1": client(t, false), "HTTP/2.0": client(t, true)}

	for proto, c := range clients {
		for _, method := range []string{"GET", "POST"} {
			t.Run(proto+" "+method, func(t *testing.T) {
				r := trip{method: method, body: []byte("move")}
				requireError(t, mustSend(t, c, s.BaseURL()+"/down/x", r), 503, "upstream_unavailable", "")

				path := "/slow/" + proto + method
				began := time.Now()
				requireError(t, mustSend(t, c, s.BaseURL()+path+"?echo-delay=10s", r), 504, "upstream_timeout", "")
				require.Less(t, time.Since(began), 9*time.Second)
				require.Equal(t, 1, up.Count(path), "it is not sent twice")
				path = "/stall/" + proto + method
				requireError(t, mustSend(t, c, s.BaseURL()+path+"?echo-delay=10s", r), 504, "upstream_timeout", "")
				require.Equal(t, 1, up.Count(path), "it is not sent twice")

				before := broke.Load()
				requireError(t, mustSend(t, c, s.BaseURL()+"/break/x", r), 503, "upstream_unavailable", "")
				require.Equal(t, before+1, broke.Load(), "it is not sent twice")

				path = "/half/" + proto + method
				for range 10 {
					require.Equal(t, 200, mustSend(t, c, s.BaseURL()+path, r).Status, "an endpoint that refuses connections is passed over")
				}
				require.Equal(t, 10, up.Count(path), "each is sent once")
			})
		}
	}
	t.Run("gRPC", func(t *testing.T) {
		err := call(withToken(deadline(t, 20*time.Second), ""), rpc(t, s), "/down.v1.Down/Get", "m")
		require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	})
	t.Run("an upstream that comes up is used at once", func(t *testing.T) {
		require.NoError(t, down.Start())
		eventually(t, 20*time.Second, func(ctx context.Context) error { return answers(ctx, clients["HTTP/1.1"], s.BaseURL()+"/down/x", 200) })
		down.Stop()
	})

	// spread is how 30 requests are spread over the fleet.
	spread := func(ctx context.Context, path string) (counts [3]int, err error) {
		for i, u := range servers[:3] {
			counts[i] = -u.Count(path)
		}
		for range 30 {
			if err := answers(ctx, clients["HTTP/1.1"], s.BaseURL()+path, 200); err != nil {
				return counts, err
			}
		}
		for i, u := range servers[:3] {
			counts[i] += u.Count(path)
		}
		return counts, nil
	}
	// used waits until those are used that are to be, and no other.
	used := func(t *testing.T, path string, want ...bool) {
		t.Helper()
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			counts, err := spread(ctx, path)
			for i := range want {
				if err == nil && (counts[i] > 0) != want[i] {
					err = fmt.Errorf("requests of each: %v", counts)
				}
			}
			return err
		})
	}
	t.Run("health checks take servers out, and back", func(t *testing.T) {
		used(t, "/fleet/all", true, true, true)
		other.SetHealthy(false)
		used(t, "/fleet/two", true, false, true)
		third.SetHealthy(false)
		used(t, "/fleet/one", true, false, false)
		third.SetHealthy(true)
		other.SetHealthy(true)
		used(t, "/fleet/again", true, true, true)
		other.Stop()
		used(t, "/fleet/stopped", true, false, true)
		require.NoError(t, other.Start())
		used(t, "/fleet/started", true, true, true)
	})
	t.Run("an upstream with no healthy server gets no requests", func(t *testing.T) {
		c := clients["HTTP/2.0"]
		require.NoError(t, answers(deadline(t, 10*time.Second), c, s.BaseURL()+"/alone/x", 200))
		alone.SetHealthy(false)
		eventually(t, 30*time.Second, func(ctx context.Context) error { return answers(ctx, c, s.BaseURL()+"/alone/x", 503) })
		count := alone.Count("/alone/x")
		for range 10 {
			requireError(t, mustSend(t, c, s.BaseURL()+"/alone/x", trip{}), 503, "upstream_unavailable", "")
		}
		require.Equal(t, count, alone.Count("/alone/x"))
		alone.SetHealthy(true)
		eventually(t, 30*time.Second, func(ctx context.Context) error { return answers(ctx, c, s.BaseURL()+"/alone/x", 200) })
	})
	t.Run("gRPC servers are asked by the health protocol", func(t *testing.T) {
		conn := rpc(t, s)
		const method = "/fleet.v1.Fleet/Join"
		well.SetHealthy(false)
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			before := well.Count(method)
			for range 10 {
				if err := call(withToken(ctx, ""), conn, method, "m"); err != nil {
					return err
				}
			}
			if n := well.Count(method) - before; n > 0 {
				return fmt.Errorf("%d calls reached the server that is ill", n)
			}
			return nil
		})
		other.SetHealthy(false)
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			err := call(withToken(ctx, ""), conn, method, "m")
			if status.Code(err) != codes.Unavailable {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
		well.SetHealthy(true)
		eventually(t, 30*time.Second, func(ctx context.Context) error { return call(withToken(ctx, ""), conn, method, "m") })
	})
}

// answers is an error if a GET is not answered with this status.
func answers(ctx context.Context, c *http.Client, url string, want int) error {
	a, err := send(ctx, c, url, trip{})
	if err == nil && a.Status != want {
		err = fmt.Errorf("not %d: %s", want, a)
	}
	return err
}
