package publish

import (
	"context"
	"time"
)

const (
	// gatherWindow is how long changes are gathered before one poll answers them all.
	gatherWindow = 100 * time.Millisecond

	// firstBackoff is the first wait for a source that has not answered since the start.
	firstBackoff = 500 * time.Millisecond

	// maxBackoff bounds the wait for a failing source, unless the interval itself is longer.
	maxBackoff          = time.Minute
	maxBackoffIntervals = 4

	jitter = 0.1
)

// Run publishes until ctx is done and then returns nil. It may be called once.
func (l *Loop) Run(ctx context.Context) error {
	l.restore()
	for {
		l.poll(ctx)
		if !l.wait(ctx) {
			return nil
		}
	}
}

// wait returns true when the next poll is due and false when ctx is done.
func (l *Loop) wait(ctx context.Context) bool {
	timer := time.NewTimer(l.vary(l.pause()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	case <-l.source.Changed():
	case <-l.wake:
	}

	timer.Reset(gatherWindow)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	}
	// What arrived in the window is answered by the coming poll.
	select {
	case <-l.source.Changed():
	default:
	}
	select {
	case <-l.wake:
	default:
	}
	return ctx.Err() == nil
}

// pause returns the wait before the next poll, before it is varied.
func (l *Loop) pause() time.Duration {
	if l.failures == 0 {
		return l.interval
	}
	pause := l.interval
	if !l.answered {
		pause = min(pause, firstBackoff)
	}
	longest := max(l.interval, min(maxBackoffIntervals*l.interval, maxBackoff))
	for range l.failures - 1 {
		if pause *= 2; pause >= longest {
			return longest
		}
	}
	return pause
}

func (l *Loop) vary(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*l.random()))
}
