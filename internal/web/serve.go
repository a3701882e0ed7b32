package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Timeouts and limits of every server: a client that is slow or silent is let go.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeaders    = 64 << 10

	// MaxIdle is how long a connection without requests is kept. A proxy in front closes its own before that.
	MaxIdle = idleTimeout
)

// Server is how a handler is served.
type Server struct {
	Handler http.Handler
	Logger  *zap.Logger
	// HTTP2 accepts HTTP/2 in plaintext with prior knowledge, beside HTTP/1.
	HTTP2 bool
	// Drain is how long requests under way may take once the server is to end. 0: 5 s.
	Drain time.Duration
}

// Serve answers on l until ctx ends, then lets requests under way finish. It closes l. Requests that take longer than Drain are cut
// off, with a line in the log: that is no error.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Drain == 0 {
		s.Drain = 5 * time.Second
	}
	srv := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          zap.NewStdLog(s.Logger),
		Protocols:         new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true) // where a listener's TLS has negotiated it
	srv.Protocols.SetUnencryptedHTTP2(s.HTTP2)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Drain)
		defer cancel()
		if err := srv.Shutdown(drain); err != nil {
			s.Logger.Warn("requests were cut off at the end", zap.Error(err), zap.Duration("drain", s.Drain))
			_ = srv.Close() // of what is left
		}
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped
	return nil
}
