package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"adsidecar/e2e/bench/workload"
	"adsidecar/e2e/stack"
)

const (
	// standingConnections are open at least: more, until each worker has standingPerWorker.
	standingConnections = 16
	standingPerWorker   = 2
	// standingPace is between the times at which a connection's requests are due.
	standingPace = 10 * time.Millisecond
	// standingKeys are asked for in turn: those with the most ads, which have one at any hour.
	standingKeys = 50
	// answerTimeout bounds a request. A later answer is a failed request.
	answerTimeout = 10 * time.Second
)

// standing are connections that stay open while documents are pushed. Each sends a request every standingPace, whether or not Envoy was
// quick to answer the last ones: a request that is late because others were slow counts from when it was due. The connections' times
// are spread evenly over the pace. A connection that breaks is not opened again; the others go on.
type standing struct {
	conns   []*standingConn
	workers []string // all of Envoy's, in order
	halt    func()   // closes halted, once
	halted  chan struct{}
	ended   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a connection was answered with a newer revision, or failed
	samples []pushSample
	failed  int
	first   error // of those that failed
}

// standingConn is one connection. The kernel has given it to one worker, with which it stays.
type standingConn struct {
	worker   string
	conn     net.Conn
	in       *bufio.Reader
	requests [][]byte

	// Guarded by standing's mutex.
	revision uint32    // of the newest answer
	since    time.Time // of the first answer of it
	broken   bool
}

// pushSample is one answered request.
type pushSample struct {
	due  time.Time
	took time.Duration // since then
}

// standingRequests are what the connections send.
func standingRequests(token string) [][]byte {
	var all [][]byte
	for _, key := range workload.AllKeys(workload.Standard(0).Seed)[:standingKeys] {
		all = append(all, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", stack.AdPath(key.Country, key.Lang), token))
	}
	return all
}

// stand opens the connections, one after the other, as Envoy's counters then show which worker has taken each.
func stand(ctx context.Context, e *stack.Envoy, token string, workers int) (*standing, error) {
	s := &standing{halted: make(chan struct{}), changed: make(chan struct{})}
	s.halt = sync.OnceFunc(func() { close(s.halted) })
	if err := s.open(ctx, e, standingRequests(token), workers); err != nil {
		s.close()
		return nil, err
	}
	began := time.Now()
	for i, c := range s.conns {
		s.ended.Add(1)
		go s.run(c, i, began.Add(time.Duration(i)*standingPace/time.Duration(len(s.conns))))
	}
	return s, nil
}

func (s *standing) open(ctx context.Context, e *stack.Envoy, requests [][]byte, workers int) error {
	before, err := workerConnections(ctx, e)
	if err != nil {
		return err
	}
	for worker := range before {
		s.workers = append(s.workers, worker)
	}
	slices.Sort(s.workers)
	if len(s.workers) != workers {
		return fmt.Errorf("envoy counts the connections of %d workers, not of %d", len(s.workers), workers)
	}
	for len(s.conns) < standingConnections || !s.cover() {
		if len(s.conns) > 64*workers {
			return errors.New("the kernel gives connections to some workers only")
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(e.BaseURL, "http://"))
		if err != nil {
			return err
		}
		c := &standingConn{conn: conn, in: bufio.NewReader(conn), requests: requests}
		s.conns = append(s.conns, c)
		if _, err := c.ask(0); err != nil {
			return err
		}
		after, err := workerConnections(ctx, e)
		if err != nil {
			return err
		}
		for worker, n := range after {
			if n > before[worker] {
				c.worker = worker
			}
		}
		before = after
	}
	return nil
}

// cover tells whether each worker has enough connections.
func (s *standing) cover() bool {
	have := map[string]int{}
	for _, c := range s.conns {
		have[c.worker]++
	}
	return !slices.ContainsFunc(s.workers, func(worker string) bool { return have[worker] < standingPerWorker })
}

// workerConnections is how many connections each worker has taken since Envoy's start.
func workerConnections(ctx context.Context, e *stack.Envoy) (map[string]float64, error) {
	all, err := e.Stats(ctx)
	if err != nil {
		return nil, err
	}
	workers := map[string]float64{}
	for series, value := range all {
		if strings.HasPrefix(series, "envoy_listener_worker_downstream_cx_total{") && strings.Contains(series, `envoy_listener_address="public"`) {
			workers[series] = value
		}
	}
	return workers, nil
}

// errWrongAnswer is a failed request after which the connection is as good as before.
var errWrongAnswer = errors.New("wrong answer")

// ask sends a request and returns the revision of the answer.
func (c *standingConn) ask(n int) (uint32, error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.requests[n%len(c.requests)]); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if res.Close {
		return 0, fmt.Errorf("status %d: envoy ends the connection", res.StatusCode)
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%w: status %d: %.200s", errWrongAnswer, res.StatusCode, body)
	}
	revision, err := revisionOf(body)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errWrongAnswer, err)
	}
	return revision, nil
}

