package publish

import (
	"context"
	"sync"
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
	var beside sync.WaitGroup
	defer beside.Wait()
	if l.operators != nil {
		beside.Go(func() { l.follow(ctx) })
		beside.Go(func() { l.fetchVersions(ctx) })
		beside.Go(func() { l.informOthers(ctx) })
	}
	if l.keepsVersions() {
		beside.Go(func() { l.keepVersions(ctx) })
	}
	clock := time.NewTicker(clockInterval)
	defer clock.Stop()
	l.clock = clock.C
	l.heed()
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
	if !l.rest(ctx, l.vary(l.pause()), l.source.Changed(), l.wake) {
		return false
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

// rest waits, or until changes that come earlier have been gathered. What operators say meanwhile is heeded.
func (l *Loop) rest(ctx context.Context, wait time.Duration, changed, wake <-chan struct{}) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return ctx.Err() == nil
		case <-changed:
		case <-wake:
		case <-l.nudge:
			l.settle()
			continue
		case <-l.clock:
			l.look()
			continue
		}
		timer.Reset(gatherWindow)
		changed, wake = nil, nil
	}
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
