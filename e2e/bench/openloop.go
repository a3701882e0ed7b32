package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// openConnections are more than are ever busy at half load: a request that finds none free waits, and its wait counts.
const openConnections = 64

// openLoop sends requests at times that are fixed beforehand: random ones (a Poisson process) of the given mean rate, the same for every
// contender. Latency counts from the time at which a request was due, not from when it could be sent: a server that stands still for 10 ms
// has made all the requests of these 10 ms late (no coordinated omission). It returns how long each request took.
func openLoop(address string, tokens []string, paths []path, rate float64, duration time.Duration) ([]time.Duration, error) {
	o := &openRun{idle: make(chan *openConn, openConnections), failed: make(chan error, 1)}
	defer o.close()
	for i := range openConnections {
		c := &openConn{}
		var err error
		if c.wire, err = dialWire(address, tokens[i%len(tokens)]); err != nil {
			return nil, err
		}
		o.all = append(o.all, c)
		// The first request, which opens everything on its way, does not count.
		if _, _, err := c.wire.get(paths[i%len(paths)].path); err != nil {
			return nil, err
		}
		c.took = make([]time.Duration, 0, 2*int(rate*duration.Seconds())/openConnections+1024)
	}
	for _, c := range o.all {
		o.idle <- c
		o.readers.Go(func() { o.read(c) })
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the load makes no garbage worth a collection amid the measurement
	sent := make(chan error, 1)
	go func() { sent <- o.send(paths, rate, duration) }() // a goroutine, because it takes its thread for itself
	if err := <-sent; err != nil {
		return nil, err
	}
	for range o.all { // the last answers
		if _, err := o.free(); err != nil {
			return nil, err
		}
	}
	var took []time.Duration
	for _, c := range o.all {
		took = append(took, c.took...)
	}
	return took, nil
}

// openRun is one run of openLoop.
type openRun struct {
	idle    chan *openConn
	all     []*openConn
	readers sync.WaitGroup
	closing atomic.Bool
	failed  chan error // the first one of a reader
}

// openConn belongs to the sender while it is idle, and else to its reader.
type openConn struct {
	wire *wire
	due  atomic.Int64 // since began, of the request that is under way
	took []time.Duration
}

// began is what due times count from; it has the monotonic clock.
var began = time.Now()

func (o *openRun) send(paths []path, rate float64, duration time.Duration) error {
	wait, done := pacer()
	defer done()
	random := rand.New(rand.NewPCG(1, 3))
	due := time.Since(began)
	end := due + duration
	for i := 0; ; i++ {
		due += time.Duration(random.ExpFloat64() / rate * float64(time.Second))
		if due >= end {
			return nil
		}
		if ahead := due - time.Since(began); ahead > 0 {
			wait(ahead)
		}
		c, err := o.free()
		if err != nil {
			return err
		}
		c.due.Store(int64(due))
		if err := c.wire.send(paths[i%len(paths)].path); err != nil {
			return err
		}
	}
}

// free waits for an idle connection.
func (o *openRun) free() (*openConn, error) {
	select {
	case err := <-o.failed:
		return nil, err
	default:
	}
	select {
	case c := <-o.idle:
		return c, nil
	case err := <-o.failed: // a connection's deadline among them
		return nil, err
	}
}

// read waits for answers, all the time.
func (o *openRun) read(c *openConn) {
	for {
		status, body, err := c.wire.receive()
		now := time.Since(began)
		if err == nil && status != 200 && status != 404 {
			err = fmt.Errorf("status %d: %.200s", status, body)
		}
		if err != nil {
			if !o.closing.Load() {
				select {
				case o.failed <- err:
				default: // another one was first
				}
			}
			return
		}
		c.took = append(c.took, now-time.Duration(c.due.Load()))
		o.idle <- c
	}
}

func (o *openRun) close() {
	o.closing.Store(true)
	for _, c := range o.all {
		c.wire.close()
	}
	o.readers.Wait()
}
