package counters

import (
	"errors"
	"time"
)

const (
	// keepFor is how long an Envoy without a stream is remembered.
	keepFor = 10 * time.Minute
	// maxNodes bounds the Envoys that are remembered at once. For one more the one that has been silent for longest is forgotten.
	maxNodes = 10_000
	// maxStreams bounds the streams of one node id. One that is cut off again and again has some that nobody has noticed to be dead.
	maxStreams = 32
)

var (
	errTooManyEnvoys  = errors.New("too many Envoys report")
	errTooManyStreams = errors.New("too many streams of this node id")
)

// A fleet is all Envoys that are remembered. Its owner guards it.
type fleet struct {
	nodes  map[string]*node
	totals [counterCount]uint64 // of those that were forgotten, too
	floor  time.Time            // when the control plane began, or a forgotten Envoy was last heard of
	limit  int
}

// join adds a stream of an Envoy. The error is one of the two above.
func (f *fleet) join(id, cluster string, now time.Time) (*node, error) {
	f.forget(now)
	n := f.nodes[id]
	if n == nil {
		if len(f.nodes) >= f.limit && !f.makeRoom() {
			return nil, errTooManyEnvoys
		}
		n = &node{floor: f.floor}
		f.nodes[id] = n
	}
	if n.streams == maxStreams {
		return nil, errTooManyStreams
	}
	n.cluster = cluster
	n.streams++
	return n, nil
}

// forget drops the Envoys that have been without a stream for keepFor.
func (f *fleet) forget(now time.Time) {
	for id, n := range f.nodes {
		if n.streams == 0 && now.Sub(n.left) > keepFor {
			f.drop(id)
		}
	}
}

// makeRoom drops the Envoy without a stream that has been silent for longest.
func (f *fleet) makeRoom() bool {
	var oldest string
	found := false
	for id, n := range f.nodes {
		if n.streams == 0 && (!found || n.left.Before(f.nodes[oldest].left)) {
			oldest, found = id, true
		}
	}
	if found {
		f.drop(oldest)
	}
	return found
}

func (f *fleet) drop(id string) {
	f.floor = later(f.floor, f.nodes[id].heard)
	delete(f.nodes, id)
}

// add counts a report of a node's process.
func (f *fleet) add(n *node, p *process, r *report, now time.Time) {
	before := n.totals
	n.add(p, r, now)
	for c := range f.totals {
		f.totals[c] += n.totals[c] - before[c]
	}
}

func (f *fleet) perSecond(now time.Time) (sum [counterCount]float64, ok bool) {
	for _, n := range f.nodes {
		rate, known := n.rate.perSecond(now)
		ok = ok || known
		for c := range rate {
			sum[c] += rate[c]
		}
	}
	return sum, ok
}
