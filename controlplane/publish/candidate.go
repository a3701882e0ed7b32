package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// material is a decoded document with what is known of it.
type material struct {
	document           *campaign.Document
	sourceTime, readAt time.Time
	day                time.Time // the UTC day for which it was compiled last; zero: it was not yet
	sum                string    // SHA-256 in hex; only with operators, who see it
	good               *lastGood // what is to be written to disk once its index is published; nil: it comes from there
}

func (l *Loop) decode(snapshot campaign.Snapshot, readAt time.Time) (*material, error) {
	document, err := campaign.Decode(snapshot.Data)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	m := &material{document: document, sourceTime: snapshot.SourceTime, readAt: readAt}
	if m.sum = snapshot.SHA256; m.sum == "" && l.operators != nil {
		sum := sha256.Sum256(snapshot.Data)
		m.sum = hex.EncodeToString(sum[:])
	}
	return m, nil
}

// build compiles a document under the operators' rows. Effective is nil without operators.
func (l *Loop) build(m *material, started time.Time) (*campaign.Effective, *compile.Result, verdict) {
	var effective *campaign.Effective
	document := m.document
	if l.operators != nil {
		effective = l.overlay.Apply(m.document, l.said.Rows.Campaigns())
		document = effective.Document
	}
	now := l.now()
	m.day = dayOf(now)
	index, err := compile.Compile(document, compile.Params{SourceTime: m.sourceTime, MaxBytes: l.maxBytes, Now: now})
	l.metrics.compileSeconds.Observe(time.Since(started).Seconds())
	switch {
	case errors.Is(err, compile.ErrTooLarge):
		return effective, nil, verdict{outcomeTooLarge, err}
	case err != nil:
		return effective, nil, verdict{outcomeUnusable, fmt.Errorf("compile: %w", err)}
	}
	return effective, index, verdict{outcome: outcomeOK}
}

// try makes a document the candidate, if it can be compiled.
func (l *Loop) try(m *material, started time.Time) verdict {
	effective, index, found := l.build(m, started)
	if found.err != nil {
		l.pending = m // other rows or another day may make it usable, though the source does not send it again
		if l.operators != nil {
			l.showPending(m, effective)
		}
		return found
	}
	l.pending = nil
	l.describeDocument(m.sourceTime, index)
	l.readAt, l.unsaved = m.readAt, m.good
	m.good = nil
	l.adopt(m, effective, index)
	return found
}

// showPending shows operators a document that cannot be compiled, so that they can mend it, where there is no other one to show.
func (l *Loop) showPending(m *material, effective *campaign.Effective) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.view == nil || l.view.Index == nil {
		l.view = &View{Effective: effective, Rows: l.said.Rows, Revision: l.said.Rows.Revision(), DocumentSHA256: m.sum, SourceTime: m.sourceTime}
	}
}

// recompile compiles the candidate's document again: the operators' rows or the day are others. The source is not asked.
func (l *Loop) recompile() error {
	effective, index, found := l.build(l.current, time.Now())
	if found.err != nil {
		return found.err
	}
	// It is the same document. But a version that proxies have loaded stays the one that the document is known by: if they refuse the
	// new one, it is not for the document on disk.
	if l.stored == l.candidate.Version && (l.operators == nil || !l.proven && !l.sink.Acknowledged(l.stored)) {
		l.stored = index.Version
	}
	l.adopt(l.current, effective, index)
	return nil
}

// adopt makes a document's index the candidate. The document is kept if it is to be compiled again.
func (l *Loop) adopt(m *material, effective *campaign.Effective, index *compile.Result) {
	l.candidate = index
	if l.published != nil && index.Version == l.published.Version {
		l.published = index // the same content: one copy is enough
	}
	l.current = nil
	if l.operators != nil || timed(index) {
		l.current = m
	}
	l.meta = l.metaOf(m, index)
	if effective == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.view = &View{
		Effective: effective, Rows: l.said.Rows, Revision: l.said.Rows.Revision(), DocumentSHA256: m.sum, SourceTime: m.sourceTime, Index: index,
	}
}

// metaOf is what is kept of a version that was compiled under the present rows.
func (l *Loop) metaOf(m *material, index *compile.Result) revision.Version {
	return revision.Version{Hash: index.Version, Source: m.sum, Revision: l.said.Rows.Revision(), Report: reportOf(index)}
}
