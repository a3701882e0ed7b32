package main

import (
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that stands still makes late all requests that were due meanwhile, not only the one that it had.
func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	const still = 300 * time.Millisecond
	goOn := make(chan struct{})
	var first sync.Once
	address := answering(t, func(n int, _ *http.Request) string {
		if n > 0 {
			first.Do(func() { time.AfterFunc(still, func() { close(goOn) }) })
			<-goOn
		}
		return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
	})
	took, err := openLoop(address, []string{"t"}, []path{{path: "/", status: 200}}, 1000, still+100*time.Millisecond)
	require.NoError(t, err)
	require.InDelta(t, 400, len(took), 120, "as many as were due")
	require.Greater(t, percentile(took, 50), still/5, "not only those that were on their way")
	require.GreaterOrEqual(t, percentile(took, 100), still*9/10)
}

func TestAWrongAnswerEndsAnOpenLoop(t *testing.T) {
	address := answering(t, func(n int, _ *http.Request) string {
		if n > 0 {
			return "HTTP/1.1 503 No\r\ncontent-length: 3\r\n\r\nbad"
		}
		return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
	})
	_, err := openLoop(address, []string{"t"}, []path{{path: "/", status: 200}}, 2000, time.Second)
	require.ErrorContains(t, err, "status 503: bad")
}

func TestAServerThatSaysNothingEndsAnOpenLoop(t *testing.T) {
	address := answering(t, func(int, *http.Request) string { return "" })
	began := time.Now()
	_, err := openLoop(address, []string{"t"}, []path{{path: "/", status: 200}}, 100, 100*time.Millisecond)
	require.ErrorIs(t, err, errOpenTimeout)
	require.GreaterOrEqual(t, time.Since(began), openTimeout)
}

func TestTheInstrumentAnswersAtOnce(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = serveInstrument(t.Context(), listener) }() // it ends with the test
	took, err := openLoop(listener.Addr().String(), []string{"t"}, []path{{path: "/", status: 200}}, 1000, 200*time.Millisecond)
	require.NoError(t, err)
	require.InDelta(t, 200, len(took), 80)
}

func TestAProcessIsPinnedAndSetFree(t *testing.T) {
	cpus, every, err := allowedCPUs()
	require.NoError(t, err)
	require.NotEmpty(t, cpus)
	defer func() { require.NoError(t, pin(os.Getpid(), every)) }()
	last := cpus[len(cpus)-1]
	require.NoError(t, pin(os.Getpid(), oneCPU(last)))
	now, _, err := allowedCPUs()
	require.NoError(t, err)
	require.Equal(t, []int{last}, now)
	require.Error(t, pin(-1, every))
}
