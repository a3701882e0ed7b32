package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
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

// poll asks the source once and does what follows from the answer. A disk that is slow delays the next poll, but neither what proxies
// are given nor what metrics and status tell of it.
func (l *Loop) poll(ctx context.Context) {
	snapshot, err := l.source.Poll(ctx)
	if ctx.Err() != nil {
		return // the program stops: not a failure of the source
	}
	found, failed := l.classify(snapshot, l.now().UTC(), err)
	if failed {
		l.failures++
	} else {
		l.failures, l.answered = 0, true
	}
	l.tell(found)
	l.offer()
	if found.err == nil {
		l.confirm()
	}
	l.show()
	l.keep()
	l.show() // it may have published the document on disk
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

// judge decodes and compiles a document that was read at that time. A usable one becomes the candidate.
func (l *Loop) judge(snapshot campaign.Snapshot, readAt time.Time) verdict {
	index, found := l.compile(snapshot)
	if found.err != nil {
		return found
	}
	l.describeDocument(snapshot, index)
	l.candidate, l.readAt = index, readAt
	if l.published != nil && index.Version == l.published.Version {
		l.candidate = l.published // the same content: one copy is enough
	}
	l.unsaved = &lastGood{
		Data: snapshot.Data,
		metadata: metadata{
			Source: identify(l.source), Location: l.status.Source.Location,
			SourceTime: snapshot.SourceTime, ReadAt: readAt,
		},
	}
	if l.resumer != nil {
		l.unsaved.Position = l.resumer.Position()
	}
	return found
}

// compile decodes and compiles a document.
func (l *Loop) compile(snapshot campaign.Snapshot) (*compile.Result, verdict) {
	started := time.Now()
	doc, err := campaign.Decode(snapshot.Data)
	if err != nil {
		return nil, verdict{outcomeUnusable, fmt.Errorf("document: %w", err)}
	}
	index, err := compile.Compile(doc, compile.Params{SourceTime: snapshot.SourceTime, MaxBytes: l.maxBytes})
	l.metrics.compileSeconds.Observe(time.Since(started).Seconds())
	switch {
	case errors.Is(err, compile.ErrTooLarge):
		return nil, verdict{outcomeTooLarge, err}
	case err != nil:
		return nil, verdict{outcomeUnusable, fmt.Errorf("compile: %w", err)}
	}
	return index, verdict{outcome: outcomeOK}
}
