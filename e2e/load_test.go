package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// A load sends requests to one Envoy until it is stopped. Each of its connections is kept open, sends one request after the other,
// and has each answer checked. Failures are counted, and the first of them remembered.
type load struct {
	envoy   *stack.Envoy
	options loadOptions
	conns   []*loadConn
	halt    func() // closes halted, once
	halted  chan struct{}
	ended   sync.WaitGroup
	closed  float64 // connections that Envoy had closed before

	mu       sync.Mutex
	requests int
	failed   int
	reopened int
	texts    []string
	slowest  time.Duration
}

// loadConn is a connection of a load.
type loadConn struct {
	n      int
	worker string // of Envoy: connections stay with theirs
	client *http.Client
	dials  atomic.Int64
	failed int // guarded by the load
}

type loadOptions struct {
	// Token is sent with each request; Path is what is asked for.
	Token, Path string
	// Connections is how many there are at least; more are opened until there are two on each of Envoy's workers. 0: 4.
	Connections int
	// Pause is between two requests of a connection. 0: 5 ms.
	Pause time.Duration
	// Ask is called right before a request, with the number of its connection, and returns what checks the answer. Nil: every answer
	// must be a 200.
	Ask func(conn int) func(*stack.Answer) error
}

// startLoad opens all connections, one request on each, and goes on with them in the background. The load ends with the test at the latest.
func startLoad(t *testing.T, e *stack.Envoy, o loadOptions) *load {
	t.Helper()
	if o.Connections == 0 {
		o.Connections = 4
	}
	if o.Pause == 0 {
		o.Pause = 5 * time.Millisecond
	}
	if o.Ask == nil {
		o.Ask = func(int) func(*stack.Answer) error { return wantStatus(http.StatusOK) }
	}
	l := &load{envoy: e, options: o, halted: make(chan struct{})}
	l.halt = sync.OnceFunc(func() { close(l.halted) })
	t.Cleanup(func() {
		l.halt()
		l.ended.Wait()
		for _, c := range l.conns {
			c.client.CloseIdleConnections()
		}
	})
	l.closed = closedConnections(t, e)
	l.open(t)
	for _, c := range l.conns {
		l.ended.Add(1)
		go l.run(c)
	}
	return l
}

// open opens connections until each worker has two. The kernel chooses the worker, so it may take some more than asked for.
func (l *load) open(t *testing.T) {
	t.Helper()
	perWorker := map[string]int{}
	before := workerConnections(t, l.envoy)
	for enough := false; !enough; {
		require.Less(t, len(l.conns), 64, "connections, and not two on each worker: %v", perWorker)
		c := &loadConn{n: len(l.conns)}
		dialer := net.Dialer{Timeout: 10 * time.Second}
		c.client = &http.Client{Transport: &http.Transport{
			MaxConnsPerHost: 1,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if c.dials.Add(1) > 1 {
					l.reopen(c)
				}
				return dialer.DialContext(ctx, network, address)
			},
		}}
		l.conns = append(l.conns, c)
		l.send(c)
		after := workerConnections(t, l.envoy)
		for worker, n := range after {
			perWorker[worker] += 0
			if n > before[worker] {
				c.worker = worker
			}
		}
		require.NotEmpty(t, c.worker, "no worker has taken the connection: %v, %v", before, l.texts)
		before = after
		perWorker[c.worker]++
		enough = len(l.conns) >= l.options.Connections
		for _, n := range perWorker {
			enough = enough && n >= 2
		}
	}
}

// workerConnections is how many connections each worker has taken since its start.
func workerConnections(t *testing.T, e *stack.Envoy) map[string]int {
	t.Helper()
	workers := map[string]int{}
	for series, value := range envoyStats(t, e) {
		if strings.HasPrefix(series, "envoy_listener_worker_downstream_cx_total{") && strings.Contains(series, `envoy_listener_address="public"`) {
			workers[series] = int(value)
		}
	}
	require.NotEmpty(t, workers)
	return workers
}

