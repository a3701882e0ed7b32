package source

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A relay passes connections on. One that was made before cut carries nothing any more, and is not closed either: so behaves a
// connection whose other host or a firewall in between has forgotten it.
type relay struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	conns []net.Conn
	dead  map[net.Conn]bool
	pipes sync.WaitGroup
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{listener: listener, to: to, dead: map[net.Conn]bool{}}
	r.pipes.Go(r.accept)
	t.Cleanup(func() {
		_ = listener.Close() // accept ends
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close() // may be closed
		}
		r.mu.Unlock()
		r.pipes.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		from, err := r.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = from.Close() // tells the caller
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, from, to)
		r.mu.Unlock()
		r.pipes.Go(func() { r.pipe(from, to) })
		r.pipes.Go(func() { r.pipe(to, from) })
	}
}

func (r *relay) pipe(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		dead := r.dead[from]
		r.mu.Unlock()
		switch {
		case dead && err == nil:
			continue
		case err != nil:
			_ = to.Close() // may be closed
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		r.dead[c] = true
	}
}

func TestHTTPLeavesADeadConnection(t *testing.T) {
	for name, protocol := range map[string]string{"HTTP/1.1": "HTTP/1.1", "HTTP/2": "HTTP/2.0"} {
		t.Run(name, func(t *testing.T) {
			var served []string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				served = append(served, r.Proto)
				_, _ = io.WriteString(w, document+time.Now().String())
			}))
			server.EnableHTTP2 = protocol == "HTTP/2.0"
			server.StartTLS()
			t.Cleanup(server.Close)
			r := startRelay(t, server.Listener.Addr().String())
			h := newHTTP(t, HTTPConfig{
				URL: "https://" + r.listener.Addr().String() + "/", Timeout: patience, CAFile: tempFile(t, certificate(server)),
			})
			pollText(t, h)
			before := h.transport
			r.cut()
			h.timeout = 300 * time.Millisecond // of what does not come at all
			require.ErrorContains(t, pollError(t, h), "timed out after 300ms")
			h.timeout = patience // a new connection is as slow as the machine
			pollText(t, h)
			require.NotSame(t, before, h.transport, "whether an old one still has the connection is a matter of luck")
			require.Equal(t, []string{protocol, protocol}, served)
		})
	}
}
