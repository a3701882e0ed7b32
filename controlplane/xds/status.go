package xds

import (
	"cmp"
	"slices"
	"time"
)

// Status is what is on offer and what each Envoy makes of it. Times are those of the control plane's clock; a time that is not known is
// left out. Ages are in seconds.
type Status struct {
	Types  []TypeStatus  `json:"types"`  // lds, cds, ecds
	Envoys []EnvoyStatus `json:"envoys"` // by node id, then in order of connecting
}

// TypeStatus is the state of one resource type.
type TypeStatus struct {
	Type string `json:"type"`
	// Offered is nil while the type is silent.
	Offered *Offered `json:"offered"`
	// Accepted is the last version that an Envoy acknowledged: a rollback goes there. Empty: none was; an index then goes back to the
	// one that was on offer before, if nothing spoke against it.
	Accepted string `json:"last_acknowledged"`
	// Quarantined versions, the oldest first.
	Quarantined []Quarantined `json:"quarantined"`
}

// Offered is the version that is handed out, and how many of the connected Envoys that subscribed to it gave which answer.
type Offered struct {
	Version    string    `json:"version"`
	Since      time.Time `json:"since"`
	SourceTime time.Time `json:"source_time,omitzero"` // of an index
	Bytes      int       `json:"bytes"`
	// Acknowledged counts those that run it, Rejected those whose last answer was a rejection, Pending those that are to answer.
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	Pending      int `json:"pending"`
	// SuspectSince is when the first Envoy rejected the version, while none has acknowledged it. Of listeners and clusters it may be
	// long ago: they stay on offer as long as there is nothing to go back to.
	SuspectSince time.Time `json:"suspect_since,omitzero"`
}

// EnvoyStatus is one stream of an Envoy. Two Envoys with the same node id are two entries.
type EnvoyStatus struct {
	Node           string        `json:"node"`
	Cluster        string        `json:"cluster"`
	Stream         uint64        `json:"stream"` // unique in the life of the control plane
	Address        string        `json:"address"`
	UserAgent      string        `json:"user_agent"`
	FilterFormat   string        `json:"filter_format,omitempty"` // the index format that the filter reads, if the bootstrap says it
	Connected      bool          `json:"connected"`
	ConnectedSince time.Time     `json:"connected_since"`
	Disconnected   time.Time     `json:"disconnected,omitzero"`
	LastSeen       time.Time     `json:"last_seen"` // the last request
	LastSeenAge    float64       `json:"last_seen_age_seconds"`
	Types          []EnvoyOfType `json:"types"` // those it subscribed to
}

// EnvoyOfType is what one Envoy makes of one type. Of a disconnected Envoy it is the state when it went.
type EnvoyOfType struct {
	Type string `json:"type"`
	// Acknowledged is the version that the Envoy runs: the last that it acknowledged, or said to hold when it connected.
	Acknowledged string `json:"acknowledged"`
	// Sent is the version that was last sent on this stream; empty: none was.
	Sent    string    `json:"sent"`
	InSync  bool      `json:"in_sync"`
	Since   time.Time `json:"since"` // of InSync
	LastAck *Ack      `json:"last_ack,omitempty"`
	// LastNack stays as history after later acknowledgements.
	LastNack *Nack `json:"last_nack,omitempty"`
}

// Ack is an acknowledgement.
type Ack struct {
	At  time.Time `json:"at"`
	Age float64   `json:"age_seconds"`
}

// Nack is a rejection.
type Nack struct {
	At      time.Time `json:"at"`
	Age     float64   `json:"age_seconds"`
	Version string    `json:"version"` // empty: it answered nothing that was sent
	Text    string    `json:"text"`
	Current bool      `json:"current"` // nothing was acknowledged since
}

// Status returns the present state. The caller owns it.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.fleet.prune(now)

	status := Status{Envoys: []EnvoyStatus{}}
	for k := range kindCount {
		status.Types = append(status.Types, s.typeStatus(k))
	}
	for _, session := range s.fleet.connected {
		status.Envoys = append(status.Envoys, session.status(now))
	}
	for _, session := range s.fleet.gone {
		status.Envoys = append(status.Envoys, session.status(now))
	}
	slices.SortFunc(status.Envoys, func(a, b EnvoyStatus) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Stream, b.Stream))
	})
	return status
}

func (s *Server) typeStatus(k kind) TypeStatus {
	v := s.verdicts[k]
	status := TypeStatus{Type: k.String(), Quarantined: append([]Quarantined{}, v.quarantined...)}
	if v.accepted != nil {
		status.Accepted = v.accepted.version
	}
	if v.offered == nil {
		return status
	}
	status.Offered = &Offered{
		Version: v.offered.version, Since: v.offered.since, SourceTime: v.offered.sourceTime, Bytes: v.offered.bytes,
		SuspectSince: v.suspect,
	}
	for _, session := range s.fleet.connected {
		st := session.subs[k]
		switch {
		case !st.wants(v.offered):
		case st.nack.current:
			status.Offered.Rejected++
		case st.inSync:
			status.Offered.Acknowledged++
		default:
			status.Offered.Pending++
		}
	}
	return status
}

func (s *session) status(now time.Time) EnvoyStatus {
	status := EnvoyStatus{
		Node: s.node.id, Cluster: s.node.cluster, Stream: s.id, Address: s.address,
		UserAgent: s.node.userAgent, FilterFormat: s.node.format,
		Connected: s.closed.IsZero(), ConnectedSince: s.opened, Disconnected: s.closed,
		LastSeen: s.lastSeen, LastSeenAge: now.Sub(s.lastSeen).Seconds(), Types: []EnvoyOfType{},
	}
	for k, st := range s.subs {
		if st == nil {
			continue
		}
		of := EnvoyOfType{
			Type: kind(k).String(), Acknowledged: st.acked, Sent: st.sentVersion, InSync: st.inSync, Since: st.inSyncChange,
		}
		if !st.lastAck.IsZero() {
			of.LastAck = &Ack{At: st.lastAck, Age: now.Sub(st.lastAck).Seconds()}
		}
		if n := st.nack; !n.at.IsZero() {
			of.LastNack = &Nack{At: n.at, Age: now.Sub(n.at).Seconds(), Version: n.version, Text: n.text, Current: n.current}
		}
		status.Types = append(status.Types, of)
	}
	return status
}
