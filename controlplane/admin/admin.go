// Package admin is the control plane's own HTTP address: health, readiness, metrics, the status of everything as JSON, and the page
// to sign in on.
//
// It answers what it is given functions for and knows no other part. Who may ask for what is decided in front of it.
package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"adsidecar/internal/web"
)

// Config is what the address answers with. All functions must be safe for concurrent use.
type Config struct {
	// Status is encoded as JSON at each GET /api/v1/status.
	Status func() any
	// Ready is nil once an Envoy that connects gets an index; else it says what is missing, which the log hears and nobody else.
	Ready    func() error
	Gatherer prometheus.Gatherer
	// Passwords says that accounts with passwords can sign in, so that the page offers it. A token always can.
	Passwords bool
	Logger    *zap.Logger
}

// Public answers what needs no credentials, and tells no detail: GET and HEAD of /healthz and /readyz, and the page /sign-in.
func Public(c Config) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		c.write(w, http.StatusOK, map[string]string{"status": "healthy"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			c.Logger.Debug("not ready", zap.Error(err))
			c.write(w, http.StatusServiceUnavailable, web.Error{Message: "An Envoy that starts now would get no ads yet.", Code: "not_ready"})
			return
		}
		c.write(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.HandleFunc("GET /sign-in", c.signIn)
	for _, path := range []string{"/healthz", "/readyz", "/sign-in"} {
		mux.HandleFunc(path, c.notAllowed)
	}
	return mux
}

// Metrics answers with the metrics, whatever the path.
func Metrics(c Config) http.Handler {
	return promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{ErrorLog: zap.NewStdLog(c.Logger)})
}

// Handler answers GET and HEAD of /metrics and /api/v1/status; anything else is an error in JSON.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", Metrics(c))
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		c.write(w, http.StatusOK, c.Status())
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: r.URL, Host: r.Host}); pattern != "/" {
			c.notAllowed(w, r)
			return
		}
		c.write(w, http.StatusNotFound, web.Error{
			Message: "There is nothing at this path. Known: /healthz /readyz /metrics /api/v1/status", Code: "not_found",
		})
	})
	return mux
}

func (c Config) notAllowed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	c.write(w, http.StatusMethodNotAllowed, web.Error{Message: "Only GET and HEAD are allowed here.", Code: "method_not_allowed"})
}

func (c Config) write(w http.ResponseWriter, status int, v any) {
	if err := web.WriteIndented(w, status, v); err != nil {
		c.Logger.Error("encode answer", zap.Error(err))
	}
}
