package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire are the ways in which HTTP carries a body.
func (f form) wire(t *testing.T, u *userService) {
	done := 200
	if f.path == "/create" {
		done = 201
	}
	for _, size := range []int{1, 7, 1000} {
		t.Run(fmt.Sprintf("in chunks of %d", size), func(t *testing.T) {
			l := u.line(t)
			require.Equal(t, done, l.send(t, f.ask, f.chunked(size)).Status)
			l.goesOn(t)
			q := f.with(f.value("1"))
			f.requireFault(t, l.send(t, q, q.chunked(size)), 400, "invalid_field", f.first)
			l.goesOn(t)
		})
	}
	for _, size := range []int{64<<10 + 1, 1 << 20} {
		t.Run(fmt.Sprintf("%d bytes in chunks", size), func(t *testing.T) {
			l := u.line(t)
			q := f.with(padded(f.body, size))
			f.requireFault(t, l.send(t, q, q.chunked(4096)), 413, "payload_too_large", "")
			l.goesOn(t)
		})
	}
	t.Run("after 100 Continue", func(t *testing.T) {
		for _, expect := range []struct {
			q      ask
			status int
		}{{f.ask, done}, {f.with("[]"), 400}, {f.with(padded(f.body, 64<<10+1)), 413}} {
			l := u.line(t)
			l.write(t, fmt.Sprintf("%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", expect.q.head(), len(expect.q.body)))
			resp, err := http.ReadResponse(l.in, nil)
			require.NoError(t, err)
			require.Equal(t, 100, resp.StatusCode)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, expect.status, l.send(t, expect.q, expect.q.body).Status)
			l.goesOn(t)
		}
	})
	t.Run("encoded", func(t *testing.T) { f.encoded(t, u) })
	t.Run("two at once", func(t *testing.T) {
		l := u.line(t)
		bad := f.with("{}")
		l.write(t, bad.whole()+f.whole()+bad.whole())
		f.requireFault(t, l.receive(t, bad), 400, "invalid_field", f.first)
		require.Equal(t, done, l.receive(t, f.ask).Status)
		f.requireFault(t, l.receive(t, bad), 400, "invalid_field", f.first)
		l.goesOn(t)
	})
	t.Run("framed wrongly", func(t *testing.T) { f.misframed(t, u) })
	t.Run("a body that ends too early", func(t *testing.T) {
		l := u.line(t)
		l.write(t, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", f.head(), len(f.body)+10, f.body))
		tcp, ok := l.conn.(*net.TCPConn)
		require.True(t, ok)
		require.NoError(t, tcp.CloseWrite())
		rest, err := io.ReadAll(l.in)
		require.NoError(t, err, "the connection is closed in order")
		require.NotContains(t, string(rest), "HTTP/1.1 2", "half a request is none")
	})
}

// misframed are requests that Envoy refuses.
func (f form) misframed(t *testing.T, u *userService) {
	parent := t // whose lines outlive the subtests
	var lines []*line
	for name, rest := range map[string]string{
		"a chunk without a length":     "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + f.body + "\r\n0\r\n\r\n",
		"a chunk of a negative length": "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + f.body + "\r\n0\r\n\r\n",
		"a negative length":            "Content-Length: -5\r\n\r\n" + f.body,
		"a length that is a word":      "Content-Length: " + marked + "\r\n\r\n" + f.body,
		"two lengths":                  fmt.Sprintf("Content-Length: 2\r\nContent-Length: %d\r\n\r\n%s", len(f.body), f.body),
		"a length and chunks":          fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%s", len(f.body), f.body),
		"a length beyond numbers":      "Content-Length: 99999999999999999999\r\n\r\n" + f.body,
	} {
		t.Run(name, func(t *testing.T) {
			l := u.line(parent)
			a := l.send(t, f.ask, f.head()+rest)
			if strings.Contains(rest, "chunked") && !strings.Contains(rest, "Content-Length") {
				f.requireFault(t, a, 400, "bad_request", "")
			} else { // the headers alone are refused: Envoy does not know yet what they ask for
				requireFault(t, a, 400, "bad_request", "")
			}
			require.True(t, l.closes, "where the next request begins is not known")
			lines = append(lines, l)
		})
	}
	for _, l := range lines { // Envoy gives each a second
		l.goesOn(t)
	}
}

// encoded: no header changes how a body is read (row U9).
func (f form) encoded(t *testing.T, u *userService) {
	l := u.line(t)
	for _, header := range []http.Header{
		{"Content-Type": {"text/plain"}},
		{"Content-Type": {"application/x-www-form-urlencoded"}},
		{"Content-Type": {"multipart/form-data; boundary=x"}},
		{"Content-Type": {"application/json; charset=utf-16"}},
		{"Content-Type": {marked}},
		{"Content-Encoding": {"gzip"}},
		{"Content-Encoding": {"br"}},
		{"Accept": {"text/html"}},
		{"Accept-Encoding": {"gzip"}},
		{"Content-Language": {"en"}},
		{"Content-Md5": {"x"}},
		{"Range": {"bytes=0-1"}},
	} {
		q := f.ask
		q.header = header
		a := l.ask(t, q)
		require.Less(t, a.Status, 300, "%v: %s", header, a)
		constantHeaders(t, a)
		l.goesOn(t)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(padded(f.body, 50<<20))) // a bomb: 50 MiB
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Less(t, zipped.Len(), 64<<10)
	q := f.with(zipped.String())
	q.header = http.Header{"Content-Encoding": {"gzip"}}
	f.requireFault(t, l.ask(t, q), 400, "invalid_json", "")
	l.goesOn(t)
}

// whole is the request as it is sent.
func (q ask) whole() string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", q.head(), len(q.body), q.body)
}

// chunked is the request with its body in chunks of so many bytes.
func (q ask) chunked(size int) string {
	var b strings.Builder
	b.WriteString(q.head() + "Transfer-Encoding: chunked\r\n\r\n")
	for rest := q.body; rest != ""; {
		n := min(size, len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}
