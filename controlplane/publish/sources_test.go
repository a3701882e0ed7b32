package publish_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/source"
)

// These tests run the Loop on the real sources: a server on a port of 127.0.0.1 and a file.

const (
	oneAd  = `{"ads":[{"id":"a","video_url":"https://v/a","country":"us","lang":"eng","start_hour":0,"end_hour":24}]}`
	twoAds = `{"ads":[{"id":"a","video_url":"https://v/a","country":"us","lang":"eng","start_hour":0,"end_hour":24},` +
		`{"id":"b","video_url":"https://v/b","country":"us","lang":"eng","start_hour":0,"end_hour":24}]}`
	noAds = `{"ads":[]}`

	patience = time.Minute
	tick     = 5 * time.Millisecond
)

var (
	_ publish.Resumer = (*source.HTTP)(nil)
	_ publish.Resumer = (*source.File)(nil)
	_ publish.Source  = (*source.HTTP)(nil)
	_ publish.Source  = (*source.File)(nil)
)

// origin is a campaign server whose behaviour can be replaced while it runs.
type origin struct {
	mu       sync.Mutex
	handler  http.HandlerFunc
	statuses *[]int // of the handler's answers
	url      string
	server   *httptest.Server
}

func newOrigin(t *testing.T, handler http.HandlerFunc) *origin {
	t.Helper()
	o := &origin{handler: handler, statuses: new([]int)}
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		h, statuses := o.handler, o.statuses
		o.mu.Unlock()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		h(recorder, r)
		o.mu.Lock()
		defer o.mu.Unlock()
		*statuses = append(*statuses, recorder.status)
	}))
	o.url = o.server.URL
	t.Cleanup(o.server.Close)
	return o
}

func (o *origin) serve(handler http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handler, o.statuses = handler, new([]int) // a request under way is answered by the one before, and counts there
}

func (o *origin) answered() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]int{}, *o.statuses...)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// document serves text with an ETag of its own.
func document(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+compactTag(text)+`"`)
		http.ServeContent(w, r, "campaigns.json", time.Time{}, strings.NewReader(text))
	}
}

func compactTag(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, text)
}

// sink takes every index.
type sink struct {
	mu        sync.Mutex
	ads       []int
	published string
}

func (s *sink) Published() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.published
}

func (s *sink) Acknowledged(string) bool { return false }

func (s *sink) Publish(index *compile.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ads = append(s.ads, index.Ads)
	s.published = index.Version
	return nil
}

func (s *sink) taken() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int{}, s.ads...)
}

// run starts a Loop that polls every 20 ms and returns it with its sink and what stops it.
func run(t *testing.T, src publish.Source, stateDir string) (*publish.Loop, *sink, func()) {
	t.Helper()
	return runWith(t, publish.Config{Source: src, StateDir: stateDir, Interval: 20 * time.Millisecond})
}

func runWith(t *testing.T, cfg publish.Config) (*publish.Loop, *sink, func()) {
	t.Helper()
	s := &sink{}
	cfg.Sink, cfg.Logger = s, zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	loop, err := publish.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return loop, s, stop
}

func httpSource(t *testing.T, url string) *source.HTTP {
	t.Helper()
	h, err := source.NewHTTP(source.HTTPConfig{URL: url, Timeout: 5 * time.Second})
	require.NoError(t, err)
	return h
}

func awaitAds(t *testing.T, s *sink, want ...int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.taken()) >= len(want) }, patience, tick)
	require.Equal(t, want, s.taken())
}

func awaitResult(t *testing.T, loop *publish.Loop, want string, failures int) publish.Status {
	t.Helper()
	var s publish.Status
	require.Eventually(t, func() bool {
		s = loop.Status()
		return s.Source.LastResult == want && s.Source.ConsecutiveFailures >= failures
	}, patience, tick)
	return s
}

func TestLoopOverHTTPKeepsTheLastGoodIndex(t *testing.T) {
	const gibibyte = 1 << 30
	zeros := make([]byte, 1<<20)
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(zeros)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	zipped := buf.Bytes()
	tests := map[string]struct {
		handler http.HandlerFunc
		timeout time.Duration
		result  string
		text    string
	}{
		"when the server answers 500": {
			handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
			result:  "error", text: ": status 500",
		},
		"when it answers HTML": {
			handler: document("<!doctype html><title>Sign in</title>"),
			result:  "unusable", text: "document: line 1, column 1: ",
		},
		"when the document is truncated": {
			handler: document(oneAd[:60]),
			result:  "unusable", text: "document: line 1, column 61: ",
		},
		"when it hangs": {
			handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			timeout: 100 * time.Millisecond,
			result:  "error", text: ": timed out after 100ms",
		},
		"when it sends a gibibyte of zeros": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				for range gibibyte / len(zeros) {
					if _, err := w.Write(zeros); err != nil {
						return
					}
				}
			},
			result: "too_large", text: ": larger than 1048576 bytes",
		},
		"when it sends a gibibyte of zeros gzipped": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				for range gibibyte / len(zeros) {
					if _, err := w.Write(zipped); err != nil {
						return
					}
				}
			},
			result: "too_large", text: ": larger than 1048576 bytes",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, document(oneAd))
			src, err := source.NewHTTP(source.HTTPConfig{URL: o.url, Timeout: tt.timeout, MaxBytes: 1 << 20})
			require.NoError(t, err)
			loop, s, _ := run(t, src, t.TempDir())
			awaitAds(t, s, 1)

			o.serve(tt.handler)
			status := awaitResult(t, loop, tt.result, 1)
			require.Contains(t, status.Source.Error, tt.text)
			require.Equal(t, 1, status.Index.Ads)
			require.True(t, loop.Ready())

			o.serve(document(twoAds))
			awaitAds(t, s, 1, 2)
			// Not at once: a server that answers may be too slow for the short timeout now and then.
			require.Eventually(t, func() bool { return loop.Status().Source.Error == "" }, patience, tick)
		})
	}
}

