package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/revision"
)

// upload is an import whose document a test sends piece by piece.
type upload struct {
	*io.PipeWriter

	answer chan *http.Response
}

func (h *harness) upload(t *testing.T, path, accept string) *upload {
	t.Helper()
	read, write := io.Pipe()
	req := h.newRequest(t, request{method: "POST", path: path})
	req.Body, req.ContentLength = read, -1
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	u := &upload{PipeWriter: write, answer: make(chan *http.Response, 1)}
	go func() {
		res, err := h.client.Do(req)
		if err != nil {
			_ = read.CloseWithError(err)
			close(u.answer)
			return
		}
		u.answer <- res
	}()
	t.Cleanup(func() { _ = write.Close() })
	return u
}

// events reads lines, each of which must be as the document has it.
type events struct {
	t *testing.T
	*bufio.Scanner
}

func (e events) next() apiv1.ImportEvent {
	e.t.Helper()
	require.True(e.t, e.Scan(), "%v", e.Err())
	doc, err := description()
	require.NoError(e.t, err)
	var v any
	require.NoError(e.t, json.Unmarshal(e.Bytes(), &v))
	require.NoError(e.t, doc.Components.Schemas["ImportEvent"].Value.VisitJSON(v))
	return decoded[apiv1.ImportEvent](e.t, reply{body: e.Bytes()})
}

// until returns the first line that is wanted.
func (e events) until(want func(apiv1.ImportEvent) bool) apiv1.ImportEvent {
	e.t.Helper()
	for {
		if next := e.next(); want(next) {
			return next
		}
	}
}

func (e events) end() {
	e.t.Helper()
	require.False(e.t, e.Scan(), "%s", e.Text())
	require.NoError(e.t, e.Err())
}

// slow is a history that stores when a test says so.
type slow struct {
	History

	write chan struct{}
}

func (s *slow) Apply(ctx context.Context, c revision.ChangeSet) (revision.Revision, error) {
	if c.Kind == revision.Import {
		c.Progress(0, 2)
		<-s.write
		c.Progress(1, 2)
		<-s.write
	}
	return s.History.Apply(ctx, c)
}

// Lines come while the document is on its way and while it is stored, also beyond the server's time for writing; the last has the answer.
func TestAnImportTellsOfItsProgress(t *testing.T) {
	writer := &slow{write: make(chan struct{})}
	h := start(t, func(c *Config) {
		writer.History = c.History
		c.History = writer
	})
	handler, err := Handler(Config{History: writer, Publisher: h.publisher, Fleet: h.fleet})
	require.NoError(t, err)
	h.url = impatient(t, handler).URL
	u := h.upload(t, "/document", "application/x-ndjson")
	first := `{"ads":[` + plain("a", "")
	_, err = io.WriteString(u, first)
	require.NoError(t, err)
	res := <-u.answer
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "application/x-ndjson", res.Header.Get("Content-Type"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	lines := events{t, bufio.NewScanner(res.Body)}
	lines.until(func(e apiv1.ImportEvent) bool {
		return *e.Progress == apiv1.ImportProgress{Phase: "receive", Done: int64(len(first))}
	})
	began := time.Now()
	for time.Since(began) < 2*impatience { // what the server gives other requests
		_, err = io.WriteString(u, "\n")
		require.NoError(t, err)
		lines.next()
	}
	_, err = io.WriteString(u, `,`+plain("b", "")+`]}`)
	require.NoError(t, err)
	require.NoError(t, u.Close())
	for n := range int64(2) {
		lines.until(func(e apiv1.ImportEvent) bool {
			return e.Progress != nil && *e.Progress == apiv1.ImportProgress{Phase: "store", Done: n, Total: 2}
		})
		writer.write <- struct{}{}
	}
	last := lines.until(func(e apiv1.ImportEvent) bool { return e.Progress == nil })
	require.Equal(t, uint64(1), last.Result.Revision)
	require.Equal(t, 2, last.Result.Diff.Added)
	lines.end()
}

// What fails after the first line is the last line: the very answer that it would have been.
func TestAnImportThatFailsInLines(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"a document that is none": {"/document", `{"ads":[`, 422},
		"one with findings":       {"/document", `{"ads":[{"id":"x"}]}`, 422},
		"one that cannot be served": {
			"/document?dry_run=true", `{"ads":[` + plain(".", "") + `]}`, 422,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plain := h.send(t, request{method: "POST", path: c.path, body: c.body})
			require.Equal(t, c.status, plain.status)
			got := h.send(t, request{method: "POST", path: c.path, body: c.body, header: map[string]string{"Accept": "application/json;q=0.1, Application/X-NDJSON; q=1"}})
			require.Equal(t, 200, got.status)
			lines := events{t, bufio.NewScanner(strings.NewReader(string(got.body)))}
			last := lines.until(func(e apiv1.ImportEvent) bool { return e.Progress == nil })
			require.Equal(t, c.status, last.Error.Status)
			require.JSONEq(t, string(plain.body), string(last.Error.Body))
			lines.end()
		})
	}
	for name, q := range map[string]request{
		"a parameter":    {path: "/document?dry_run=maybe"},
		"a viewer":       {path: "/document", who: vera},
		"another accept": {path: "/document?x=1"},
	} {
		q.method, q.body, q.header = "POST", `{"ads":[]}`, map[string]string{"Accept": "application/x-ndjson"}
		require.Contains(t, []int{400, 403}, h.send(t, q).status, name+": what is wrong with the request itself has its own status")
	}
	got := h.send(t, request{method: "POST", path: "/document", body: `{"ads":[]}`, header: map[string]string{"Accept": "application/json, */*"}})
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
}

