package counters

import (
	"cmp"
	"slices"
	"time"
)

// lastSecond is 9999-12-31T23:59:59Z: later times have no RFC 3339 form, and are no index's.
const lastSecond = 253402300799

// Status is what Envoys report. Times are those of the control plane's clock; ages are in seconds.
type Status struct {
	// Since is when counting began: totals are what was answered since then, as far as it was reported.
	Since  time.Time      `json:"since"`
	Totals Counts[uint64] `json:"totals"` // of all Envoys, with those that are not listed any more
	// PerSecond is the sum of the Envoys' rates over their last 30 s; nil: none has one.
	PerSecond *Counts[float64] `json:"per_second"`
	Envoys    []EnvoyStatus    `json:"envoys"` // by node id
}

// EnvoyStatus is what the Envoy of one node id reports. It is listed for ten minutes after its last stream has ended.
type EnvoyStatus struct {
	Node      string `json:"node"`
	Cluster   string `json:"cluster"`
	Connected bool   `json:"connected"`
	// Processes is how many have reported: a restart makes it one more.
	Processes int            `json:"processes"`
	Totals    Counts[uint64] `json:"totals"`
	// PerSecond is nil while there is no rate: the Envoy has just begun to report, or has been silent for 15 s.
	PerSecond *Counts[float64] `json:"per_second"`
	// Last is the last report; nil: none was received yet.
	Last *Report `json:"last"`
}

// Report is an Envoy's state as it last said.
type Report struct {
	Time              time.Time `json:"time"`
	Age               float64   `json:"age_seconds"`
	UptimeSeconds     uint64    `json:"uptime_seconds"`
	Live              bool      `json:"live"` // false: it drains
	MemoryAllocated   uint64    `json:"memory_allocated_bytes"`
	MemoryPhysical    uint64    `json:"memory_physical_bytes"`
	ActiveConnections uint64    `json:"active_connections"`
	ActiveRequests    uint64    `json:"active_requests"`
	// Ads and SourceTime describe the index that ad requests are answered from; nil before the first request.
	Ads        *uint64    `json:"ads"`
	SourceTime *time.Time `json:"source_time"`
}

// Status returns the present state, which is the caller's.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.fleet.forget(now)
	out := Status{Since: s.since.UTC(), Totals: newCounts(s.fleet.totals), Envoys: make([]EnvoyStatus, 0, len(s.fleet.nodes))}
	if rate, ok := s.fleet.perSecond(now); ok {
		c := newCounts(rate)
		out.PerSecond = &c
	}
	for id, n := range s.fleet.nodes {
		out.Envoys = append(out.Envoys, n.status(id, now))
	}
	slices.SortFunc(out.Envoys, func(a, b EnvoyStatus) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

func (n *node) status(id string, now time.Time) EnvoyStatus {
	e := EnvoyStatus{
		Node: id, Cluster: n.cluster, Connected: n.streams > 0, Processes: n.seen, Totals: newCounts(n.totals),
	}
	if rate, ok := n.rate.perSecond(now); ok {
		c := newCounts(rate)
		e.PerSecond = &c
	}
	if n.heard.IsZero() {
		return e
	}
	g := n.latest.gauges
	e.Last = &Report{
		Time: n.heard.UTC(), Age: max(now.Sub(n.heard).Seconds(), 0), UptimeSeconds: g[uptime], Live: g[live] > 0,
		MemoryAllocated: g[memoryAllocated], MemoryPhysical: g[memoryPhysical],
		ActiveConnections: g[activeConnections], ActiveRequests: g[activeRequests],
	}
	if n.latest.known[ads] && n.latest.known[sourceTime] && g[sourceTime] <= lastSecond {
		at := time.Unix(int64(g[sourceTime]), 0).UTC()
		e.Last.Ads, e.Last.SourceTime = &g[ads], &at
	}
	return e
}
