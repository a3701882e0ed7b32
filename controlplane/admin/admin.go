// Package admin is the control plane's own HTTP address: health, readiness, metrics, and the status of everything as JSON.
//
// It answers what it is given functions for and knows no other part. It has no credentials, which is why the gateway's configuration
// keeps it on loopback unless told otherwise; it changes nothing.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 5 * time.Second
	maxHeaders    = 16 << 10
)

// Config is what the address answers with. All functions must be safe for concurrent use.
type Config struct {
	// Status is encoded as JSON at each GET /api/v1/status.
	Status func() any
	// Ready is nil once an Envoy that connects gets an index; else it says what is missing.
	Ready    func() error
	Gatherer prometheus.Gatherer
	Logger   *zap.Logger
}

// Handler answers GET and HEAD of /healthz, /readyz, /metrics and /api/v1/status; anything else is an error in JSON.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		c.write(w, http.StatusOK, map[string]string{"status": "healthy"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			c.write(w, http.StatusServiceUnavailable, message{Message: err.Error(), Code: "not_ready"})
			return
		}
		c.write(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{ErrorLog: zap.NewStdLog(c.Logger)}))
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		c.write(w, http.StatusOK, c.Status())
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: r.URL, Host: r.Host}); pattern != "/" {
			w.Header().Set("Allow", "GET, HEAD")
			c.write(w, http.StatusMethodNotAllowed, message{Message: "Only GET and HEAD are allowed here.", Code: "method_not_allowed"})
			return
		}
		c.write(w, http.StatusNotFound, message{
			Message: "There is nothing at this path. Known: /healthz /readyz /metrics /api/v1/status", Code: "not_found",
		})
	})
	return mux
}

// message is the error body of every part of the product.
type message struct {
	Message string `json:"message"`
	Code    string `json:"code"`
}

func (c Config) write(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		c.Logger.Error("encode answer", zap.Error(err))
		status, body = http.StatusInternalServerError, []byte(`{"message":"An internal error happened.","code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

// Serve answers on l until ctx ends, then lets requests under way finish. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *zap.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          zap.NewStdLog(log),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		stopped <- srv.Shutdown(drain)
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
