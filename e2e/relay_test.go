package e2e

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A relay is an address whose other end can be changed, as a load balancer's is: it passes TCP connections on.
type relay struct {
	address string

	mu     sync.Mutex
	target string
	open   map[net.Conn]struct{} // both ends
	closed bool
}

// startRelay starts a relay that leads nowhere: connections to it are closed at once.
func startRelay(t *testing.T) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{address: l.Addr().String(), open: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			running.Go(func() { r.pass(conn) })
		}
	})
	t.Cleanup(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		_ = l.Close() // it is over either way
		r.to("")
		running.Wait()
	})
	return r
}

// to leads new connections to another address, and closes those that there are.
func (r *relay) to(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	for conn := range r.open {
		_ = conn.Close() // its reader ends
	}
	clear(r.open)
}

func (r *relay) pass(from net.Conn) {
	defer from.Close() //nolint:errcheck // closed on purpose too
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	if target == "" {
		return
	}
	to, err := net.Dial("tcp", target)
	if err != nil {
		return // refused there, closed here
	}
	defer to.Close() //nolint:errcheck // as above
	r.mu.Lock()
	if r.closed || r.target != target {
		r.mu.Unlock()
		return
	}
	r.open[from], r.open[to] = struct{}{}, struct{}{}
	r.mu.Unlock()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // the end of one way is the end of both
			ended <- struct{}{}
		}()
	}
	<-ended
	_, _ = from.Close(), to.Close()
	<-ended
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, from)
	delete(r.open, to)
}
