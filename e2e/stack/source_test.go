package stack

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const document = `{"ads":[{"id":"a","video_url":"https://v/a"}]}`

func startSource(t *testing.T, c SourceConfig) *Source {
	t.Helper()
	s, err := StartSource(c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// get asks the source as a poller does, with a raw body: no transparent decompression.
func get(t *testing.T, ctx context.Context, url string, header map[string]string) (*http.Response, error) { //nolint:revive // t first
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}).Do(req)
	if err == nil {
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

func TestSourceAnswersConditionalRequests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "campaigns.json")
	require.NoError(t, os.WriteFile(file, []byte(document), 0o600))
	modified := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	require.NoError(t, os.Chtimes(file, modified, modified))
	s := startSource(t, SourceConfig{File: file})

	first, err := get(t, within(t, patience), s.URL(), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(first.Body)
	require.NoError(t, err)
	require.Equal(t, document, string(body))
	require.Equal(t, "Mon, 04 May 2026 03:02:01 GMT", first.Header.Get("Last-Modified"))
	etag := first.Header.Get("ETag")
	require.NotEmpty(t, etag)

	again, err := get(t, within(t, patience), s.URL(), map[string]string{"If-None-Match": etag})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotModified, again.StatusCode)
	since, err := get(t, within(t, patience), s.URL(), map[string]string{"If-Modified-Since": first.Header.Get("Last-Modified")})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotModified, since.StatusCode)

	require.NoError(t, ReplaceFile(file, []byte(`{"ads":[]}`), 0o600))
	changed, err := get(t, within(t, patience), s.URL(), map[string]string{"If-None-Match": etag})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, changed.StatusCode)
	require.NotEqual(t, etag, changed.Header.Get("ETag"))

	require.NoError(t, Poll(within(t, patience), func(context.Context) error {
		if s.Counts().Answers < 4 {
			return io.ErrNoProgress
		}
		return nil
	}))
	counts := s.Counts()
	require.Equal(t, 4, counts.Requests)
	require.Equal(t, 2, counts.NotModified)
	require.Equal(t, int64(len(document)+len(`{"ads":[]}`)), counts.Bytes)
}

func TestSourceModes(t *testing.T) {
	for name, c := range map[string]struct {
		mode   SourceMode
		status int
		check  func(t *testing.T, res *http.Response)
	}{
		"fails": {SourceFails, http.StatusInternalServerError, nil},
		"html": {SourceHTML, http.StatusOK, func(t *testing.T, res *http.Response) {
			require.Equal(t, "text/html", res.Header.Get("Content-Type"))
		}},
		"truncated": {SourceTruncated, http.StatusOK, func(t *testing.T, res *http.Response) {
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err, "the length matches: only the JSON is cut")
			require.False(t, json.Valid(body))
			require.Equal(t, document[:len(body)], string(body))
		}},
		"gzip": {SourceServesGzip, http.StatusOK, func(t *testing.T, res *http.Response) {
			z, err := gzip.NewReader(res.Body)
			require.NoError(t, err)
			body, err := io.ReadAll(z)
			require.NoError(t, err)
			require.Equal(t, document, string(body))
		}},
		"zeros": {SourceZeros, http.StatusOK, func(t *testing.T, res *http.Response) {
			body, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
			require.NoError(t, err)
			require.Equal(t, make([]byte, 8<<20), body)
		}},
		"zeros in gzip": {SourceZerosGzip, http.StatusOK, func(t *testing.T, res *http.Response) {
			z, err := gzip.NewReader(res.Body)
			require.NoError(t, err)
			body, err := io.ReadAll(io.LimitReader(z, 8<<20))
			require.NoError(t, err)
			require.Equal(t, make([]byte, 8<<20), body)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSource(t, SourceConfig{Body: []byte(document)})
			s.SetMode(c.mode)
			res, err := get(t, within(t, patience), s.URL(), nil)
			require.NoError(t, err)
			require.Equal(t, c.status, res.StatusCode)
			if c.check != nil {
				c.check(t, res)
			}
		})
	}
}

func TestZerosEndWhenTheReaderIsGone(t *testing.T) {
	s := startSource(t, SourceConfig{Body: []byte(document)})
	s.SetMode(SourceZeros)
	res, err := get(t, within(t, patience), s.URL(), nil)
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, res.Body, 1<<20)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.NoError(t, Poll(within(t, patience), func(context.Context) error {
		if s.Counts().Answers == 0 {
			return io.ErrNoProgress
		}
		return nil
	}))
	require.Less(t, s.Counts().Bytes, int64(zeros/2))
}

func TestSourceHangsUntilTheModeChanges(t *testing.T) {
	s := startSource(t, SourceConfig{Body: []byte(document)})
	s.SetMode(SourceHangs)
	_, err := get(t, within(t, 100*time.Millisecond), s.URL(), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	answered := make(chan int, 1)
	go func() {
		status, _, err := fetch(context.Background(), s.URL()) // ends with the source
		if err != nil {
			status = 0
		}
		answered <- status
	}()
	require.NoError(t, s.WaitRequests(within(t, patience), 1))
	s.SetMode(SourceServes)
	require.Equal(t, http.StatusOK, <-answered)
}

func TestSourceStallsInTheMiddle(t *testing.T) {
	s := startSource(t, SourceConfig{Body: []byte(document)})
	s.SetMode(SourceStalls)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	res, err := get(t, ctx, s.URL(), nil)
	require.NoError(t, err)
	half := make([]byte, len(document)/2)
	_, err = io.ReadFull(res.Body, half)
	require.NoError(t, err)
	require.Equal(t, document[:len(half)], string(half))
	s.SetMode(SourceServes)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestSourceServesANewBody(t *testing.T) {
	s := startSource(t, SourceConfig{Body: []byte(document)})
	s.SetMode(SourceFails)
	s.SetBody([]byte(`{"ads":[]}`))
	status, body, err := fetch(within(t, patience), s.URL())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, `{"ads":[]}`, string(body))
}