// The log's line of a change names the outcome also where the answer had to begin before it was known.
func TestTheLogTellsHowAnImportInLinesEnded(t *testing.T) {
	h := start(t, nil)
	broken := &failing{History: h.history, loaded: true}
	handler, err := Handler(Config{History: broken, Publisher: h.publisher, Fleet: h.fleet})
	require.NoError(t, err)
	core, logs := observer.New(zap.InfoLevel)
	guard, err := access.New(access.Config{
		Address: "127.0.0.1:1", LocalUser: func(netip.AddrPort, netip.AddrPort) string { return "" }, Logger: zap.New(core),
	})
	require.NoError(t, err)
	served := guard.Handler(http.NewServeMux(), handler)
	for name, c := range map[string]struct {
		body   string
		err    error
		panics bool
		failed any // nil: nothing failed
	}{
		"that changes nothing":    {body: `{"ads":[]}`},
		"of a bad document":       {body: `{"ads":[{}]}`, failed: int64(422)},
		"of no document":          {body: `{"ads":[`, failed: int64(422)},
		"without a store":         {body: `{"ads":[` + plain("a", "") + `]}`, err: revision.ErrUnavailable, failed: int64(503)},
		"that failed within":      {body: `{"ads":[` + plain("a", "") + `]}`, err: errors.New("secret"), failed: int64(500)},
		"that ended with a panic": {body: `{"ads":[` + plain("a", "") + `]}`, panics: true, failed: int64(500)},
	} {
		t.Run(name, func(t *testing.T) {
			broken.err, broken.panics = c.err, c.panics
			r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/document", strings.NewReader(c.body))
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Accept", linesType)
			w := httptest.NewRecorder()
			func() {
				defer func() { require.Equal(t, c.panics, recover() != nil) }()
				served.ServeHTTP(w, r)
			}()
			require.Equal(t, 200, w.Code, "%s", w.Body)
			entries := logs.TakeAll()
			require.Len(t, entries, 1)
			line := entries[0].ContextMap()
			require.Equal(t, "change", entries[0].Message)
			require.Equal(t, int64(200), line["status"])
			require.Equal(t, c.failed, line["failed_status"])
		})
	}
}

// recorder notes how often it is flushed.
type recorder struct {
	*httptest.ResponseRecorder

	flushed int
}

func (r *recorder) Flush() { r.flushed++ }

// Lines are five a second at most, however fast the work is, and none while it stands still; each is flushed.
func TestLinesAreNotTooMany(t *testing.T) {
	for name, c := range map[string]struct{ step, lines int }{
		"fast work":              {1, 4},
		"work that stands still": {0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock jumps
				w := &recorder{ResponseRecorder: httptest.NewRecorder()}
				r := &call{Request: httptest.NewRequest(http.MethodPost, "/", http.NoBody), w: w, s: &server{}}
				began := time.Now()
				require.NoError(t, r.answerInLines(func(p *progress) (apiv1.Imported, error) {
					for n := 1; time.Since(began) < 700*time.Millisecond; n += c.step {
						p.at(apiv1.Checking, n, 0)
						<-time.After(time.Millisecond)
					}
					return apiv1.Imported{}, errBusy
				}))
				require.Equal(t, c.lines, strings.Count(w.Body.String(), "\n"), "in 0.7 s")
				require.Equal(t, c.lines, w.flushed)
				require.Contains(t, w.Body.String(), `{"error":{"status":503,"body":{"message":"Another large request is under way. Try again.","code":"busy"}}}`)
			})
		})
	}
}

