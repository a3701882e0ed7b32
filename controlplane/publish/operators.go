package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// loadGrace is how long the operators' rows are waited for after the start, before the index on disk is published in their absence.
const loadGrace = 10 * time.Second

// Operators is what operators say of campaigns, and where published versions are kept: a *revision.Service. It is safe for concurrent use.
type Operators interface {
	// Watch returns what operators say now, and a channel that is closed as soon as that is something else.
	Watch() (revision.State, <-chan struct{})
	// Following returns how well the store is followed.
	Following() revision.Following
	// KeepVersion keeps a published index as the newest version.
	KeepVersion(ctx context.Context, v revision.Version, index []byte) error
	// Versions returns what is kept, newest first.
	Versions(ctx context.Context) ([]revision.Version, error)
	// ReadVersion writes the index of a kept version to w.
	ReadVersion(ctx context.Context, hash string, w io.Writer) (revision.Version, error)
	// SetDecision stores what was decided of a held version, in place of the decision with that counter, and Watch has it then.
	SetDecision(ctx context.Context, d revision.Decision) (revision.Decision, error)
	// SetPublished tells other replicas what is published here, in place of what was told with that counter, and Watch has it then.
	SetPublished(ctx context.Context, p revision.Published) (revision.Published, error)
}

var _ Operators = (*revision.Service)(nil)

// OperatorsStatus is what is known of the operators' changes.
type OperatorsStatus struct {
	// Loaded is false until they have been read for the first time: till then nothing is compiled.
	Loaded bool `json:"loaded"`
	// Revision is the newest one that is read; Compiled is that of the candidate.
	Revision uint64 `json:"revision"`
	Compiled uint64 `json:"compiled_revision"`
	// Campaigns and Paused are how many of the candidate's campaigns are operators', and how many of the source's they paused.
	// Unreadable counts rows that are no campaigns: what they say, and the source's campaigns of their ids, are not served.
	Campaigns  int `json:"campaigns"`
	Paused     int `json:"paused"`
	Unreadable int `json:"unreadable"`
	// Error is why Revision is not compiled, KeepError why the published version is not kept.
	Error     string `json:"error,omitempty"`
	KeepError string `json:"keep_error,omitempty"`
	// ReadAt is when the store was read last, and ReadError why it cannot be now: what others have said since is not known here.
	ReadAt    time.Time `json:"read_at,omitzero"`
	ReadError string    `json:"read_error,omitempty"`
}

