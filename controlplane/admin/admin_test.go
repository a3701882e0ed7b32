package admin

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
)

func config(t *testing.T) Config {
	t.Helper()
	r := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "adsidecar_test_total", Help: "Of this test."})
	r.MustRegister(c)
	return Config{
		Status:   func() any { return map[string]int{"ads": 3} },
		Ready:    func() error { return nil },
		Gatherer: r,
		Logger:   zaptest.NewLogger(t),
	}
}

func TestAnswers(t *testing.T) {
	ready := config(t)
	notReady := config(t)
	notReady.Ready = func() error { return errors.New("no index is published yet") }
	broken := config(t)
	broken.Status = func() any { return func() {} }

	for name, tc := range map[string]struct {
		config Config
		method string
		path   string
		status int
		body   string
	}{
		"healthy":                       {ready, "GET", "/healthz", 200, `{"status":"healthy"}`},
		"ready with an index":           {ready, "GET", "/readyz", 200, `{"status":"ready"}`},
		"healthy but not ready":         {notReady, "GET", "/healthz", 200, `{"status":"healthy"}`},
		"not ready without an index":    {notReady, "GET", "/readyz", 503, `{"message":"An Envoy that starts now would get no ads yet.","code":"not_ready"}`},
		"status":                        {ready, "GET", "/api/v1/status", 200, `{"ads":3}`},
		"a status that has no JSON":     {broken, "GET", "/api/v1/status", 500, `{"message":"An internal error happened.","code":"internal"}`},
		"nothing can be changed":        {ready, "POST", "/api/v1/status", 405, `{"message":"Only GET and HEAD are allowed here.","code":"method_not_allowed"}`},
		"an unknown path names the few": {ready, "GET", "/nothing", 404, `{"message":"There is nothing at this path. Known: /healthz /readyz /metrics /api/v1/status","code":"not_found"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			request := httptest.NewRequest(tc.method, tc.path, nil)
			handler := Handler(tc.config)
			if h, pattern := Public(tc.config).Handler(request); pattern != "" {
				handler = h
			}
			handler.ServeHTTP(w, request)
			require.Equal(t, tc.status, w.Code)
			require.JSONEq(t, tc.body, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			if tc.status == 405 {
				require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(config(t)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "adsidecar_test_total 0")
}

// TestSignInPageOffersWhatIsConfigured, and nothing else.
func TestSignInPageOffersWhatIsConfigured(t *testing.T) {
	for _, passwords := range []bool{false, true} {
		c := config(t)
		c.Passwords = passwords
		w := httptest.NewRecorder()
		Public(c).ServeHTTP(w, httptest.NewRequest("GET", "/sign-in?error=sign_in_refused", nil))
		require.Equal(t, passwords, strings.Contains(w.Body.String(), `name="password"`))
		require.Equal(t, passwords, strings.Contains(w.Body.String(), "name and password"))
		require.Contains(t, w.Body.String(), `name="token"`)
		first := map[bool]string{true: "username", false: "token"}[passwords]
		require.Regexp(t, `name="`+first+`"[^>]* autofocus`, w.Body.String())
		require.Equal(t, 1, strings.Count(w.Body.String(), "autofocus"))
	}
}

func TestSignInPage(t *testing.T) {
	for name, tc := range map[string]struct{ query, has, hasNot string }{
		"without a query":            {"", `name="next" value=""`, "alert"},
		"where to go":                {"?next=/fleet", `name="next" value="/fleet"`, "alert"},
		"a path that is no path":     {`?next="><script>`, `value="&#34;&gt;&lt;script&gt;"`, "<script>"},
		"what went wrong":            {"?error=sign_in_refused", "alert", "sign_in_refused"},
		"an error of another's make": {"?error=<b>", "did not work", "<b>"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Public(config(t)).ServeHTTP(w, httptest.NewRequest("GET", "/sign-in"+tc.query, nil))
			require.Equal(t, 200, w.Code)
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Contains(t, w.Body.String(), tc.has)
			require.NotContains(t, w.Body.String(), tc.hasNot)
		})
	}
}
