package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
)

func TestBodiesAre64KiBAtMost(t *testing.T) {
	h := start(t, nil)
	pad := func(n int) string { return john + strings.Repeat(" ", n-len(john)) }
	for name, c := range map[string]struct {
		size   int
		status int
	}{
		"64 KiB":       {maxBody, http.StatusCreated},
		"64 KiB and 1": {maxBody + 1, http.StatusRequestEntityTooLarge},
		"4 MiB":        {4 << 20, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			q := request{method: "POST", path: "/create", token: "alice", body: pad(c.size)}
			got := h.do(t, q)
			require.Equal(t, c.status, got.status)
			if c.status >= 400 {
				require.Equal(t, "payload_too_large", got.json(t)["code"])
			}
		})
	}
	got := h.do(t, request{method: "POST", path: "/authenticate", body: pad(maxBody + 1)})
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	require.Equal(t, got.json(t)["message"], got.json(t)["msg"])
	require.Len(t, h.store.all(), 1)
}

// A proxy that sends a whole body before it reads must find the answer and a connection that still works, not a reset.
func TestABodyThatIsTooLargeIsReadToItsEnd(t *testing.T) {
	h := start(t, nil)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	answers := bufio.NewReader(conn)
	for range 2 {
		_, err = io.WriteString(conn, "POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n"+strings.Repeat("x", 3<<20))
		require.NoError(t, err)
		res, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
		require.False(t, res.Close)
	}
}

func TestABodyThatDoesNotArrive(t *testing.T) {
	for name, c := range map[string]struct {
		sent    string
		end     bool // the client is done sending
		timeout time.Duration
		status  int
		code    string
	}{
		"in the request's time": {
			sent: "Content-Length: 9\r\n\r\n{", timeout: 100 * time.Millisecond, status: http.StatusRequestTimeout, code: "request_timeout",
		},
		"ever":           {sent: "Content-Length: 9\r\n\r\n{", end: true, status: http.StatusBadRequest, code: "bad_request"},
		"in good chunks": {sent: "Transfer-Encoding: chunked\r\n\r\nzz\r\n", status: http.StatusBadRequest, code: "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(cfg *Config) { cfg.Timeout = c.timeout })
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
			_, err = io.WriteString(conn, "POST /authenticate HTTP/1.1\r\nHost: x\r\n"+c.sent)
			require.NoError(t, err)
			if tcp, ok := conn.(*net.TCPConn); ok && c.end {
				require.NoError(t, tcp.CloseWrite())
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, res.StatusCode, "%s", body)
			require.Contains(t, string(body), `"code":"`+c.code+`"`)
			visit(t, "SignInError", body)
		})
	}
}

func TestAClientThatLeavesIsNoFailure(t *testing.T) {
	h := start(t, nil)
	asked := make(chan struct{})
	h.accounts.hook = func(ctx context.Context, _, _ string) (account.Session, error) {
		close(asked)
		return account.Session{}, hang(ctx)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req := h.newRequest(t, request{method: "POST", path: "/authenticate", body: `{"username":"u","password":"p"}`}).WithContext(ctx)
	go func() {
		<-asked
		cancel()
	}()
	_, err := h.client.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return h.logs.Len() > 0 }, patience, time.Millisecond)
	require.Equal(t, int64(499), h.logs.All()[0].ContextMap()["status"])
	require.Equal(t, "request answered", h.logs.All()[0].Message)
}

func TestMethodsAndPaths(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		method, path string
		status       int
		allow        string
	}{
		"GET of authenticate":         {"GET", "/authenticate", 405, "POST"},
		"PUT of create":               {"PUT", "/create", 405, "POST"},
		"POST of read":                {"POST", "/read", 405, "GET, HEAD"},
		"PATCH of update":             {"PATCH", "/update", 405, "PUT"},
		"DELETE of update (row U29)":  {"DELETE", "/update", 405, "PUT"},
		"OPTIONS of create":           {"OPTIONS", "/create", 405, "POST"},
		"a method in lower case":      {"post", "/create", 405, "POST"},
		"POST of a health check":      {"POST", "/hc-read", 405, "GET, HEAD"},
		"POST of the document":        {"POST", "/openapi.json", 405, "GET, HEAD"},
		"DELETE of liveness":          {"DELETE", "/healthz", 405, "GET, HEAD"},
		"HEAD of create":              {"HEAD", "/create", 405, "POST"},
		"delete, which never was":     {"POST", "/delete", 404, ""},
		"the root":                    {"GET", "/", 404, ""},
		"a slash too many at the end": {"POST", "/create/", 404, ""},
		"a slash too many":            {"POST", "//create", 404, ""},
		"a path that is not clean":    {"POST", "/x/../create", 404, ""},
		"another case":                {"POST", "/Create", 404, ""},
		"a stage, which Envoy strips": {"POST", "/prod/create", 404, ""},
		"the ads, which are Envoy's":  {"GET", "/ad_request?country=us&lang=eng", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := request{method: c.method, path: c.path, body: john, token: "alice"}
			if c.method == "GET" || c.method == "HEAD" {
				q.body = ""
			}
			got := h.send(t, q)
			require.Equal(t, c.status, got.status)
			require.Equal(t, c.allow, got.header.Get("Allow"))
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			switch {
			case c.method == "HEAD":
				require.Empty(t, got.body)
			case c.path == "/authenticate":
				visit(t, "SignInError", got.body)
			default:
				visit(t, "Error", got.body)
			}
		})
	}
	require.Empty(t, h.store.all())
}

