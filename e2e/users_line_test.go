package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// line is one HTTP/1.1 connection to Envoy where no client library corrects what is sent.
type line struct {
	u      *userService
	conn   net.Conn
	in     *bufio.Reader
	closes bool // the last answer said that the connection ends
}

// line connects; the connection ends with the test.
func (u *userService) line(t *testing.T) *line {
	t.Helper()
	l := &line{u: u}
	l.connect(t)
	t.Cleanup(func() { _ = l.conn.Close() }) // it may be closed
	return l
}

func (l *line) connect(t *testing.T) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", strings.TrimPrefix(l.u.BaseURL(), "http://"))
	require.NoError(t, err)
	l.conn, l.in, l.closes = conn, bufio.NewReader(conn), false
}

// head is the request line and the headers of q, without those of its body and the empty line.
func (q ask) head() string {
	h := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gateway.example\r\n", q.method, q.path)
	for name, values := range q.headers() {
		for _, value := range values {
			h += name + ": " + value + "\r\n"
		}
	}
	return h
}

// ask sends a request as it is.
func (l *line) ask(t *testing.T, q ask) *stack.Answer {
	t.Helper()
	return l.send(t, q, q.whole())
}

// send sends text, which is q in another form, and holds its answer against the OpenAPI document.
func (l *line) send(t *testing.T, q ask, text string) *stack.Answer {
	t.Helper()
	l.write(t, text)
	return l.receive(t, q)
}

func (l *line) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, l.conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, _ = io.WriteString(l.conn, text) // a request that is refused half way is answered all the same
}

func (l *line) receive(t *testing.T, q ask) *stack.Answer {
	t.Helper()
	resp, err := http.ReadResponse(l.in, &http.Request{Method: q.method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	l.closes = resp.Close
	a := &stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	l.u.contract.check(t, q, a)
	return a
}

// goesOn: the connection is good for the next request, or was closed, as the last answer said.
func (l *line) goesOn(t *testing.T) {
	t.Helper()
	if !l.closes {
		require.Equal(t, 200, l.ask(t, ask{method: "GET", path: "/health"}).Status)
		return
	}
	_, err := l.in.ReadByte()
	require.Error(t, err, "nothing follows the last answer")
	require.NoError(t, l.conn.Close())
	l.connect(t)
	require.Equal(t, 200, l.ask(t, ask{method: "GET", path: "/health"}).Status)
}
