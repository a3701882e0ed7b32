package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrite(t *testing.T) {
	for name, tc := range map[string]struct {
		write  func(http.ResponseWriter, int, any) error
		value  any
		status int
		body   string
	}{
		"an error with a field":    {Write, Error{Message: "too long", Code: "invalid_field", Field: "title"}, 400, `{"message":"too long","code":"invalid_field","field":"title"}` + "\n"},
		"an error without a field": {Write, Error{Message: "no", Code: "forbidden"}, 403, `{"message":"no","code":"forbidden"}` + "\n"},
		"a query":                  {Write, json.RawMessage(`{"url":"/v?a=1&b=<2>"}`), 200, `{"url":"/v?a=1&b=<2>"}` + "\n"},
		"a query for people":       {WriteIndented, map[string]string{"url": "/v?a=1&b=<2>"}, 200, "{\n  \"url\": \"/v?a=1&b=<2>\"\n}\n"},
		"for people":               {WriteIndented, map[string]int{"ads": 3}, 200, "{\n  \"ads\": 3\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			require.NoError(t, tc.write(w, tc.status, tc.value))
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, tc.body, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
	w := httptest.NewRecorder()
	require.Error(t, Write(w, 200, func() {}))
	require.Equal(t, 500, w.Code)
	require.JSONEq(t, `{"message":"An internal error happened.","code":"internal"}`, w.Body.String())
}

func TestEncoded(t *testing.T) {
	for name, tc := range map[string]struct {
		codings []string
		encoded bool
	}{
		"none":                  {nil, false},
		"an empty one":          {[]string{""}, false},
		"identity":              {[]string{"identity"}, false},
		"identity, twice":       {[]string{"Identity , ", "IDENTITY"}, false},
		"gzip":                  {[]string{"gzip"}, true},
		"gzip behind identity":  {[]string{"identity, gzip"}, true},
		"gzip in a second line": {[]string{"identity", "GZIP"}, true},
		"what nobody knows":     {[]string{"x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.encoded, Encoded(http.Header{"Content-Encoding": tc.codings}))
		})
	}
}

// serving is a server on a free port whose handler says when it was asked and answers when it may.
type serving struct {
	url            string
	end            context.CancelFunc
	ended          chan error
	asked, release chan struct{}
}

func serve(t *testing.T, s Server) *serving {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	v := &serving{url: "http://" + l.Addr().String(), end: cancel, ended: make(chan error, 1), asked: make(chan struct{}), release: make(chan struct{})}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(v.asked)
		select {
		case <-v.release:
		case <-r.Context().Done():
			return
		}
		_ = Write(w, 200, r.Proto)
	})
	go func() { v.ended <- s.Serve(ctx, l) }()
	return v
}

// ask returns the answer's body, or the error of getting none.
func (s *serving) ask(t *testing.T, protocols *http.Protocols) <-chan string {
	t.Helper()
	answer := make(chan string, 1)
	go func() {
		transport := &http.Transport{Protocols: protocols}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, s.url, nil)
		if err != nil {
			answer <- err.Error()
			return
		}
		resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(req)
		if err != nil {
			answer <- "error: " + err.Error()
			return
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			answer <- "error: " + err.Error()
			return
		}
		answer <- string(body)
	}()
	return answer
}

func TestRequestsUnderWayAreAnsweredAtTheEnd(t *testing.T) {
	h1, h2 := new(http.Protocols), new(http.Protocols)
	h1.SetHTTP1(true)
	h2.SetUnencryptedHTTP2(true)
	for name, tc := range map[string]struct {
		server    Server
		protocols *http.Protocols
		answer    string
	}{
		"HTTP/1":                         {Server{}, h1, "\"HTTP/1.1\"\n"},
		"HTTP/1 where HTTP/2 is allowed": {Server{HTTP2: true}, h1, "\"HTTP/1.1\"\n"},
		"HTTP/2":                         {Server{HTTP2: true}, h2, "\"HTTP/2.0\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.server.Logger = zaptest.NewLogger(t)
			s := serve(t, tc.server)
			answer := s.ask(t, tc.protocols)
			<-s.asked
			s.end()
			close(s.release)
			require.Equal(t, tc.answer, <-answer)
			require.NoError(t, <-s.ended)
		})
	}
}

func TestARequestThatDoesNotEndIsCutOffAndLogged(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	s := serve(t, Server{Logger: zap.New(core), Drain: time.Millisecond})
	answer := s.ask(t, nil)
	<-s.asked
	s.end()
	require.NoError(t, <-s.ended)
	require.Contains(t, <-answer, "error: ")
	require.Equal(t, 1, logs.FilterMessage("requests were cut off at the end").Len())
}
