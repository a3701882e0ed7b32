package counters

import (
	"slices"
	"time"
)

const (
	// sameStart is how far two times of one process's start may be apart: each is a difference of two clocks that count whole seconds.
	sameStart = 2500 * time.Millisecond
	// maxProcesses bounds the processes of one node id that are remembered: those that run, and those that have ended and might be
	// heard once more.
	maxProcesses = 16
)

// A node is the Envoys of one node id: one, as a rule, with the processes before it.
type node struct {
	cluster   string
	processes []*process
	seen      int // processes, with those that were forgotten
	totals    [counterCount]uint64
	rate      window
	latest    report // the last one of any process
	heard     time.Time
	streams   int
	left      time.Time // when a stream ended last
	// floor is a time before which a process may have been known and forgotten.
	floor time.Time
}

// A process is one run of an Envoy.
type process struct {
	started  time.Time // on the Envoy's clock
	counters [counterCount]uint64
	heard    time.Time
}

// process is the one that r is about, which may be a new one.
func (n *node) process(r *report, now time.Time) *process {
	for _, p := range n.processes {
		if p.started.Sub(r.started()).Abs() <= sameStart {
			return p
		}
	}
	p := &process{started: r.started(), heard: now}
	// By our clock, whatever the Envoy's says. The second is what uptime may be off: better to count the first requests of a process that
	// began just before than none of one that began just after.
	if began := now.Add(time.Second - r.age()); !began.After(n.floor) {
		p.counters = r.counters
	}
	if len(n.processes) == maxProcesses {
		oldest := 0
		for i, q := range n.processes {
			if q.heard.Before(n.processes[oldest].heard) {
				oldest = i
			}
		}
		n.floor = later(n.floor, n.processes[oldest].heard)
		n.processes = slices.Delete(n.processes, oldest, oldest+1)
	}
	n.processes = append(n.processes, p)
	n.seen++
	return p
}

// add counts what p has done since its last report.
func (n *node) add(p *process, r *report, now time.Time) {
	for c, v := range r.counters {
		// Less than before: an operator has set the counters to zero. What was counted since then, less than an interval's, is let go.
		if before := p.counters[c]; v > before {
			n.totals[c] += v - before
		}
	}
	p.counters, p.heard = r.counters, now
	n.latest, n.heard = *r, now
	n.rate.add(sample{at: now, totals: n.totals})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
