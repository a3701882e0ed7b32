package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/client"
)

// askTime is how long the API may take for what a page shows.
const askTime = 30 * time.Second

// newClient is a client of a handler of this process, which it asks as who asks for a page: see [asking].
func newClient(api http.Handler, log *zap.Logger) (*client.Client, error) {
	return client.New(client.Config{
		Server: "http://console.invalid", Transport: inProcess{api, log}, Timeout: askTime,
		Attempts: 1, // a page that says what is wrong, and is live, is better than one that waits
	})
}

// asker is the request for a page, and its answer, of whose connection the API may move the deadlines.
type asker struct {
	w http.ResponseWriter
	r *http.Request
}

type askerKey struct{}

// asking returns r with a context in which the API is asked as r's sender: with the identity that the context has, and the credentials
// that came with r.
func asking(w http.ResponseWriter, r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), askerKey{}, asker{w, r}))
}

// inProcess carries requests to a handler of this process. It runs in a goroutine of its own, so that an answer can be read while it is
// being written; closing the answer waits for its end.
type inProcess struct {
	handler http.Handler
	log     *zap.Logger
}

// passed are the headers of the request for a page that the API may look at. None of them leaves this process.
var passed = []string{"Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "User-Agent"}

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	from, ok := r.Context().Value(askerKey{}).(asker)
	if !ok {
		return nil, errors.New("the API is asked for nobody")
	}
	r = r.Clone(r.Context())
	r.Host, r.RemoteAddr, r.TLS = from.r.Host, from.r.RemoteAddr, from.r.TLS
	for _, name := range passed {
		if values := from.r.Header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}
	if r.Body == nil {
		r.Body = http.NoBody // which a handler may read
	}
	in, out := io.Pipe()
	w := &answer{
		from: http.NewResponseController(from.w), header: http.Header{}, body: out, begun: make(chan struct{}), over: make(chan struct{}),
	}
	go t.serve(w, r)
	<-w.begun // the handler sees to it that it honours the context
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &answerBody{in, w.over}, ContentLength: -1, Request: r,
	}, nil
}

// serve runs the handler. What it panics with is no reason to end the program, as it is none where net/http runs it.
func (t inProcess) serve(w *answer, r *http.Request) {
	defer close(w.over)
	defer func() {
		var end error
		if p := recover(); p != nil {
			end = errors.New("the API broke its answer off")
			if p != http.ErrAbortHandler { //nolint:errorlint,err113 // what was panicked with, as net/http looks at it
				t.log.Error("panic in the API", zap.String("panic", fmt.Sprint(p)), zap.ByteString("stack", debug.Stack()))
			}
		}
		_ = r.Body.Close() // of the request for the page, whose server closes it
		_ = w.body.CloseWithError(end)
		if end == nil {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	}()
	t.handler.ServeHTTP(w, r)
}

// answer is the http.ResponseWriter of the API's handler.
type answer struct {
	from   *http.ResponseController // of the answer that the page will be
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	begun  chan struct{} // is closed once status and sent are set
	over   chan struct{} // is closed when the handler has returned
	status int
	sent   http.Header
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// What follows is for http.ResponseController.

// FlushError sends what is written, which a pipe has done.
func (a *answer) FlushError() error {
	a.WriteHeader(http.StatusOK)
	return nil
}

// EnableFullDuplex lets the handler write before it has read, which a pipe always does.
func (a *answer) EnableFullDuplex() error { return nil }

// SetReadDeadline is that of the connection which the page is asked for on.
func (a *answer) SetReadDeadline(t time.Time) error { return a.from.SetReadDeadline(t) }

// SetWriteDeadline is likewise.
func (a *answer) SetWriteDeadline(t time.Time) error { return a.from.SetWriteDeadline(t) }

// answerBody is what the handler writes. Closing it tells the handler that nobody reads on.
type answerBody struct {
	*io.PipeReader

	over <-chan struct{}
}

// Close waits for the handler, which may use the request for the page until then.
func (b *answerBody) Close() error {
	err := b.PipeReader.Close()
	<-b.over
	return err
}

// comment is why the change of a form is made.
func comment(r *http.Request) string { return strings.TrimSpace(r.PostForm.Get("comment")) }
