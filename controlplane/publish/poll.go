package publish

import (
	"context"
	"errors"
	"time"

	"adsidecar/controlplane/campaign"
)

// outcome is the result of a poll, as metrics and status name it.
type outcome string

const (
	outcomeNone        outcome = ""
	outcomeOK          outcome = "ok"
	outcomeNotModified outcome = "not_modified"
	outcomeError       outcome = "error"     // the source did not answer well
	outcomeUnusable    outcome = "unusable"  // the document cannot be used
	outcomeTooLarge    outcome = "too_large" // the document or its index is over the limit
)

var outcomes = []outcome{outcomeOK, outcomeNotModified, outcomeError, outcomeUnusable, outcomeTooLarge}

// verdict is what was found of the document that the source gave last.
type verdict struct {
	outcome outcome // none: no document yet
	err     error   // why it cannot be used
}

// poll asks the source once and does what follows from the answer. What operators say meanwhile is heeded: a source may take long.
func (l *Loop) poll(ctx context.Context) {
	type answer struct {
		snapshot campaign.Snapshot
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		snapshot, err := l.source.Poll(ctx)
		answers <- answer{snapshot, err}
	}()
	for {
		select {
		case <-l.nudge:
			l.settle()
		case <-l.clock:
			l.look()
		case a := <-answers:
			if ctx.Err() == nil { // else the program stops: not a failure of the source
				l.heard(a.snapshot, a.err)
			}
			return
		}
	}
}

// heard does what follows from the answer to a poll. A disk that is slow delays the next poll, but neither what proxies are given nor what
// metrics and status tell of it.
func (l *Loop) heard(snapshot campaign.Snapshot, err error) {
	found, failed := l.classify(snapshot, l.now().UTC(), err)
	if failed {
		l.failures++
	} else {
		l.failures, l.answered = 0, true
	}
	l.tell(found)
	l.renew()
	l.unread = "" // another try
	l.offer()
	if found.err == nil {
		l.confirm()
	}
	l.finish()
}

// finish follows whatever may have changed what is published.
func (l *Loop) finish() {
	l.show()
	l.describeOperators()
	l.keep()
	l.show() // it may have published the document on disk
	l.compare()
	l.heeds()
	l.announce()
}

// classify returns what a poll that ended at the time now found, and whether the source itself failed: it is asked more slowly then.
func (l *Loop) classify(snapshot campaign.Snapshot, now time.Time, err error) (found verdict, failed bool) {
	var large interface{ TooLarge() bool }
	switch {
	case err == nil:
		l.verdict = l.judge(snapshot, now)
		return l.verdict, false
	case !errors.Is(err, campaign.ErrNotModified):
		if errors.As(err, &large) && large.TooLarge() {
			return verdict{outcomeTooLarge, err}, true
		}
		return verdict{outcomeError, err}, true
	case l.verdict.outcome == outcomeNone:
		return verdict{outcomeError, errors.New("not modified, before there was a document")}, true
	case l.verdict.err != nil:
		return l.verdict, false
	default:
		return verdict{outcome: outcomeNotModified}, false
	}
}

// judge decodes and compiles a document that was read at that time. A usable one becomes the candidate, or waits for the operators' rows.
func (l *Loop) judge(snapshot campaign.Snapshot, readAt time.Time) verdict {
	started := time.Now()
	m, err := l.decode(snapshot, readAt)
	l.judged = m
	if err != nil {
		return verdict{outcomeUnusable, err}
	}
	m.good = &lastGood{
		Data: snapshot.Data,
		metadata: metadata{
			Source: identify(l.source), Location: l.status.Source.Location,
			SourceTime: snapshot.SourceTime, ReadAt: readAt,
		},
	}
	if l.resumer != nil {
		m.good.Position = l.resumer.Position()
	}
	if !l.loaded() {
		l.pending = m
		return verdict{outcome: outcomeOK}
	}
	return l.try(m, started)
}
