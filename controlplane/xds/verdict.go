package xds

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrQuarantined is returned when a version is published that Envoys rejected and that was rolled back. The wrapping error says who
// rejected it first, and with which text.
var ErrQuarantined = errors.New("version is quarantined")

// maxQuarantined bounds what a source can make the control plane remember; beyond it the oldest version is forgotten, and judged anew
// if it comes again. maxProven bounds in the same way which versions are known to have been acknowledged.
const (
	maxQuarantined = 64
	maxProven      = 64
)

// A verdict decides which offer of one type is handed out, from what Envoys answer. The rules are in the package comment. It knows
// no streams and no clock. Not safe for concurrent use.
type verdict struct {
	grace     time.Duration
	withdraws bool   // a rejected version goes even where none that was acknowledged can take its place
	offered   *offer // nil: silent
	accepted  *offer // the last published of those that an Envoy acknowledged; nil: none
	// fallback was on offer before the present one, and nothing spoke for or against it when it was replaced. Kept while nothing
	// is accepted, so that a version that is published right after the start does not drive out the good one of before.
	fallback    *offer
	suspect     time.Time
	first       Rejection // the rejection that made offered suspect
	cutOff      bool      // since it is suspect, an Envoy that was sent it went without an answer
	quarantined []Quarantined
	proven      []string // the versions that were acknowledged, the latest last
	seq         uint64   // of the last offer
	era         int      // how many versions came out of quarantine
}

// A Rejection is an Envoy's refusal of a version.
type Rejection struct {
	Node string `json:"node"`
	Text string `json:"text"`
}

// A Quarantined version is not handed out until an Envoy is known to run it, or Server.RetryAll is called.
type Quarantined struct {
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Rejection
}

// check returns an error that wraps ErrQuarantined if version is quarantined.
func (v *verdict) check(version string) error {
	for _, q := range v.quarantined {
		if q.Version == version {
			return fmt.Errorf("%w: %s: rejected by %q: %s", ErrQuarantined, version, q.Node, q.Text)
		}
	}
	return nil
}

func (v *verdict) offers(version string) bool {
	return v.offered != nil && v.offered.version == version
}

// put offers o in place of the present offer, whose suspicion ends with it. A return to the last acknowledged version hands out what
// is kept of it: it is acknowledged already, and a stream that still holds it is sent nothing.
func (v *verdict) put(o *offer, now time.Time) {
	if v.accepted != nil && v.accepted.version == o.version {
		v.accepted.sourceTime = o.sourceTime
		o = v.accepted
	} else {
		o.stamp(v.era, v.offered)
	}
	if v.offered != nil && v.accepted == nil && v.suspect.IsZero() {
		v.fallback = v.offered
	}
	if v.fallback != nil && v.fallback.version == o.version {
		v.fallback = nil
	}
	v.publish(o, now)
}

func (v *verdict) publish(o *offer, now time.Time) {
	v.seq++
	o.seq = v.seq
	v.offer(o, now)
}

func (v *verdict) offer(o *offer, now time.Time) {
	v.offered, v.suspect, v.first, v.cutOff = o, time.Time{}, Rejection{}, false
	if o != nil {
		o.since = now
	}
}

// same returns the present offer if o is another offer of its version: an answer counts for a version, whenever it was sent.
func (v *verdict) same(o *offer) *offer {
	if v.offers(o.version) {
		return v.offered
	}
	return o
}

// acknowledge tells whether this is the first acknowledgement of the version, and whether it ended its quarantine.
func (v *verdict) acknowledge(o *offer) (first, released bool) {
	o = v.same(o)
	released = v.release(o.version)
	if o.acknowledged {
		return false, released
	}
	o.acknowledged = true
	if v.accepted == nil || o.seq > v.accepted.seq {
		v.accepted = o
	}
	v.fallback = nil
	if !slices.Contains(v.proven, o.version) {
		v.proven = append(v.proven, o.version)
		v.proven = slices.Delete(v.proven, 0, max(0, len(v.proven)-maxProven))
	}
	if o == v.offered {
		v.suspect, v.first = time.Time{}, Rejection{}
	}
	return true, released
}

// reject tells whether the rejection made the present offer suspect.
func (v *verdict) reject(o *offer, r Rejection, now time.Time) bool {
	o = v.same(o)
	if o != v.offered || o.acknowledged || !v.suspect.IsZero() {
		return false
	}
	v.suspect, v.first = now, r
	return true
}

// settle rolls the present offer back if that is due, and returns it; nil if it stays. Pending tells the number of connected Envoys that
// subscribed to the offer and have not answered it. It is asked of a suspect offer only: it looks at every Envoy, and settle is called for
// every answer of each.
func (v *verdict) settle(pending func() int, now time.Time) *offer {
	if v.suspect.IsZero() || v.accepted == nil && !v.withdraws {
		return nil
	}
	certain := v.accepted != nil && !v.cutOff && pending() == 0
	if !certain && now.Before(v.suspect.Add(v.grace)) {
		return nil
	}
	bad := v.offered
	if len(v.quarantined) == maxQuarantined {
		v.quarantined = slices.Delete(v.quarantined, 0, 1)
		v.era++
	}
	v.quarantined = append(v.quarantined, Quarantined{Version: bad.version, Since: now, Rejection: v.first})
	if v.accepted == nil && v.fallback != nil {
		o := v.fallback
		v.fallback = nil
		v.publish(o, now) // it is judged from the beginning
	} else {
		v.offer(v.accepted, now)
	}
	return bad
}

// release tells whether version was quarantined; it no longer is.
func (v *verdict) release(version string) bool {
	n := len(v.quarantined)
	v.quarantined = slices.DeleteFunc(v.quarantined, func(q Quarantined) bool { return q.Version == version })
	if len(v.quarantined) == n {
		return false
	}
	v.era++
	return true
}
