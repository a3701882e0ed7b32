package xds

import (
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"go.uber.org/zap"
)

// The methods of this file bring what happens on the streams to the verdicts, and the verdicts back to the streams. They are called
// with the mutex held.

// offered brings all streams up to date after a change of what is on offer.
func (s *Server) offered(k kind) {
	s.stopTimer(k)
	now := s.now()
	for _, session := range s.fleet.connected {
		st := session.subs[k]
		if st == nil {
			continue
		}
		s.claimed(st, k)
		session.respond(k)
		st.refresh(s.verdicts[k].offered, now)
	}
}

// claimed counts it as an acknowledgement that an Envoy came with the version on offer, or with the one to fall back to, and ends the
// quarantine of a version that an Envoy came with.
func (s *Server) claimed(st *subscription, k kind) {
	v := s.verdicts[k]
	held := v.offered
	if !st.claim(k, v.offered) {
		held = v.fallback
	}
	if held != nil && held.heldBy(k, st.claims) {
		if first, _ := v.acknowledge(held); first {
			s.log.Info("version acknowledged", zap.Stringer("type", k), zap.String("version", held.version), zap.Bool("held_before", true))
		}
		if v.suspect.IsZero() {
			s.stopTimer(k)
		}
	}
	for _, version := range versionsHeld(k, st.claims) {
		if v.release(version) {
			s.logRelease(k, version, "an Envoy holds it")
		}
	}
}

// answered takes the acknowledgement or rejection that the request carries, if any.
func (s *Server) answered(from *session, k kind, req *cache.DeltaRequest) {
	nonce, detail := req.GetResponseNonce(), req.GetErrorDetail()
	if nonce == "" && detail == nil {
		s.settle(k) // the subscription may have changed
		return
	}
	st, now := from.subs[k], s.now()
	o := st.carried(nonce)
	switch {
	case detail != nil:
		s.rejected(from, k, o, clipMiddle(detail.GetMessage(), maxText), now)
	case o != nil:
		s.acknowledged(from, k, o, now)
	}
	s.settle(k)
	st.refresh(s.verdicts[k].offered, now)
}

func (s *Server) acknowledged(from *session, k kind, o *offer, now time.Time) {
	st, v := from.subs[k], s.verdicts[k]
	st.acked, st.answeredSeq, st.lastAck, st.nack.current = o.version, v.same(o).seq, now, false
	s.metrics.acks[k].Inc()
	// Once a version, else a push to a large fleet is as many lines.
	level := zap.DebugLevel
	first, released := v.acknowledge(o)
	if first {
		level = zap.InfoLevel
		if v.suspect.IsZero() {
			s.stopTimer(k)
		}
	}
	if released {
		s.logRelease(k, o.version, "an Envoy acknowledged it")
	}
	s.log.Log(level, "version acknowledged", append(from.fields(), zap.Stringer("type", k), zap.String("version", o.version))...)
}

// rejected is given no offer if the nonce is unknown.
func (s *Server) rejected(from *session, k kind, o *offer, text string, now time.Time) {
	st, v := from.subs[k], s.verdicts[k]
	st.nack = nack{at: now, text: text, current: true}
	s.metrics.nacks[k].Inc()
	if o != nil {
		st.nack.version, st.answeredSeq = o.version, v.same(o).seq
		if v.reject(o, Rejection{Node: from.node.id, Text: text}, now) {
			s.startTimer(k)
		}
	}
	s.log.Error("version rejected", append(from.fields(),
		zap.Stringer("type", k), zap.String("version", st.nack.version), zap.String("text", text))...)
}

// settle rolls the offer back if that is due.
func (s *Server) settle(k kind) {
	v := s.verdicts[k]
	bad := v.settle(func() int { return s.pending(k) }, s.now())
	if bad == nil {
		return
	}
	s.metrics.rollbacks[k].Inc()
	s.log.Error("version quarantined", zap.Stringer("type", k), zap.String("version", bad.version),
		zap.String("node", v.quarantined[len(v.quarantined)-1].Node), zap.String("text", v.quarantined[len(v.quarantined)-1].Text))
	if v.offered != nil {
		s.log.Warn("rolled back", zap.Stringer("type", k), zap.String("from", bad.version), zap.String("to", v.offered.version))
	} else {
		s.log.Warn("nothing to roll back to", zap.Stringer("type", k), zap.String("from", bad.version))
	}
	s.offered(k)
}

// pending counts the connected Envoys that want the offer and have not answered it.
func (s *Server) pending(k kind) int {
	o, n := s.verdicts[k].offered, 0
	for _, session := range s.fleet.connected {
		if st := session.subs[k]; st.wants(o) && st.answeredSeq != o.seq {
			n++
		}
	}
	return n
}

func (s *Server) startTimer(k kind) {
	s.stopTimer(k)
	s.timers[k] = s.after(s.config.VerdictGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(k)
	})
}

func (s *Server) stopTimer(k kind) {
	if s.timers[k] != nil {
		s.timers[k]()
		s.timers[k] = nil
	}
}
