package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHostileServers: whatever answers, a call ends with an error that says so, and keeps no more than it may.
func TestHostileServers(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		err     string
	}{
		"a page of another server":        {answer(200, "<html>"), "the answer is not one of this API: invalid character '<'"},
		"no body":                         {answer(200, ""), "the answer is not one of this API: unexpected end of JSON input"},
		"half a value":                    {answer(200, `{"version":`), "the answer is not one of this API: unexpected end"},
		"two values":                      {answer(200, `{} {}`), "the answer is not one of this API: invalid character '{' after top-level value"},
		"another type":                    {answer(200, `{"version":7}`), "cannot unmarshal number"},
		"an error that is none of ours":   {answer(500, "panic: "+secret), "the server answered with status 500 Internal Server Error"},
		"an error that repeats the token": {answer(400, `{"code":"no","message":"`+secret+` is no token"}`), "[token] is no token (no, status 400)"},
		"an error without end":            {endless(400), "the server answered with status 400 Bad Request"},
		"an answer without end":           {endless(200), "the answer is larger than 4096 bytes"},
		"another place": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}, "the server answered with status 302 Found"},
		"headers without end": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<17)) }, "server response headers exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, tc.handler)
			c.limit = 4096
			_, err := c.Fleet(t.Context())
			require.ErrorContains(t, err, tc.err)
			require.NotContains(t, err.Error(), secret)
		})
	}
	t.Run("a list that does not advance", func(t *testing.T) {
		for _, page := range []string{`{"items":[{}],"next":"x"}`, `{"items":[],"next":"x"}`} {
			c, _ := newClient(t, answer(200, page))
			var last error
			pages := 0
			for _, err := range c.Revisions(t.Context(), 0) {
				pages, last = pages+1, err
			}
			require.ErrorContains(t, last, "the list goes on and does not advance")
			require.LessOrEqual(t, pages, 2)
		}
	})
}

func endless(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		for chunk := bytes.Repeat([]byte(" "), 1<<16); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

// slow is a transport to a server that stands still: with the document after its beginning, and then as body says, with all else at once.
type slow struct{ body io.Reader }

// RoundTrip implements http.RoundTripper.
func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/document" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := io.MultiReader(s.body, untilDone(r.Context().Done()))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

// untilDone has nothing to read until it is closed.
type untilDone <-chan struct{}

// Read implements io.Reader.
func (u untilDone) Read([]byte) (int, error) {
	<-u
	return 0, net.ErrClosed
}

// newSlowClient is for a bubble of synctest, whose clock jumps.
func newSlowClient(t *testing.T, body io.Reader) *Client {
	t.Helper()
	c, err := New(Config{
		Server: "http://localhost:1", Token: secret, Transport: slow{body}, Timeout: 30 * time.Second, Silence: 5 * time.Minute,
	})
	require.NoError(t, err)
	return c
}

func TestSlowServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSlowClient(t, strings.NewReader(`{"ads":[`))
		took := func(want time.Duration, call func()) {
			t.Helper()
			began := time.Now()
			call()
			require.Equal(t, want, time.Since(began))
		}
		took(30*time.Second, func() {
			_, err := c.Fleet(t.Context())
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "/api/v1/fleet: no answer within 30s")
		})
		took(5*time.Minute, func() {
			var out bytes.Buffer
			n, err := c.Export(t.Context(), "", &out)
			require.ErrorContains(t, err, "ended after 8 bytes, which are not the whole document: nothing was heard for 5m0s")
			require.EqualValues(t, 8, n)
			require.Equal(t, `{"ads":[`, out.String())
		})
		took(5*time.Minute, func() {
			_, err := c.Import(t.Context(), strings.NewReader("{}"), ImportOptions{})
			require.ErrorContains(t, err, "nothing was heard for 5m0s")
		})
		took(0, func() {
			gone := errors.New("the operator has gone")
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(gone)
			_, err := c.Fleet(ctx)
			require.ErrorIs(t, err, gone)
		})
	})
}

// TestExportIsWhole: one that the server breaks off is an error, whatever came before.
func TestExportIsWhole(t *testing.T) {
	broken := false
	c, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ads":[]}`)
		w.(http.Flusher).Flush()
		if broken {
			panic(http.ErrAbortHandler)
		}
	})
	var out bytes.Buffer
	n, err := c.Export(t.Context(), "", &out)
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
	require.Equal(t, `{"ads":[]}`, out.String())
	broken = true
	_, err = c.Export(t.Context(), "", io.Discard)
	require.ErrorContains(t, err, "which are not the whole document")
}

// TestASlowStreamGoesOn: what is bounded is the silence, not the time that a document takes.
func TestASlowStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chunks, pace = 5, 4 * time.Minute
		began := time.Now()
		c := newSlowClient(t, &paced{left: chunks, pace: pace})
		n, err := c.Export(t.Context(), "", io.Discard)
		require.ErrorContains(t, err, "nothing was heard for 5m0s", "at its end")
		require.EqualValues(t, chunks, n)
		require.Equal(t, chunks*pace+5*time.Minute, time.Since(began))
	})
}

// paced has one byte after each pause.
type paced struct {
	left int
	pace time.Duration
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	p.left--
	<-time.After(p.pace)
	return copy(b, " "), nil
}