// closedConnections is how many connections of games Envoy has closed of itself.
func closedConnections(t *testing.T, e *stack.Envoy) float64 {
	t.Helper()
	n, ok := envoyStats(t, e)[`envoy_http_downstream_cx_destroy_local{envoy_http_conn_manager_prefix="public"}`]
	require.True(t, ok)
	return n
}

func (l *load) run(c *loadConn) {
	defer l.ended.Done()
	pace := time.NewTicker(l.options.Pause)
	defer pace.Stop()
	for {
		select {
		case <-l.halted:
			return
		case <-pace.C:
			l.send(c)
		}
	}
}

// send sends one request and notes what came of it.
func (l *load) send(c *loadConn) {
	check := l.options.Ask(c.n)
	began := time.Now()
	a, err := l.do(c, nil)
	took := time.Since(began)
	if err == nil {
		err = check(a)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	l.slowest = max(l.slowest, took)
	if err != nil {
		l.failed++
		c.failed++
		l.remember("connection %d: %v", c.n, err)
	}
}

// reopen notes that the client opened a connection again, which it does when Envoy has closed it, and sometimes by itself on a busy machine.
func (l *load) reopen(c *loadConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reopened++
	l.remember("connection %d was opened again", c.n)
}

func (l *load) remember(format string, args ...any) {
	if len(l.texts) < 10 {
		l.texts = append(l.texts, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// do sends one request with these headers besides, name by value, and does not count it.
func (l *load) do(c *loadConn, headers map[string]string) (*stack.Answer, error) {
	// Not the test's context: a request that is under way when the load is stopped has not failed.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.envoy.BaseURL+l.options.Path, nil)
	if err != nil {
		return nil, err
	}
	if l.options.Token != "" {
		req.Header.Set("Authorization", "Bearer "+l.options.Token)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.Close {
		return nil, errors.New("this answer was the last on its connection")
	}
	return &stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// String is how many requests there were so far, how many failed, and the first of those.
func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	path, _, _ := strings.Cut(l.options.Path, "?")
	text := fmt.Sprintf("%s: %d requests on %d connections, %d failed, %d connections opened again, the slowest took %s",
		path, l.requests, len(l.conns), l.failed, l.reopened, l.slowest.Round(time.Millisecond))
	if len(l.texts) > 0 {
		text += "; the first:\n" + strings.Join(l.texts, "\n")
	}
	return text
}

// progress returns when each connection could have had n more answers; it fails the test if they do not come.
func (l *load) progress(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.requests
	}
	want := count() + n*len(l.conns)
	eventually(t, 60*time.Second, func(context.Context) error {
		if got := count(); got < want {
			return fmt.Errorf("%d of %d requests answered", got, want)
		}
		return nil
	})
}

// unharmed stops the load and checks that no request has failed, and that Envoy has closed no connection: the client repeats a request
// by itself when its connection was closed under it, so a failure could hide there.
func (l *load) unharmed(t *testing.T) {
	t.Helper()
	l.halt()
	l.ended.Wait()
	require.Zero(t, l.failed, l)
	require.Equal(t, l.closed, closedConnections(t, l.envoy), l)
	t.Log(l)
}

// wantStatus checks an answer's status alone.
func wantStatus(status int) func(*stack.Answer) error {
	return func(a *stack.Answer) error {
		if a.Status != status {
			return fmt.Errorf("want status %d, got %s", status, a)
		}
		return nil
	}
}

// wantAd checks that an answer is one of these ads, and nothing else.
func wantAd(ids ...string) func(*stack.Answer) error {
	return func(a *stack.Answer) error {
		got, err := a.Ad()
		if err != nil {
			return err
		}
		for _, id := range ids {
			if want := ad(id, "", "").VideoURL; got == (stack.Ad{ID: id, URL: want, VideoURL: want}) {
				return nil
			}
		}
		return fmt.Errorf("want one of %q, got %s", ids, a)
	}
}

// always is an Ask that checks every answer in one way.
func always(check func(*stack.Answer) error) func(int) func(*stack.Answer) error {
	return func(int) func(*stack.Answer) error { return check }
}
