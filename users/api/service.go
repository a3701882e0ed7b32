package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"adsidecar/internal/web"
)

// service is the handler that [New] returns.
type service struct {
	Config
	metrics *metrics
	paths   map[string]path
}

// path is what is at a path: an endpoint with its handler, or something plain beside the endpoints.
type path struct {
	methods  []string
	endpoint Endpoint
	handle   func(*call) (answer, error)
	plain    http.HandlerFunc
}

// call is one request to an endpoint.
type call struct {
	*http.Request
	endpoint Endpoint
	// userID is the one that was asked for, once that is known.
	userID string
	// w is for readBody alone.
	w http.ResponseWriter
}

// answer is the answer to a call. Nothing is sent before a handler has returned it, so that a panic still finds the client waiting.
type answer struct {
	status int
	header map[string]string
	body   any
}

// ServeHTTP implements [http.Handler].
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, found := s.paths[r.URL.Path]
	if found && p.plain != nil && slices.Contains(p.methods, r.Method) {
		p.plain(w, r)
		return
	}
	started := s.Now()
	c := &call{Request: r, endpoint: p.endpoint, w: w}
	var a answer
	var err error
	switch {
	case !found:
		err = newProblem(http.StatusNotFound, "not_found", "There is nothing at this path.", nil)
	case !slices.Contains(p.methods, r.Method):
		err = methodNotAllowed(p.methods)
	default:
		a, err = s.run(c, p.handle)
	}
	if err != nil {
		a = c.answer(err)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if encode := web.Write(w, a.status, a.body); encode != nil {
		a.status, err = http.StatusInternalServerError, encode
	}
	took := s.Now().Sub(started)
	s.metrics.observe(c.endpoint, a.status, took)
	s.log(c, a.status, took, err)
}

// run calls a handler within the request's time, and turns its panic into an error.
func (s *service) run(c *call, handle func(*call) (answer, error)) (a answer, err error) {
	client := c.Context()
	ctx, cancel := context.WithTimeout(client, s.Timeout)
	defer cancel()
	c.Request = c.WithContext(ctx)
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	a, err = handle(c)
	if errors.Is(err, context.Canceled) && client.Err() != nil {
		return answer{}, errClientGone
	}
	return a, err
}

func (s *service) log(c *call, status int, took time.Duration, err error) {
	fields := []zap.Field{
		zap.String("request_id", requestID(c.Request)), zap.String("endpoint", string(c.endpoint)),
		zap.Int("status", status), zap.Duration("took", took),
	}
	// The error of a client's mistake is left out: it may name what the client sent.
	switch {
	case status < 500:
		s.Logger.Debug("request answered", fields...)
	case status == http.StatusServiceUnavailable:
		s.Logger.Warn("request not served", append(fields, zap.Error(err))...)
	default:
		s.Logger.Error("request failed", append(fields, cause(err)...)...)
	}
}

// requestID is the proxy's ID of the request, or "" where it is none that is fit for a log.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) > 64 || strings.IndexFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0 {
		return ""
	}
	return id
}

// label is the endpoint's name in metrics.
func label(e Endpoint) string {
	if e == "" {
		return "other"
	}
	return string(e)
}

func code(status int) string { return strconv.Itoa(status) }
