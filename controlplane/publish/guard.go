package publish

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

const reasonMaxRemovedShare = "max_removed_share"

// ErrNotHeld is returned by Confirm and Refuse for a version that is not the one that is held.
var ErrNotHeld = errors.New("this version is not held")

// Held is a version that a guard keeps back until it is confirmed or refused, or until a newer candidate takes its place.
type Held struct {
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"`  // max_removed_share
	Message string    `json:"message"` // for people
	Removed int       `json:"removed"` // ads that it removes
	Served  int       `json:"served"`  // of so many
	Share   float64   `json:"share"`   // Removed ÷ Served
	Limit   float64   `json:"limit"`   // Config.MaxRemovedShare
	Refused bool      `json:"refused"` // an operator said no: it waits for a newer one
}

// Confirm publishes the held version, also one that was refused. It returns ErrNotHeld if another or none is held, and otherwise at once:
// Watch and Status tell when it is published.
func (l *Loop) Confirm(version string) error { return l.decide(version, true) }

// Refuse marks the held version as refused: it is not published, and stays in Status until a newer candidate takes its place. It returns
// ErrNotHeld if another or none is held.
func (l *Loop) Refuse(version string) error { return l.decide(version, false) }

func (l *Loop) decide(version string, publish bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.status.Held
	if held == nil || held.Version != version {
		return ErrNotHeld
	}
	if publish {
		l.confirmed = version
		l.poke()
		return nil
	}
	refused := *held
	refused.Refused = true
	l.status.Held = &refused
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// poke makes Run look at what operators said.
func (l *Loop) poke() {
	select {
	case l.nudge <- struct{}{}:
	default: // it will
	}
}

// guarded tells whether the candidate is held: it removes too many of the ads that the last one served. Ads whose flight has ended do not
// count, nor those that are paused already.
func (l *Loop) guarded() bool {
	version := l.candidate.Version
	if l.maxShare >= 1 || l.base == nil || version == l.sink.Published() {
		l.unhold()
		return false
	}
	l.mu.Lock()
	if l.confirmed != version {
		l.confirmed = "" // it was for another, and for that time
	}
	held, confirmed := l.status.Held, l.confirmed != ""
	l.mu.Unlock()
	switch {
	case confirmed:
		l.unhold()
		return false
	case held != nil && held.Version == version:
		return true
	}
	removed, served := removedAds(l.base, l.inForce, l.now())
	share := float64(removed) / float64(max(served, 1))
	if share <= l.maxShare {
		l.unhold()
		return false
	}
	since, refused := l.now().UTC(), false
	if held != nil && l.heldOf == l.current && l.current != nil && l.heldUnder == l.said.Rows {
		since, refused = held.Since, held.Refused // another day has made another version of the same
	}
	l.heldOf, l.heldUnder = l.current, l.said.Rows
	l.holdBack(&Held{
		Version: version, Since: since, Refused: refused, Reason: reasonMaxRemovedShare,
		Message: fmt.Sprintf("It removes %d of %d ads (%.1f %%); more than %.1f %% need to be confirmed.",
			removed, served, 100*share, 100*l.maxShare),
		Removed: removed, Served: served, Share: share, Limit: l.maxShare,
	})
	return true
}

func (l *Loop) holdBack(h *Held) {
	l.metrics.holds.Inc()
	l.metrics.held.Set(1)
	l.log.Warn("index held until it is confirmed: it removes too many ads", zap.String("version", h.Version),
		zap.Int("removed", h.Removed), zap.Int("served", h.Served), zap.Float64("share", h.Share), zap.Float64("limit", h.Limit))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Held = h
}

func (l *Loop) unhold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status.Held != nil {
		l.log.Info("index not held any more", zap.String("version", l.status.Held.Version))
	}
	l.metrics.held.Set(0)
	l.status.Held = nil
}

// rebase makes the candidate, if that is what was accepted, the one that later ones are compared with.
func (l *Loop) rebase(index *compile.Result) {
	if index == l.candidate {
		l.base = l.inForce
	}
}

// removedAds counts the ads of before that can still be served, and those of them that after has not.
func removedAds(before, after *campaign.Document, now time.Time) (removed, served int) {
	minute := now.Unix() / 60
	runs := func(c *campaign.Campaign) bool {
		_, until := c.Flight()
		return !c.Paused && minute < until
	}
	left := make(map[string]struct{}, len(after.Campaigns))
	for i := range after.Campaigns {
		if c := &after.Campaigns[i]; runs(c) {
			left[c.ID] = struct{}{}
		}
	}
	for i := range before.Campaigns {
		c := &before.Campaigns[i]
		if !runs(c) {
			continue
		}
		served++
		if _, there := left[c.ID]; !there {
			removed++
		}
	}
	return removed, served
}
