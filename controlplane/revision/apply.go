package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// applyTries is how often a write is tried while other replicas write.
const applyTries = 20

// RowEdit is what an operator wants a row to be.
type RowEdit struct {
	ID string
	// After is nil to remove the row.
	After *Row
	// Match, where it is not nil, is the revision that changed the row last as far as the editor knows, or 0 for no row: else it is a
	// conflict. Without it the edit is made whatever the row is.
	Match *uint64
}

// ChangeSet is what Apply makes a revision of.
type ChangeSet struct {
	// Who and Comment may have MaxWhoBytes and MaxCommentRunes.
	Who, Comment string
	// Kind is Edit or Import.
	Kind Kind
	// Edits are at most MaxChanges, of different rows.
	Edits []RowEdit
	// Progress, where it is not nil, is told from time to time how many changes of how many are written; it begins again from the start
	// where another replica was faster. It must not block.
	Progress func(written, all int)
}

// Apply makes a revision of the edits, all or none; those that ask for what is there already are left out. It returns when the revision is
// durable, and State has it. Where another replica changes other rows meanwhile, it tries again by itself.
//
// After ErrUnavailable or the end of ctx the revision may have been made: Follow and State tell.
func (s *Service) Apply(ctx context.Context, c ChangeSet) (Revision, error) {
	if err := c.validate(); err != nil {
		return Revision{}, err
	}
	edits := slices.Clone(c.Edits)
	slices.SortFunc(edits, func(a, b RowEdit) int { return strings.Compare(a.ID, b.ID) })
	return s.write(ctx, Revision{Who: c.Who, Comment: c.Comment, Kind: c.Kind}, c.Progress, func(rows Rows) ([]Change, error) {
		changes := make([]Change, 0, len(edits))
		var conflicts ConflictError
		for _, e := range edits {
			p, there := rows.Get(e.ID) // a row that is not there has revision 0
			if e.Match != nil && *e.Match != p.Revision {
				conflicts.add(e.ID, p, there)
				continue
			}
			if c := (Change{ID: e.ID, Before: rowOf(p, there), After: e.After}); !equal(c.Before, c.After) {
				changes = append(changes, c)
			}
		}
		return changes, conflicts.orNil()
	})
}

// Revert makes a revision that undoes another one: each of its rows becomes what it was before. A row that is not any more what the
// revision made of it is a conflict. The comment may be empty. Revert is otherwise as [Service.Apply].
func (s *Service) Revert(ctx context.Context, number uint64, who, comment string) (Revision, error) {
	if err := validateSigned(who, comment); err != nil {
		return Revision{}, err
	}
	stored, err := s.stored(ctx, number)
	if err != nil {
		return Revision{}, err
	}
	undone := make([]Change, 0, stored.Count)
	if err := s.journal.changes(ctx, stored, 0, func(c []Change) bool { undone = append(undone, c...); return true }); err != nil {
		return Revision{}, fmt.Errorf("read revision %d: %w", number, err)
	}
	return s.write(ctx, Revision{Who: who, Comment: comment, Kind: Revert, Reverts: number}, nil, func(rows Rows) ([]Change, error) {
		changes := make([]Change, 0, len(undone))
		var conflicts ConflictError
		for _, c := range undone {
			p, there := rows.Get(c.ID)
			if !equal(rowOf(p, there), c.After) {
				conflicts.add(c.ID, p, there)
				continue
			}
			changes = append(changes, Change{ID: c.ID, Before: c.After, After: c.Before})
		}
		return changes, conflicts.orNil()
	})
}

func rowOf(p Present, there bool) *Row {
	if !there {
		return nil
	}
	return &p.Row
}

func (e *ConflictError) add(id string, p Present, there bool) {
	if e.All++; e.All > maxConflicts {
		return
	}
	c := Conflict{ID: id}
	if there {
		c.Present = &p
	}
	e.Conflicts = append(e.Conflicts, c)
}

func (e *ConflictError) orNil() error {
	if e.All == 0 {
		return nil
	}
	return e
}

// write makes a revision of the changes that plan makes for the rows of the moment.
func (s *Service) write(ctx context.Context, r Revision, progress func(int, int), plan func(Rows) ([]Change, error)) (Revision, error) {
	if err := acquire(ctx, s.turn); err != nil {
		return Revision{}, err
	}
	defer func() { <-s.turn }()
	for range applyTries {
		base, rows, err := s.follow(ctx)
		if err != nil {
			return Revision{}, err
		}
		changes, err := plan(rows)
		if err != nil {
			return Revision{}, err
		}
		if len(changes) == 0 {
			return Revision{}, ErrUnchanged
		}
		if err := checkSizes(rows, changes); err != nil {
			return Revision{}, err
		}
		r.Number, r.At, r.Count = base.Number+1, s.journal.now().UTC(), len(changes)
		done := 0
		err = s.journal.append(ctx, base, r, changes, func(n int) {
			if done += n; progress != nil {
				progress(done, len(changes))
			}
		})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return Revision{}, fmt.Errorf("write revision %d: %w", r.Number, err)
		}
		s.applied(r.Number, changes)
		return r, nil
	}
	return Revision{}, ErrContended
}

// applied puts into the state what was just written, if it is not there by now.
func (s *Service) applied(number uint64, changes []Change) {
	s.following <- struct{}{}
	defer func() { <-s.following }()
	s.mu.Lock()
	state, since := s.state, s.since
	s.mu.Unlock()
	if state.Rows.Revision() == number-1 {
		b := newBuilder(state.Rows)
		b.apply(changes, number)
		state.Rows = b.done(number)
		since.changes += len(changes)
		s.set(state, since)
	}
	select {
	case s.wrote <- struct{}{}:
	default:
	}
}

// checkSizes refuses changes that would make more than the limits allow.
func checkSizes(rows Rows, changes []Change) error {
	count, bytes, all := rows.count, rows.bytes, 0
	for _, c := range changes {
		if c.Before != nil {
			count--
			bytes -= len(c.ID) + len(c.Before.Campaign)
		}
		if c.After != nil {
			count++
			bytes += len(c.ID) + len(c.After.Campaign)
		}
		all += changeSize(c)
	}
	var errs []error
	if count > MaxRows {
		errs = append(errs, invalid("edits", "would make %d campaigns, more than %d", count, MaxRows))
	}
	if bytes > MaxRowBytes {
		errs = append(errs, invalid("edits", "would make %d bytes of campaigns, more than %d", bytes, MaxRowBytes))
	}
	if all > MaxChangeBytes {
		errs = append(errs, invalid("edits", "have %d bytes, more than %d", all, MaxChangeBytes))
	}
	return errors.Join(errs...)
}
