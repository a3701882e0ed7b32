package stack

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReservedPortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		p, err := ReservePort()
		require.NoError(t, err)
		t.Cleanup(p.Release)
		require.False(t, seen[p.Number], "port %d was given twice", p.Number)
		seen[p.Number] = true
		l, err := net.Listen("tcp", p.Address())
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func TestPortsAreReservedOnce(t *testing.T) {
	// Above those that ReservePort gives to other tests and programs.
	for range 2 {
		p, err := reservePort(lastPort, lastPort+2)
		require.NoError(t, err)
		t.Cleanup(p.Release)
	}
	_, err := reservePort(lastPort, lastPort+2)
	require.ErrorContains(t, err, "all of 32000 to 32001 are taken")
}

func TestReservedPortIsLockedForOtherProgramsUntilReleased(t *testing.T) {
	p, err := ReservePort()
	require.NoError(t, err)
	file := filepath.Join(os.TempDir(), "adsidecar-ports-"+strconv.Itoa(os.Getuid()), strconv.Itoa(p.Number))
	_, err = TryLock(file)
	require.ErrorIs(t, err, ErrLocked)
	p.Release()
	p.Release()
	l, err := TryLock(file)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestTakenPortIsNamed(t *testing.T) {
	hosts := map[string]string{"on the loopback address": "127.0.0.1", "on all addresses": ""}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // not every container has IPv6
		require.NoError(t, l.Close())
		hosts["on the IPv6 loopback address"] = "::1"
	}
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
			port := l.Addr().(*net.TCPAddr).Port
			err = CheckPort(port)
			require.ErrorContains(t, err, "port "+strconv.Itoa(port)+" is taken")
			if runtime.GOOS == "linux" {
				require.ErrorContains(t, err, "by stack.test (process "+strconv.Itoa(os.Getpid())+")")
			}
			require.NoError(t, l.Close())
			require.NoError(t, CheckPort(port))
		})
	}
}

// TestAPortThatAChildStillHasIsWaitedFor: closing a listener does not free its port while somebody has a copy of it.
func TestAPortThatAChildStillHasIsWaitedFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tcp, ok := l.(*net.TCPListener)
	require.True(t, ok)
	copied, err := tcp.File()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = net.Listen("tcp", l.Addr().String())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	time.AfterFunc(10*pollFirst, func() { _ = copied.Close() })
	again, err := Listen(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, again.Close())
	_, err = Listen("192.0.2.1:1")
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL, "what never will be is an error at once")
}