func TestLoopOverHTTPEmptiesTheIndex(t *testing.T) {
	o := newOrigin(t, document(oneAd))
	loop, s, _ := run(t, httpSource(t, o.url), "")
	awaitAds(t, s, 1)
	o.serve(document(noAds))
	awaitAds(t, s, 1, 0)
	require.True(t, loop.Ready())
}

func TestLoopOverHTTPStaysUnusableOver304(t *testing.T) {
	o := newOrigin(t, document(oneAd))
	loop, s, _ := run(t, httpSource(t, o.url), "")
	awaitAds(t, s, 1)
	awaitResult(t, loop, "not_modified", 0)

	o.serve(document("<html>"))
	status := awaitResult(t, loop, "unusable", 4)
	require.Contains(t, status.Source.Error, "document: line 1")
	require.Equal(t, []int{http.StatusOK, http.StatusNotModified, http.StatusNotModified}, o.answered()[:3])
}

func TestLoopOverHTTPRestartsWithADeadSource(t *testing.T) {
	o, dir := newOrigin(t, document(twoAds)), t.TempDir()
	first, s, stop := run(t, httpSource(t, o.url), dir)
	awaitAds(t, s, 2)
	require.Eventually(t, func() bool { return !first.Status().State.SavedAt.IsZero() }, patience, tick)
	stop()
	o.server.Close()

	second, s, _ := run(t, httpSource(t, o.url), dir)
	awaitAds(t, s, 2)
	status := awaitResult(t, second, "error", 2)
	require.True(t, status.Source.ServedFromDisk)
	require.Contains(t, status.Source.Error, "connection refused")
	require.Equal(t, first.Status().Index.Version, status.Index.Version)
}

func TestLoopOverHTTPRestartAsksConditionally(t *testing.T) {
	o, dir := newOrigin(t, document(twoAds)), t.TempDir()
	first, s, stop := run(t, httpSource(t, o.url), dir)
	awaitAds(t, s, 2)
	require.Eventually(t, func() bool { return !first.Status().State.SavedAt.IsZero() }, patience, tick)
	stop()

	o.serve(document(twoAds))
	second, s, _ := run(t, httpSource(t, o.url), dir)
	status := awaitResult(t, second, "not_modified", 0)
	require.False(t, status.Source.ServedFromDisk)
	require.Equal(t, http.StatusNotModified, o.answered()[0])
	require.Equal(t, []int{2}, s.taken())
}

func TestLoopOverHTTPIgnoresTheDocumentOfAnotherURL(t *testing.T) {
	o, dir := newOrigin(t, document(twoAds)), t.TempDir()
	first, s, stop := run(t, httpSource(t, o.url+"/a"), dir)
	awaitAds(t, s, 2)
	require.Eventually(t, func() bool { return !first.Status().State.SavedAt.IsZero() }, patience, tick)
	stop()

	o.serve(http.NotFound)
	second, s, _ := run(t, httpSource(t, o.url+"/b"), dir)
	status := awaitResult(t, second, "error", 2)
	require.Empty(t, s.taken())
	require.Equal(t, "it is of another source: "+o.url+"/a", status.State.Ignored)
}

func TestLoopOnAFileFollowsItAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "campaigns.json")
	src, err := source.NewFile(source.FileConfig{Path: path})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	// Nothing but the watch makes the second poll and those after it in time.
	loop, s, _ := runWith(t, publish.Config{Source: src, Interval: time.Hour})

	status := awaitResult(t, loop, "error", 1)
	require.Contains(t, status.Source.Error, path)
	require.NoError(t, os.WriteFile(path, []byte(oneAd), 0o600))
	awaitAds(t, s, 1)
	require.NoError(t, os.WriteFile(path, []byte(twoAds[:50]), 0o600))
	awaitResult(t, loop, "unusable", 1)
	require.NoError(t, os.WriteFile(path+".new", []byte(twoAds), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	awaitAds(t, s, 1, 2)
}
