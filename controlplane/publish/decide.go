package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adsidecar/controlplane/revision"
)

// ErrNotHeld is returned by Confirm and Refuse for a version that is not the one that is held.
var ErrNotHeld = errors.New("this version is not held")

// Confirm has the held version published, also one that was refused, if it is still to replace the same one. It returns ErrNotHeld if another
// or none is held, and otherwise as soon as the decision is stored with Config.Operators: Watch and Status tell when it is published here,
// every other replica follows, and so does the process after this one. An error that wraps revision.ErrConflict says that somebody else
// has just decided. Without Config.Operators the decision is this process's.
func (l *Loop) Confirm(ctx context.Context, version, who, comment string) error {
	return l.decide(ctx, revision.Decision{Version: version, Publish: true, Who: who, Comment: comment})
}

// Refuse marks the held version as refused: it is not published, and stays in Status until a newer candidate takes its place. Otherwise it
// is as Confirm.
func (l *Loop) Refuse(ctx context.Context, version, who, comment string) error {
	return l.decide(ctx, revision.Decision{Version: version, Who: who, Comment: comment})
}

func (l *Loop) decide(ctx context.Context, d revision.Decision) error {
	var state revision.State
	if l.operators != nil {
		state, _ = l.operators.Watch()
	}
	l.mu.Lock()
	held, heeded := l.status.Held, l.heeded
	l.mu.Unlock()
	if held == nil || held.Version != d.Version {
		return ErrNotHeld
	}
	// What was said at another replica may have ended this already. Then nobody is told that it is decided otherwise.
	if state.Decision.Counter != heeded.Decision.Counter ||
		state.Published.Version == d.Version && state.Published.Counter != heeded.Published.Counter {
		return fmt.Errorf("decide on version %s: %w", d.Version, revision.ErrConflict)
	}
	d.Base, d.Counter = held.Base, state.Decision.Counter
	d, err := l.keepDecision(ctx, d)
	if err != nil {
		return fmt.Errorf("decide on version %s: %w", d.Version, err)
	}
	l.mu.Lock()
	if l.status.Held != nil {
		l.status.Held = l.status.Held.decided(d) // whoever has refused it sees it so at once
	}
	l.mu.Unlock()
	l.announce()
	l.poke()
	return nil
}

// keepDecision stores a decision and returns it as it is stored.
func (l *Loop) keepDecision(ctx context.Context, d revision.Decision) (revision.Decision, error) {
	if l.operators == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		d.Counter, d.At = l.decided.Counter+1, l.now().UTC()
		l.decided = d
		return d, nil
	}
	return l.operators.SetDecision(ctx, d)
}

// heeds notes how far Run has done what follows from what was said.
func (l *Loop) heeds() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heeded = l.said
}

// poke makes Run look at what operators said.
func (l *Loop) poke() {
	select {
	case l.nudge <- struct{}{}:
	default: // it will
	}
}

// decision returns what operators decided of the candidate; zero: nothing that counts. A decision counts once: no more when it was followed,
// or when another version has become the candidate after that of which it speaks.
func (l *Loop) decision() revision.Decision {
	d := l.said.Decision
	if l.operators == nil {
		l.mu.Lock()
		d = l.decided
		l.mu.Unlock()
	}
	g, this := &l.guard, followedBy(d)
	if l.spentElsewhere(d) {
		g.spent = this
	}
	if d.Version != l.candidate.Version {
		if this.is(g.met) {
			g.spent = this
		}
		return revision.Decision{}
	}
	g.met = this
	if this.is(g.spent) {
		return revision.Decision{}
	}
	return d
}

// followed names a decision.
type followed struct {
	Counter uint64    `json:"counter"`
	At      time.Time `json:"at"` // a store that was emptied counts from the beginning
}

func followedBy(d revision.Decision) followed { return followed{d.Counter, d.At} }

func (f followed) is(other followed) bool {
	return f.Counter != 0 && f.Counter == other.Counter && f.At.Equal(other.At)
}