// Nobody reads the lines any more: the work goes on to its end, or to that of the request.
func TestNobodyReadsTheLines(t *testing.T) {
	w := &brokenWriter{ResponseWriter: httptest.NewRecorder()}
	c := &call{Request: httptest.NewRequest(http.MethodPost, "/", http.NoBody), w: w, s: &server{}}
	p, end := &progress{}, make(chan struct{})
	defer close(end)
	p.at(apiv1.Checking, 1, 2)
	c.tell(p, end)
	require.Equal(t, 1, w.tries)
}

type brokenWriter struct {
	http.ResponseWriter

	tries int
}

func (w *brokenWriter) Write([]byte) (int, error) { w.tries++; return 0, errors.New("gone") }

// Documents that are slow to arrive keep neither diffs nor others' imports waiting, but there are only so many of them.
func TestSlowUploads(t *testing.T) {
	h := start(t, nil)
	version := h.publisher.Status().Index.Version
	uploads := make([]*upload, maxUploads)
	for n := range uploads {
		uploads[n] = h.upload(t, "/document", "application/x-ndjson")
		_, err := io.WriteString(uploads[n], `{"ads":[`+plain(fmt.Sprintf("u%d", n), ""))
		require.NoError(t, err)
		if n > 0 {
			continue
		}
		// While one is on its way, another is imported.
		h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `]}`})
	}
	answers := make([]*http.Response, len(uploads))
	for n, u := range uploads {
		answers[n] = <-u.answer
	}
	got := h.must(t, 503, request{method: "POST", path: "/document", body: `{"ads":[]}`})
	require.Equal(t, "busy", codeOf(t, got))
	require.Equal(t, "1", got.header.Get("Retry-After"))
	h.must(t, 200, request{method: "GET", path: "/versions/" + version + "/diff/" + version, who: vera})
	for n, u := range uploads {
		_, err := io.WriteString(u, "]}")
		require.NoError(t, err)
		require.NoError(t, u.Close())
		lines := events{t, bufio.NewScanner(answers[n].Body)}
		require.NotNil(t, lines.until(func(e apiv1.ImportEvent) bool { return e.Progress == nil }).Result)
		require.NoError(t, answers[n].Body.Close())
	}
	h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[]}`})
	require.Equal(t, uint64(3), h.history.State().Rows.Revision())
}

// Documents that have arrived wait while one is stored. They count among those on their way: not ever more are kept.
func TestDocumentsThatWait(t *testing.T) {
	writer := &slow{write: make(chan struct{})}
	h := start(t, func(c *Config) {
		writer.History = c.History
		c.History = writer
	})
	send := func(id string) events {
		res, err := h.client.Do(h.newRequest(t, request{
			method: "POST", path: "/document", body: `{"ads":[` + plain(id, "") + `]}`, header: map[string]string{"Accept": "application/x-ndjson"},
		}))
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		require.Equal(t, 200, res.StatusCode)
		return events{t, bufio.NewScanner(res.Body)}
	}
	streams := []events{send("first")}
	streams[0].until(func(e apiv1.ImportEvent) bool { return e.Progress.Phase == "store" })
	for n := range maxUploads {
		streams = append(streams, send(fmt.Sprint(n)))
	}
	require.Equal(t, "busy", codeOf(t, h.must(t, 503, request{method: "POST", path: "/document", body: `{"ads":[]}`})))
	for range 2 * len(streams) {
		writer.write <- struct{}{}
	}
	for _, lines := range streams {
		require.NotNil(t, lines.until(func(e apiv1.ImportEvent) bool { return e.Progress == nil }).Result)
	}
	h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[]}`})
}

func TestSlots(t *testing.T) {
	s := make(slots, 1)
	require.NoError(t, s.enter())
	require.ErrorIs(t, s.enter(), errBusy)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.wait(ended), errBusy)
	var waiting sync.WaitGroup
	waiting.Go(func() { _ = s.wait(t.Context()) })
	s.leave()
	waiting.Wait()
	require.ErrorIs(t, s.enter(), errBusy, "who waited has it")
}
