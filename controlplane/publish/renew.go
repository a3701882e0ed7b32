package publish

import (
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/compile"
)

// clockInterval is how often Run looks at the wall clock. A timer that is set for midnight would neither notice that the clock is set nor
// that the machine was suspended.
const clockInterval = time.Minute

// dayOf returns when the UTC day of a time began.
func dayOf(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }

// timed tells whether the same document may compile to another index on another day.
func timed(index *compile.Result) bool { return !index.Since.IsZero() || !index.Until.IsZero() }

// holds tells whether an index is what its document compiles to at that time. A clock that was ahead when it was compiled makes that untrue
// too.
func holds(index *compile.Result, now time.Time) bool {
	return !now.Before(index.Since) && (index.Until.IsZero() || now.Before(index.Until))
}

// look does what follows from the day that it is by the wall clock.
func (l *Loop) look() {
	if l.stale(l.pending) || l.due() {
		l.settle()
	}
}

// stale tells whether a document that could not be compiled was not tried on this day. It may be usable on another one: a flight that comes
// into sight can make it too large.
func (l *Loop) stale(pending *material) bool {
	return pending != nil && l.loaded() && !pending.day.Equal(dayOf(l.now()))
}

// due tells whether the candidate's document is to be compiled for this day. It is tried once a day.
func (l *Loop) due() bool {
	now := l.now()
	return l.current != nil && l.loaded() && !holds(l.candidate, now) && !l.current.day.Equal(dayOf(now))
}

// renew compiles what may compile to something else on this day. The source need not answer for that.
func (l *Loop) renew() {
	if l.stale(l.pending) && l.retry(l.pending) == nil {
		return
	}
	if !l.due() {
		return
	}
	if err := l.recompile(); err != nil {
		// Flights that come into sight may make it too large. Envoys have days ahead.
		l.metrics.publishErrors.WithLabelValues("error").Inc()
		l.log.Error("index not renewed for the new day, the last one stays", zap.Error(err))
	}
}
