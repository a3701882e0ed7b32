package access

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// stream is a request under way whose answer has begun.
type stream struct{ body io.ReadCloser }

// streams serves the fixture's guard again, in front of a handler that answers until its request is over.
func (f *fixture) streams(t *testing.T) (url string, running *atomic.Int32) {
	t.Helper()
	running = new(atomic.Int32)
	f.guard.tokenCheck = time.Millisecond
	server := httptest.NewServer(f.guard.Handler(public(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		_, _ = io.WriteString(w, "open\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		<-r.Context().Done()
		running.Add(-1)
		_, _ = io.WriteString(w, "over\n")
	})))
	t.Cleanup(server.Close)
	return server.URL, running
}

// open sends a request and reads the beginning of its answer.
func (f *fixture) open(t *testing.T, url string, header map[string]string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, 200, resp.StatusCode)
	first := make([]byte, len("open\n"))
	_, err = io.ReadFull(resp.Body, first)
	require.NoError(t, err)
	return &stream{body: resp.Body}
}

// end is what is read until the end, which comes within the time that open has set.
func (s *stream) end(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(s.body)
	require.NoError(t, err)
	return string(rest)
}

// TestAStreamEndsWithWhatItCameWith: what ends it, and that another one goes on.
func TestAStreamEndsWithWhatItCameWith(t *testing.T) {
	cookie := func(c *http.Cookie) map[string]string { return map[string]string{"Cookie": c.Name + "=" + c.Value} }
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	const almost = 50 * time.Millisecond
	for name, tc := range map[string]struct {
		begin func(t *testing.T, f *fixture, p *userPool) map[string]string
		end   func(t *testing.T, f *fixture, header map[string]string)
	}{
		"a session that is signed out": {
			func(t *testing.T, f *fixture, _ *userPool) map[string]string {
				return cookie(f.signIn(t, map[string]string{"token": operatorToken}).cookie)
			},
			func(t *testing.T, f *fixture, header map[string]string) {
				require.Equal(t, 204, f.do(t, request{method: "DELETE", path: SessionPath, header: header}).status)
			},
		},
		"a session that is signed out by the form": {
			func(t *testing.T, f *fixture, _ *userPool) map[string]string {
				return cookie(f.signIn(t, map[string]string{"username": "viewers", "password": password}).cookie)
			},
			func(t *testing.T, f *fixture, header map[string]string) {
				require.Equal(t, 303, f.do(t, request{method: "POST", path: SignOutPath, header: header}).status)
			},
		},
		"a session in whose place another is opened": {
			func(t *testing.T, f *fixture, _ *userPool) map[string]string {
				return cookie(f.signIn(t, map[string]string{"token": viewerToken}).cookie)
			},
			func(t *testing.T, f *fixture, header map[string]string) {
				header["Content-Type"] = "application/json"
				require.Equal(t, 200, f.do(t, request{method: "POST", path: SessionPath, header: header, body: `{"token":"` + operatorToken + `"}`}).status)
			},
		},
		"a session that expires": {
			func(t *testing.T, f *fixture, _ *userPool) map[string]string {
				c := f.signIn(t, map[string]string{"username": "operators", "password": password}).cookie
				f.advance(sessionLife - almost)
				return cookie(c)
			},
			func(*testing.T, *fixture, map[string]string) {},
		},
		"a session whose token is withdrawn": {
			func(t *testing.T, f *fixture, _ *userPool) map[string]string {
				return cookie(f.signIn(t, map[string]string{"token": operatorToken}).cookie)
			},
			func(t *testing.T, f *fixture, _ map[string]string) {
				f.write(t, "vera viewer "+viewerToken)
				f.advance(fileAge)
			},
		},
		"a token of the file that is withdrawn": {
			func(*testing.T, *fixture, *userPool) map[string]string { return bearer(operatorToken) },
			func(t *testing.T, f *fixture, _ map[string]string) {
				f.write(t, "vera viewer "+viewerToken)
				f.advance(fileAge)
			},
		},
		"a token of the file that is given another role": {
			func(*testing.T, *fixture, *userPool) map[string]string { return bearer(operatorToken) },
			func(t *testing.T, f *fixture, _ map[string]string) {
				f.write(t, "olaf viewer "+operatorToken+"\nvera viewer "+viewerToken)
				f.advance(fileAge)
			},
		},
		"a token of the pool that expires": {
			func(t *testing.T, f *fixture, p *userPool) map[string]string {
				text := p.token(t, consoleClient, "operators")
				f.advance(time.Hour + time.Minute - almost) // with what the clocks may differ
				return bearer(text)
			},
			func(*testing.T, *fixture, map[string]string) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			pool := startPool(t, clock, "us-east-1_Operators")
			f := start(t, pool.configure(t, clock), func(c *Config) { c.Now = clock.now })
			f.clock = clock
			url, running := f.streams(t)
			header := tc.begin(t, f, pool)
			other := f.open(t, url, bearer(viewerToken))
			s := f.open(t, url, header)
			tc.end(t, f, header)
			require.Equal(t, "over\n", s.end(t))
			require.EqualValues(t, 1, running.Load(), "the other goes on")

			f.write(t, "")
			f.advance(fileAge)
			require.Equal(t, "over\n", other.end(t))
		})
	}
}

// TestARequestThatEndsLeavesNothing is TestMain's to find out: each of these had something that waits for its end.
func TestARequestThatEndsLeavesNothing(t *testing.T) {
	f := start(t)
	c := f.signIn(t, map[string]string{"token": operatorToken}).cookie
	for range 20 {
		require.Equal(t, 200, f.do(t, f.withCookie("GET", "/", c)).status)
		require.Equal(t, 200, f.do(t, bearerOf("GET", "/", "Bearer "+operatorToken)).status)
	}
}