// PinStatus is the version that operators hold.
type PinStatus struct {
	Version string    `json:"version"`
	Who     string    `json:"who"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
	// Waiting is the version that would be published without the pin; empty: the pinned one, or none.
	Waiting string `json:"waiting,omitempty"`
	// Error is why the pinned version is not published: what was published before it stays.
	Error string `json:"error,omitempty"`
}

// loaded tells whether it is known what operators say.
func (l *Loop) loaded() bool { return l.operators == nil || l.said.Loaded }

// follow pokes Run when operators say something new. Changes that come in a burst are gathered.
func (l *Loop) follow(ctx context.Context) {
	grace := time.NewTimer(loadGrace)
	defer grace.Stop()
	gather := time.NewTimer(0)
	defer gather.Stop()
	for {
		_, changed := l.operators.Watch()
		l.poke()
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				waiting = false
			case <-grace.C:
				l.mu.Lock()
				l.overdue = true
				l.mu.Unlock()
				l.poke()
			}
		}
		gather.Reset(gatherWindow)
		select {
		case <-ctx.Done():
			return
		case <-gather.C:
		}
	}
}

// settle does what follows from what operators said since the last time, of campaigns, of the pin, of what is held, and from the day.
func (l *Loop) settle() {
	l.heed()
	l.renew()
	l.takeFetched()
	l.takeBase()
	l.offer()
	if l.verdict.err == nil && l.judged != nil && l.answered {
		l.confirm()
	}
	l.finish()
}

// heed compiles under the rows that operators have now.
func (l *Loop) heed() {
	if l.operators == nil {
		return
	}
	before := l.said
	l.said, _ = l.operators.Watch()
	l.watchStore()
	switch {
	case !l.said.Loaded || before.Loaded && l.said.Rows == before.Rows:
		return
	case !before.Loaded:
		l.log.Info("operators' changes loaded", zap.Uint64("revision", l.said.Rows.Revision()), zap.Int("rows", l.said.Rows.Len()))
		l.heedFirst()
	default:
		l.noteOperators(l.heedChange())
	}
}

// heedFirst compiles what has waited for the rows: the document on disk first, which is what the source's is compared with.
func (l *Loop) heedFirst() {
	pending := l.pending
	if l.restored != nil {
		l.publishRestored(l.restored)
		l.restored = nil
	}
	if pending != nil {
		l.noteOperators(l.retry(pending))
	}
}

func (l *Loop) heedChange() error {
	var err error
	if l.pending != nil {
		if err = l.retry(l.pending); err == nil {
			return nil
		}
	}
	if l.current == nil {
		return err
	}
	return l.recompile()
}

// retry tries a document under other rows. What is found is the verdict on the source's document if it is that.
func (l *Loop) retry(m *material) error {
	found := l.try(m, time.Now())
	if l.judged == m {
		l.verdict = found
	}
	return found.err
}

var errNotLoaded = errors.New("the operators' changes have not been read yet")

// noteOperators notes why the newest revision is not compiled.
func (l *Loop) noteOperators(err error) {
	if err != nil {
		l.log.Error("operators' changes cannot be compiled, the last good index stays",
			zap.Uint64("revision", l.said.Rows.Revision()), zap.String("error", text(err)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Operators = l.status.Operators.with(func(s *OperatorsStatus) { s.Error = text(err) })
}

// with returns a changed copy: what Status has returned stays as it is.
func (s *OperatorsStatus) with(change func(*OperatorsStatus)) *OperatorsStatus {
	changed := *s
	change(&changed)
	return &changed
}

// followed returns a copy that also tells how well the store is followed.
func (s *OperatorsStatus) followed(f revision.Following) *OperatorsStatus {
	return s.with(func(s *OperatorsStatus) {
		if s.ReadError = text(f.Err); !f.ReadAt.IsZero() {
			s.ReadAt = f.ReadAt.UTC()
		}
	})
}

// describeUnreadable logs rows that are no campaigns.
func (l *Loop) describeUnreadable(e *campaign.Effective) {
	l.metrics.unreadableRows.Set(float64(e.UnreadableRows))
	if e.UnreadableRows == 0 {
		l.rows.report("", nil, "", "operators' rows can all be read again")
		return
	}
	first := e.Unreadable[0]
	why := fmt.Errorf("%d rows, the first is %q: %v", e.UnreadableRows, first.ID, first.Errors)
	l.rows.report(fmt.Sprint(e.UnreadableRows, " rows"), why,
		"operators' rows cannot be read: neither they nor the source's campaigns of their ids are served", "")
}

// describeOperators brings Status to what operators say, and what became of it.
func (l *Loop) describeOperators() {
	if l.operators == nil {
		return
	}
	said := l.said
	l.metrics.operatorsRevision.Set(float64(said.Rows.Revision()))
	l.metrics.compiledRevision.Set(float64(l.meta.Revision))
	l.metrics.pinned.Set(boolFloat(said.Pin.Version != ""))
	if v := l.view; v != nil && v.Index != nil {
		l.describeUnreadable(v.Effective)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Operators = l.status.Operators.with(func(s *OperatorsStatus) {
		switch {
		case !said.Loaded:
			s.Error = errNotLoaded.Error()
		case s.Error == errNotLoaded.Error():
			s.Error = ""
		}
		s.Loaded, s.Revision = said.Loaded, said.Rows.Revision()
		if v := l.view; v != nil && v.Index != nil {
			s.Compiled, s.Campaigns, s.Paused, s.Unreadable = v.Revision, v.Operators(), v.PausedByOperator(), v.UnreadableRows
		}
	})
	l.status.Pin = nil
	if pin := said.Pin; pin.Version != "" {
		l.status.Pin = &PinStatus{Version: pin.Version, Who: pin.Who, At: pin.At, Comment: pin.Comment, Error: text(l.pinError)}
		if l.candidate != nil && l.candidate.Version != pin.Version {
			l.status.Pin.Waiting = l.candidate.Version
		}
	}
}