// run sends the requests of one connection until the connections are halted, or the connection is broken.
func (s *standing) run(c *standingConn, n int, due time.Time) {
	defer s.ended.Done()
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for ; ; n++ {
		select {
		case <-s.halted:
			return
		case <-timer.C:
		}
		revision, err := c.ask(n)
		if !s.note(c, due, revision, err) {
			return
		}
		due = due.Add(standingPace)
		timer.Reset(time.Until(due))
	}
}

// note keeps what came of a request, and tells whether the connection can go on.
func (s *standing) note(c *standingConn, due time.Time, revision uint32, err error) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, pushSample{due: due, took: now.Sub(due)})
	if err == nil && revision < c.revision {
		err = fmt.Errorf("%w: of revision %d after one of %d", errWrongAnswer, revision, c.revision)
	}
	switch {
	case err != nil:
		s.failed++
		if s.first == nil {
			s.first = fmt.Errorf("%s: %w", now.Format(time.TimeOnly), err)
		}
		c.broken = !errors.Is(err, errWrongAnswer)
	case revision > c.revision || c.since.IsZero():
		c.revision, c.since = revision, now
	default:
		return true
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return !c.broken
}

// wait returns, once all connections that are not broken were answered with the revision, when each worker has first done that, in the
// workers' order. It is an error if a worker has no connection left.
func (s *standing) wait(ctx context.Context, revision uint32) ([]time.Time, error) {
	for {
		s.mu.Lock()
		firsts, changed, err := s.firsts(revision)
		s.mu.Unlock()
		if err != nil || firsts != nil {
			return firsts, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for answers of revision %d: %w", revision, ctx.Err())
		}
	}
}

// firsts has no times while a connection has not been answered with the revision; the channel tells when to look again. The caller holds mu.
func (s *standing) firsts(revision uint32) (times []time.Time, changed <-chan struct{}, err error) {
	all := make([]time.Time, len(s.workers))
	whole := true
	alive := make([]bool, len(s.workers))
	for _, c := range s.conns {
		if c.broken {
			continue
		}
		worker := slices.Index(s.workers, c.worker)
		alive[worker] = true
		if c.revision < revision || c.since.IsZero() {
			whole = false
			continue
		}
		if all[worker].IsZero() || c.since.Before(all[worker]) {
			all[worker] = c.since
		}
	}
	if i := slices.Index(alive, false); i >= 0 {
		return nil, nil, fmt.Errorf("all connections of %s are broken; the first failure: %w", s.workers[i], s.first)
	}
	if !whole {
		return nil, s.changed, nil
	}
	return all, s.changed, nil
}

// taken returns the samples since the last call.
func (s *standing) taken() []pushSample {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.samples
	s.samples = nil
	return all
}

// failures is how many requests have failed, and the first error.
func (s *standing) failures() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed, s.first
}

func (s *standing) close() {
	s.halt()
	s.ended.Wait()
	for _, c := range s.conns {
		_ = c.conn.Close() // nothing is under way on it
	}
}
