package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Free ports are taken from below the range that Linux (from 32768) and macOS (from 49152) use for outgoing connections:
// otherwise a port that was free a moment ago could be the local end of somebody's connection when its server starts.
const (
	firstPort = 20000
	lastPort  = 32000
)

// Port is a TCP port of 127.0.0.1 that no other user of this package gets until it is released or this program ends. Nothing
// listens on it: it is for a process that is started with it, and started again.
type Port struct {
	Number int

	lock *os.File
	once sync.Once
}

// ReservePort finds a free port.
func ReservePort() (*Port, error) { return reservePort(firstPort, lastPort) }

// reservePort finds a free port, from first up to but without last.
func reservePort(first, last int) (*Port, error) {
	dir := filepath.Join(os.TempDir(), "adsidecar-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	start := rand.IntN(last - first)
	for i := range last - first {
		p := &Port{Number: first + (start+i)%(last-first)}
		lock, err := TryLock(filepath.Join(dir, strconv.Itoa(p.Number)))
		if errors.Is(err, ErrLocked) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reserve a port: %w", err)
		}
		p.lock = lock
		if CheckPort(p.Number) == nil {
			return p, nil
		}
		p.Release()
	}
	return nil, fmt.Errorf("reserve a port: all of %d to %d are taken", first, last-1)
}

// Address is 127.0.0.1 with the port.
func (p *Port) Address() string { return address(p.Number) }

// URL is http://127.0.0.1 with the port.
func (p *Port) URL() string { return "http://" + p.Address() }

// Release gives the port back. Releasing it twice does nothing.
func (p *Port) Release() {
	p.once.Do(func() {
		if p.lock != nil {
			_ = p.lock.Close() // closing frees the lock
		}
	})
}

// forkedFor bounds how long a child that is being started keeps the copies of open files that it got from this program.
const forkedFor = 5 * time.Second

// Listen listens on a TCP address whose port may just have been closed by this program. A child that is being started has every open file
// until its own program runs, and a port that it has is taken: so one that is taken is tried again for a moment.
func Listen(address string) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(context.Background(), forkedFor)
	defer cancel()
	var l net.Listener
	var failed error
	err := Poll(ctx, func(context.Context) error {
		if l, failed = net.Listen("tcp", address); errors.Is(failed, syscall.EADDRINUSE) {
			return failed
		}
		return nil // it listens, or never will
	})
	if err != nil {
		return nil, err
	}
	return l, failed
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// CheckPort returns an error if something listens on the TCP port, on whichever address. The error names
// the holder where the system tells it.
func CheckPort(port int) error {
	// Both are tried. macOS lets a specific address be bound beside the wildcard, and requests would go either way; and whoever
	// listens on ::1 gets the requests for localhost.
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		switch {
		case err == nil:
			_ = l.Close() // nobody has connected to it
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("port %d is taken%s", port, heldBy(port))
		default:
			return fmt.Errorf("port %d cannot be used: %w", port, err)
		}
	}
	return nil
}

// heldBy is " by NAME (process N)" if it can be found out, else the command that tells.
func heldBy(port int) string {
	if name, pid, ok := portHolder(port); ok {
		return fmt.Sprintf(" by %s (process %d)", name, pid)
	}
	return fmt.Sprintf(" (who has it: lsof -nP -iTCP:%d -sTCP:LISTEN)", port)
}
