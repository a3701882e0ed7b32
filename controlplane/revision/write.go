package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// writeTries is how often a write is tried while others write.
	writeTries = 20
	// yieldingBatches is how often a batch is written while others of this replica may write: then they wait, so that it comes to an end.
	yieldingBatches = 2
	// settling is how long it may take to bring the state up to what was stored, also if whoever asked for it has gone.
	settling = 2 * time.Second
	// leaving is how long it may take to finish and to remove what is not wanted any more.
	leaving = 10 * time.Second
)

// writing is a revision that is being made. Its content is prepared for the rows that are known, before the turn; in turn it is made for the
// rows of that moment, if it has not become another one. So a large batch, which takes seconds, keeps nobody waiting.
type writing struct {
	journal  *journal
	plan     func(Rows) ([]Change, error)
	progress func(written, all int)
	check    Check

	// changes are what content has: those of the last try.
	changes []Change
	content content
	// batches is how many have been written.
	batches int
}

// write makes a revision of the changes that plan makes for the rows of the moment. Of c it uses Progress and Check.
func (s *Service) write(ctx context.Context, r Revision, c ChangeSet, plan func(Rows) ([]Change, error)) (Revision, error) {
	if err := s.ensureLoaded(ctx); err != nil {
		return Revision{}, err
	}
	w := writing{journal: &s.journal, plan: plan, progress: c.Progress, check: c.Check}
	if w.progress == nil {
		w.progress = func(int, int) {}
	}
	defer w.discard(ctx)
	for range writeTries {
		yielding := w.batches < yieldingBatches
		if yielding {
			// What is wrong with the edits is said in turn.
			if changes, err := w.changesOf(s.State().Rows); err == nil {
				if err := w.prepare(ctx, changes, true); err != nil {
					return Revision{}, err
				}
			}
		}
		made, err := s.writeInTurn(ctx, &w, r, !yielding)
		if !errors.Is(err, ErrConflict) {
			return made, err
		}
	}
	return Revision{}, ErrContended
}

// writeInTurn returns ErrConflict where it is to be tried again: another replica was faster, or a batch is needed that may not be written here.
func (s *Service) writeInTurn(ctx context.Context, w *writing, r Revision, mayWrite bool) (Revision, error) {
	if err := acquire(ctx, s.turn); err != nil {
		return Revision{}, err
	}
	defer func() { <-s.turn }()
	base, rows, err := s.follow(ctx)
	if err != nil {
		return Revision{}, err
	}
	changes, err := w.changesOf(rows)
	if err != nil {
		return Revision{}, err
	}
	if err := w.prepare(ctx, changes, mayWrite); err != nil {
		return Revision{}, err
	}
	r.Number, r.At, r.Count, r.Summary = base.Number+1, s.journal.now().UTC(), len(changes), summarize(changes)
	after := rows.with(changes, r.Number)
	if w.check != nil {
		if err := w.check(ctx, rows, after); err != nil {
			return Revision{}, err
		}
	}
	if err := s.journal.publish(ctx, base, r, w.content); err != nil {
		return Revision{}, fmt.Errorf("write revision %d: %w", r.Number, err)
	}
	if w.content.Batch == "" {
		w.progress(len(changes), len(changes))
	}
	w.content = content{}
	s.applied(ctx, after, len(changes))
	return r, nil
}

func (w *writing) changesOf(rows Rows) ([]Change, error) {
	changes, err := w.plan(rows)
	if err == nil && len(changes) == 0 {
		err = ErrUnchanged
	}
	if err == nil {
		err = checkSizes(rows, changes)
	}
	return changes, err
}

// prepare makes the content that has the changes, unless it is there. It is ErrConflict where that needs a batch and none may be written.
func (w *writing) prepare(ctx context.Context, changes []Change, mayWrite bool) error {
	if slices.EqualFunc(w.changes, changes, Change.equal) {
		return nil
	}
	inline, err := encodeInline(changes)
	if err != nil {
		return err
	}
	if inline == nil && !mayWrite {
		return ErrConflict
	}
	w.discard(ctx)
	c := content{Inline: inline}
	if inline == nil {
		w.batches++
		w.progress(0, len(changes))
		c, err = w.journal.writeChanges(ctx, changes, func(written int) { w.progress(written, len(changes)) })
		if err != nil {
			return fmt.Errorf("write the changes: %w", err)
		}
	}
	w.changes, w.content = changes, c
	return nil
}

// discard removes a batch that was not published.
func (w *writing) discard(ctx context.Context) {
	if w.content.Batch != "" {
		w.journal.discard(ctx, w.content.Batch)
	}
	w.changes, w.content = nil, content{}
}

// applied puts into the state the rows of a revision that was just written, if they are not there by now. What is stored is made, whatever has
// become of ctx meanwhile. Where the store keeps somebody who follows it waiting, the rows come later, as those of others do.
func (s *Service) applied(ctx context.Context, rows Rows, changes int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	defer func() {
		select {
		case s.wrote <- struct{}{}:
		default:
		}
	}()
	if acquire(ctx, s.following) != nil {
		return
	}
	defer func() { <-s.following }()
	s.mu.Lock()
	state, since := s.state, s.since
	s.mu.Unlock()
	if state.Rows.Revision() == rows.Revision()-1 {
		state.Rows = rows
		since.changes += changes
		s.set(state, since)
	}
}
