package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"adsidecar/internal/web"
)

const (
	// checkEvery is how long a part's state is remembered: the checks are public, and must not become load on the parts.
	checkEvery = time.Second
	// checkWithin is how long a part may take to say that it is ready.
	checkWithin = 2 * time.Second
)

// part is something that endpoints depend on.
type part struct {
	name  string
	check func(context.Context) error
	now   func() time.Time
	log   *zap.Logger

	mu    sync.Mutex // held while the part is asked: others wait for the same answer
	asked time.Time
	err   error
}

func (s *service) newPart(name string, check func(context.Context) error) *part {
	return &part{name: name, check: check, now: s.Now, log: s.Logger.With(zap.String("part", name))}
}

// ready is nil while the part is ready. Whose request it was that asked does not matter to the answer: ctx is not the request's.
func (p *part) ready(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.asked.IsZero() || now.Sub(p.asked) >= checkEvery {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
		defer cancel()
		p.note(p.check(ctx))
		p.asked = p.now()
	}
	return p.err
}

// note remembers the part's state, and logs when it changes.
func (p *part) note(err error) {
	switch {
	case err != nil && p.err == nil:
		p.log.Warn("not ready", zap.Error(err))
	case err == nil && p.err != nil:
		p.log.Info("ready again")
	}
	p.err = err
}

// firstUnready is the first part that is not ready, or nil.
func firstUnready(ctx context.Context, parts []*part) *part {
	for _, p := range parts {
		if p.ready(ctx) != nil {
			return p
		}
	}
	return nil
}

// checkHandler answers the health checks of one endpoint, in text as the original services do.
func checkHandler(parts []*part) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "healthy"
		if p := firstUnready(r.Context(), parts); p != nil {
			status, text = http.StatusServiceUnavailable, p.unready()
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
func (s *service) readyHandler(parts []*part) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := firstUnready(r.Context(), parts); p != nil {
			w.Header().Set("Retry-After", "1")
			s.write(w, http.StatusServiceUnavailable, web.Error{Message: p.unready(), Code: "not_ready"})
			return
		}
		s.write(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}

func (p *part) unready() string { return p.name + " is unavailable" }

func (s *service) live(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusOK, map[string]string{"status": "healthy"})
}

func (s *service) write(w http.ResponseWriter, status int, v any) {
	if err := web.Write(w, status, v); err != nil {
		s.Logger.Error("encode answer", zap.Error(err))
	}
}
