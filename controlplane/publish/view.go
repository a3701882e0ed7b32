package publish

import (
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// View is what the candidate is: the index of the newest usable document under the newest of the operators' revisions that could be
// compiled with it. It is what is published, but for a pin, a guard and proxies' refusals: see Status. A View never changes.
type View struct {
	// Effective has the campaigns in force, the source's own document, and which of its campaigns are overridden.
	*campaign.Effective
	// Rows are the operators', Revision is theirs.
	Rows     revision.Rows
	Revision uint64
	// DocumentSHA256 is of the source's document, in hex; SourceTime is that document's age.
	DocumentSHA256 string
	SourceTime     time.Time
	// Index is what they compile to; nil where they cannot be compiled, and no document could be with operators' rows since the start.
	Index *compile.Result
}

// View returns the present one. It is nil before there is a document and the operators' rows are loaded, and always without
// Config.Operators: then decoded documents are not kept. It costs nothing, and any goroutine may call it.
//
// After a change of the operators it has the new revision as soon as that is compiled: see Watch.
func (l *Loop) View() *View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view
}

// Watch returns a channel that is closed when View, or what Status tells, may have become something else; not for the mere passing of
// time. Call it before View or Status, so that no change is missed.
func (l *Loop) Watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// announce wakes whoever watches.
func (l *Loop) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}
