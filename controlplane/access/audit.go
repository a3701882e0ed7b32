package access

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.uber.org/zap"
)

// maxLoggedPath bounds what a line of the log has of a path.
const maxLoggedPath = 256

// audit logs each write with who made it and how it was answered, also where the handler panics. It does not log queries and bodies.
func (g *Guard) audit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if safe(r) {
			next.ServeHTTP(w, r)
			return
		}
		answer := &watched{ResponseWriter: w}
		var failed atomic.Int64
		defer func() {
			fields := append(g.whoFields(From(r.Context()), r), zap.Int("status", answer.status))
			if status := failed.Load(); status != 0 {
				fields = append(fields, zap.Int64("failed_status", status))
			}
			g.changes.Info("change", fields...)
		}()
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), failedKey{}, &failed)))
		if answer.status == 0 {
			answer.status = http.StatusOK // net/http's, for a handler that writes nothing
		}
	})
}

type failedKey struct{}

// Failed notes for the log that the request that ctx belongs to came to nothing, with this status, though its answer had to begin with
// another one; 0: it did not. Safe for concurrent use; without an audit it does nothing.
func Failed(ctx context.Context, status int) {
	if failed, ok := ctx.Value(failedKey{}).(*atomic.Int64); ok {
		failed.Store(int64(status))
	}
}

// logRefused is for somebody who may not write.
func (g *Guard) logRefused(r *http.Request, id Identity) {
	g.log.Warn("change refused", g.whoFields(id, r)...)
}

func (g *Guard) whoFields(id Identity, r *http.Request) []zap.Field {
	path := r.URL.Path
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath]
	}
	return []zap.Field{
		zap.String("who", id.Name), zap.Stringer("role", id.Role), zap.String("via", id.Via), zap.Stringer("client", g.clientOf(r)),
		zap.String("method", r.Method), zap.String("path", path),
	}
}

// watched remembers the status; 0: the handler has not answered.
type watched struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