func TestServeSelectsEndpoints(t *testing.T) {
	h := start(t, func(c *Config) {
		c.Serve = []Endpoint{Read}
		c.Accounts, c.Pool = nil, nil
	})
	require.Equal(t, http.StatusNotFound, h.send(t, request{method: "GET", path: "/read?userId=00000001", token: "alice"}).status)
	require.Equal(t, "user_not_found", h.do(t, request{method: "GET", path: "/read?userId=00000001", token: "alice"}).json(t)["code"])
	require.Equal(t, "healthy", string(h.do(t, request{method: "GET", path: "/hc-read"}).body))
	for _, path := range []string{"/authenticate", "/create", "/update", "/hc-authenticate", "/hc-create", "/hc-update"} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			got := h.send(t, request{method: method, path: path, token: "alice"})
			require.Equal(t, http.StatusNotFound, got.status, "%s %s", method, path)
			require.Equal(t, "not_found", got.json(t)["code"])
		}
	}
}

func TestNewRefusesWhatWouldNotWork(t *testing.T) {
	_, err := New(Config{})
	require.EqualError(t, err, "authenticate needs Accounts and Pool\ncreate needs Records, Tokens, Store and Keys\n"+
		"read needs Records, Tokens, Store and Keys\nupdate needs Records, Tokens, Store and Keys")
	_, err = New(Config{Serve: []Endpoint{"delete"}})
	require.EqualError(t, err, `serve: "delete" is none of authenticate, create, read, update`)
}

// overHTTP2 lets the harness speak HTTP/2 in plaintext from now on, as Envoy does.
func (h *harness) overHTTP2(t *testing.T) {
	t.Helper()
	server := httptest.NewUnstartedServer(h.handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	h.url, h.client = server.URL, &http.Client{Transport: transport}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	h := start(t, nil)
	h.overHTTP2(t)
	h.create(t)
	got := h.do(t, request{method: "POST", path: "/create", token: "alice", body: strings.Repeat(" ", maxBody+1)})
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	got = h.do(t, request{method: "HEAD", path: "/read?userId=00010001", token: "alice"})
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, `"1"`, got.header.Get("ETag"))
}

func TestABodyThatDoesNotArriveOverHTTP2(t *testing.T) {
	h := start(t, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	h.overHTTP2(t)
	body, sender := io.Pipe()
	defer func() { _ = sender.Close() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/authenticate", body)
	require.NoError(t, err)
	res, err := h.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, 2, res.ProtoMajor)
	require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	visit(t, "SignInError", got)
}

func TestMetrics(t *testing.T) {
	h := start(t, nil)
	h.create(t)
	h.do(t, request{method: "GET", path: "/read?userId=1", token: "alice"})
	h.do(t, request{method: "GET", path: "/read?userId=1"})
	h.do(t, request{method: "GET", path: "/hc-read"})
	h.send(t, request{method: "GET", path: "/nothing/hunter2"})
	h.send(t, request{method: "GET", path: "/create"})
	require.NoError(t, testutil.GatherAndCompare(h.registry, strings.NewReader(`
# HELP adsidecar_users_requests_total Requests to the user service by endpoint and HTTP status.
# TYPE adsidecar_users_requests_total counter
adsidecar_users_requests_total{code="201",endpoint="create"} 1
adsidecar_users_requests_total{code="400",endpoint="read"} 1
adsidecar_users_requests_total{code="401",endpoint="read"} 1
adsidecar_users_requests_total{code="404",endpoint="other"} 1
adsidecar_users_requests_total{code="405",endpoint="create"} 1
`), "adsidecar_users_requests_total"))
	got := h.send(t, request{method: "GET", path: "/metrics"})
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, string(got.body), `adsidecar_users_request_duration_seconds_count{endpoint="create"} 2`)
}
