package stack

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// SourceMode is what a campaign source does.
type SourceMode int

// The modes of a [Source].
const (
	SourceServes     SourceMode = iota // the document, with ETag and Last-Modified; 304 where it is known
	SourceServesGzip                   // the same compressed
	SourceFails                        // status 500
	SourceHTML                         // a page of HTML with status 200, as a login proxy sends it
	SourceTruncated                    // the first half of the document, with status 200 and a matching length
	SourceHangs                        // takes the request and does not answer
	SourceStalls                       // sends headers and half of the document, then nothing
	SourceZeros                        // 1 GiB of zero bytes
	SourceZerosGzip                    // the same compressed, to 1 MiB
)

// zeros is how many zero bytes SourceZeros sends.
const zeros = 1 << 30

// SourcePath is the document's path.
const SourcePath = "/campaigns.json"

// SourceConfig says what a source serves: the file, read at each request, so it may be replaced at any time (by rename, or a
// reader could see half of it), or Body.
type SourceConfig struct {
	File string
	Body []byte
	// Port on 127.0.0.1. 0: a free one.
	Port int
}

// Source is an HTTP server of a campaign document that can be broken. It is safe for concurrent use.
type Source struct {
	port     *Port // nil if the port was given
	listener net.Listener
	server   *http.Server

	mu       sync.Mutex
	mode     SourceMode
	file     string
	body     []byte
	modified time.Time
	counts   SourceCounts
	changed  chan struct{} // closed and replaced at each answer and change
	closed   bool
}

// SourceCounts is what a source has seen.
type SourceCounts struct {
	// Requests are those that came in; Answers those that have ended in any way.
	Requests, Answers int
	// NotModified are the answers with status 304.
	NotModified int
	// Bytes is the sum of all bodies, as sent.
	Bytes int64
}

// StartSource starts a source.
func StartSource(c SourceConfig) (*Source, error) {
	s := &Source{file: c.File, body: c.Body, modified: time.Now(), changed: make(chan struct{})}
	number := c.Port
	if number == 0 {
		port, err := ReservePort()
		if err != nil {
			return nil, err
		}
		s.port, number = port, port.Number
	}
	l, err := Listen(address(number))
	if err != nil {
		if s.port != nil {
			s.port.Release()
		}
		return nil, fmt.Errorf("start campaign source: %w", err)
	}
	s.listener = l
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 5 * time.Second}
	go serve(s.server, l)
	return s, nil
}

// URL is the document's.
func (s *Source) URL() string { return "http://" + s.listener.Addr().String() + SourcePath }

// SetBody serves this document from now on, in the mode SourceServes.
func (s *Source) SetBody(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, s.body, s.modified, s.mode = "", body, time.Now(), SourceServes
	s.notify()
}

// SetMode changes what the source does. Requests that hang are answered in the new way; those that stall are cut off.
func (s *Source) SetMode(m SourceMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
	s.notify()
}

// Counts is what it has seen so far.
func (s *Source) Counts() SourceCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// WaitRequests returns when n more requests than at the call have come in. For polls that have been dealt with wait for one
// more than that: a poller sends the next when it has finished with the last.
func (s *Source) WaitRequests(ctx context.Context, n int) error {
	want := s.Counts().Requests + n
	for {
		s.mu.Lock()
		got, changed := s.counts.Requests, s.changed
		s.mu.Unlock()
		if got >= want {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for poll %d, have %d: %w", want, got, ctx.Err())
		}
	}
}

// Close ends it.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	s.notify()
	s.mu.Unlock()
	_ = s.server.Close() // it is down either way
	if s.port != nil {
		s.port.Release()
	}
}

func (s *Source) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Source) serve(out http.ResponseWriter, r *http.Request) {
	if r.URL.Path != SourcePath {
		http.NotFound(out, r)
		return
	}
	w := &countingWriter{ResponseWriter: out}
	s.mu.Lock()
	s.counts.Requests++
	s.notify()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.counts.Answers++
		s.counts.Bytes += w.bytes
		if w.status == http.StatusNotModified {
			s.counts.NotModified++
		}
		s.notify()
	}()
	mode := s.settled(r.Context())
	body, modified, err := s.document()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	switch mode {
	case SourceServes, SourceServesGzip:
		serveDocument(w, r, body, modified, mode == SourceServesGzip)
	case SourceHTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title><p>Please sign in to continue.")
	case SourceTruncated:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body[:len(body)/2])
	case SourceStalls:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(out).Flush()
		s.wait(r.Context(), SourceStalls)
	case SourceZeros:
		w.Header().Set("Content-Type", "application/json")
		writeZeros(w)
	case SourceZerosGzip:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		writeZeros(z)
		_ = z.Close() // the client may be gone, which is what it should do
	default:
		http.Error(w, "broken on purpose", http.StatusInternalServerError)
	}
}

// settled is the mode that a request is answered in. While that is to hang, it waits.
func (s *Source) settled(ctx context.Context) SourceMode { return s.wait(ctx, SourceHangs) }

// wait returns the mode when it is another than m, or when ctx or the source has ended.
func (s *Source) wait(ctx context.Context, m SourceMode) SourceMode {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mode == m && !s.closed && ctx.Err() == nil {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	return s.mode
}

func (s *Source) document() ([]byte, time.Time, error) {
	s.mu.Lock()
	file, body, modified := s.file, s.body, s.modified
	s.mu.Unlock()
	if file == "" {
		return body, modified, nil
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, time.Time{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, time.Time{}, err
	}
	return body, info.ModTime(), nil
}

func serveDocument(w http.ResponseWriter, r *http.Request, body []byte, modified time.Time, compress bool) {
	sum := sha256.Sum256(body)
	etag := hex.EncodeToString(sum[:8])
	if compress {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // into memory
		_ = z.Close()
		body, etag = b.Bytes(), etag+"-gzip"
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", modified, bytes.NewReader(body)) // answers If-None-Match and If-Modified-Since
}

// writeZeros ends early when the client is gone.
func writeZeros(w io.Writer) {
	chunk := make([]byte, 64<<10)
	for range zeros / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}
