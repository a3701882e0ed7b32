package publish

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// Why a version is held.
const (
	reasonMaxRemovedShare = "max_removed_share"
	reasonRevisionLost    = "revision_lost"
)

var holdReasons = []string{reasonMaxRemovedShare, reasonRevisionLost}

// Held is a version that a guard keeps back until it is confirmed or refused, or until a newer candidate takes its place.
type Held struct {
	Version string    `json:"version"`
	Base    string    `json:"base,omitempty"` // the version that it would replace
	Since   time.Time `json:"since"`
	// Reason is max_removed_share, or revision_lost: the operators' store is another one than what is published was made with, or knows less
	// now: revisions, a pin, decisions.
	Reason  string `json:"reason"`
	Message string `json:"message"` // for people
	// Removed are the ads that it removes, of Served that Base can still serve; Share is Removed ÷ Served, Limit Config.MaxRemovedShare.
	// They are 0 where there is no limit, as nothing is counted then.
	Removed int     `json:"removed"`
	Served  int     `json:"served"`
	Share   float64 `json:"share"`
	Limit   float64 `json:"limit"`
	Refused bool    `json:"refused"` // an operator said no: it waits for a newer one
	// RefusedBy, Comment and DecidedAt are the operator's, after a refusal.
	RefusedBy string    `json:"refused_by,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
}

// guard is what Run knows of what candidates would replace, and of what operators said of that.
type guard struct {
	limit float64 // share that may be removed; from 1 on nothing is counted

	// recalled is the version that an earlier process published last, which is what a candidate would replace while nothing is published;
	// "": none.
	recalled string
	bases    []base // what the sink took lately, the latest last
	tried    base   // the candidate that was looked at last

	passed string // version of the candidate, if it was let pass
	newest uint64 // the operators' newest revision of which anything was published
	known  known  // how far their store is
	// recorded is what the disk has of known.
	recorded known
	met      followed // the decision on what was the candidate at some time
	spent    followed // the decision that counts no more
	heldOf   *material
	heldFor  revision.Rows // with heldOf, what the held version was compiled from
}

// guarded tells whether the candidate is held.
func (l *Loop) guarded() bool {
	g := &l.guard
	version, number := l.candidate.Version, l.meta.Revision
	d := l.decision()
	base, served := l.base()
	if g.passed != version {
		g.passed = ""
	}
	switch {
	case version == base:
		g.known.Lost = g.known.Lost && (number < g.newest || l.behind()) // else what was lost is back
	case g.passed != "":
		// Also after proxies have refused it: then it is for the sink to say.
	case l.elsewhere():
		l.log.Info("index is published by another control plane", zap.String("version", version), zap.String("base", base))
		if d.Publish {
			g.spent = followedBy(d)
		}
	case d.Publish && d.Base == base:
		l.log.Warn("held index is published, an operator has confirmed it",
			zap.String("version", version), zap.String("base", base), zap.String("who", d.Who))
		g.spent = followedBy(d)
		g.newest, g.known = number, l.knownNow()
	case l.known(version, base, d):
		return true
	default:
		h := l.examine(l.candidate, number, base, served, d)
		if h == nil {
			h = l.heldYet(version, base, served)
		}
		if h != nil {
			l.holdBack(h, d)
			return true
		}
	}
	g.passed = version
	l.unhold()
	return false
}

// examine returns why an index that was made of that number of the operators' revisions is not to take the place of base; nil: it may. What
// was refused may not, by d, however little it removes by now.
func (l *Loop) examine(index *compile.Result, number uint64, base string, served *compile.Served, d revision.Decision) *Held {
	g := &l.guard
	h := &Held{Version: index.Version, Base: base, Since: l.now().UTC(), Limit: g.limit}
	if served != nil {
		after, err := l.servedBy(index)
		if err != nil {
			l.log.Error("index cannot be compared with what is published, it is not guarded", zap.String("version", index.Version), zap.Error(err))
		} else {
			h.Removed, h.Served = served.Removed(after, l.now())
			h.Share = float64(h.Removed) / float64(max(h.Served, 1))
		}
	}
	switch {
	case l.lostAt(number):
		h.Reason = reasonRevisionLost
		h.Message = l.lossOf(number)
	case h.Share > g.limit:
		h.Reason = reasonMaxRemovedShare
		h.Message = fmt.Sprintf("It removes %d of %d ads (%.1f %%); more than %.1f %% need to be confirmed.",
			h.Removed, h.Served, 100*h.Share, 100*g.limit)
	case g.limit < 1 && refuses(d, index.Version, base):
		h.Reason, h.Message = reasonMaxRemovedShare, fmt.Sprintf("It was refused. It removes %d of %d ads now.", h.Removed, h.Served)
	default:
		return nil
	}
	return h
}

// known tells whether it is held already that this version takes the place of base, and notes what operators have decided of it since. It
// is not counted again: what was refused must not pass because flights have ended meanwhile.
func (l *Loop) known(version, base string, d revision.Decision) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.status.Held
	if h == nil || h.Version != version || h.Base != base || (h.Reason == reasonRevisionLost) != l.lostAt(l.meta.Revision) {
		return false
	}
	l.status.Held = h.decided(d)
	return true
}

// heldYet returns the hold of the same document and rows, compiled for another day, where what base serves is not known of that day: then it
// is no sign that all of it was over, as a clock is wrong more often than a version is held for two weeks. nil: there is none.
func (l *Loop) heldYet(version, base string, served *compile.Served) *Held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.status.Held
	if h == nil || h.Base != base || h.Reason != reasonMaxRemovedShare || !l.sameHeld() || served == nil || served.Knows(l.now()) {
		return nil
	}
	yet := *h
	yet.Version = version
	return &yet
}

// sameHeld tells whether the candidate is of the document and the rows of which the held version was made.
func (l *Loop) sameHeld() bool {
	return l.current != nil && l.guard.heldOf == l.current && l.guard.heldFor == l.said.Rows
}

// holdBack notes that the candidate is held.
func (l *Loop) holdBack(h *Held, d revision.Decision) {
	g := &l.guard
	lost := h.Reason == reasonRevisionLost
	g.known.Lost = g.known.Lost || lost && !l.otherStore()
	l.metrics.holds.WithLabelValues(h.Reason).Inc()
	l.metrics.setHeld(h.Reason)
	level := zap.WarnLevel
	if lost {
		level = zap.ErrorLevel
	}
	l.log.Log(level, "index held until it is confirmed", zap.String("version", h.Version), zap.String("base", h.Base),
		zap.String("reason", h.Reason), zap.String("why", h.Message))

	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.status.Held; before != nil && before.Reason == h.Reason && l.sameHeld() {
		// The same document and rows, compiled for another day.
		h.Since, h.Refused, h.RefusedBy, h.Comment, h.DecidedAt = before.Since, before.Refused, before.RefusedBy, before.Comment, before.DecidedAt
	}
	g.heldOf, g.heldFor = l.current, l.said.Rows
	l.status.Held = h.decided(d)
}

// decided returns it with what was decided of it, if that is a refusal. What Status has returned stays as it is.
func (h *Held) decided(d revision.Decision) *Held {
	if !refuses(d, h.Version, h.Base) {
		return h
	}
	told := *h
	told.Refused, told.RefusedBy, told.Comment, told.DecidedAt = true, d.Who, d.Comment, d.At
	return &told
}

func refuses(d revision.Decision, version, base string) bool {
	return d.Version == version && d.Base == base && !d.Publish
}

func (l *Loop) unhold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status.Held != nil {
		l.log.Info("index not held any more", zap.String("version", l.status.Held.Version))
	}
	l.metrics.setHeld("")
	l.status.Held = nil
}
