package api

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"adsidecar/internal/web"
)

// The checks are public, and must not become load on what they are about: an answer is remembered.
const (
	// checkEvery is for how long an answer holds.
	checkEvery = time.Second
	// poolEvery is for how long the user pool's holds while it is ready: AWS limits how often it may be asked.
	poolEvery = 5 * time.Second
	// checkWithin is how long an answer may take: less than the second for which Envoy waits (envoy/users.go).
	checkWithin = 800 * time.Millisecond
)

// dependency is something that endpoints cannot do without.
type dependency struct {
	name  string
	check func(context.Context) error
	every time.Duration // while it is ready
	now   func() time.Time
	log   *zap.Logger

	mu    sync.Mutex // held while it is asked: others wait for the same answer
	asked time.Time
	err   error
}

func (s *service) newDependency(name string, check func(context.Context) error, every time.Duration) *dependency {
	return &dependency{name: name, check: check, every: every, now: s.Now, log: s.Logger.With(zap.String("dependency", name))}
}

// ready is nil while the dependency is ready. Whose request it was that asked does not matter to the answer: ctx is not the request's.
func (d *dependency) ready(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	every := d.every
	if d.err != nil {
		every = checkEvery
	}
	if d.asked.IsZero() || d.now().Sub(d.asked) >= every {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
		defer cancel()
		d.note(d.ask(ctx))
		d.asked = d.now()
	}
	return d.err
}

// ask turns a panic into an error.
func (d *dependency) ask(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return d.check(ctx)
}

// note remembers the dependency's state, and logs when it changes.
func (d *dependency) note(err error) {
	switch {
	case err != nil && d.err == nil:
		d.log.Warn("not ready", cause(err)...)
	case err == nil && d.err != nil:
		d.log.Info("ready again")
	}
	d.err = err
}

// firstUnready is the first dependency that is not ready, or nil.
func firstUnready(ctx context.Context, all []*dependency) *dependency {
	for _, d := range all {
		if d.ready(ctx) != nil {
			return d
		}
	}
	return nil
}

// checkHandler answers the health checks of one endpoint, in text as the original services do.
func checkHandler(all []*dependency) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "healthy"
		if d := firstUnready(r.Context(), all); d != nil {
			status, text = http.StatusServiceUnavailable, d.unready()
			w.Header().Set("Retry-After", "1")
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		w.Write([]byte(text))
	}
}

// readyHandler answers /readyz: whether everything is ready that the served endpoints need.
func (s *service) readyHandler(all []*dependency) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if d := firstUnready(r.Context(), all); d != nil {
			w.Header().Set("Retry-After", "1")
			s.write(w, http.StatusServiceUnavailable, web.Error{Message: d.unready(), Code: "not_ready"})
			return
		}
		s.write(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}

func (d *dependency) unready() string { return d.name + " is unavailable" }

func (s *service) live(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusOK, map[string]string{"status": "healthy"})
}

func (s *service) write(w http.ResponseWriter, status int, v any) {
	if err := web.Write(w, status, v); err != nil {
		s.Logger.Error("encode answer", zap.Error(err))
	}
}
