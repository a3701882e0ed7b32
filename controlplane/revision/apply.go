package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
	// Kind is any but Revert.
	Kind Kind
	// Edits are at most MaxChanges, of different rows.
	Edits []RowEdit
	// Progress, where it is not nil, hears how many changes of how many are written: at last all of them, and before that, of many changes,
	// 0 and a step for each few hundred KB. It begins again where somebody has changed one of the rows meanwhile. Calls do not overlap;
	// it must not block.
	Progress func(written, all int)
	// Check, where it is not nil, has the last word.
	Check Check
}

// Check decides whether rows may become others; its error is that of Apply or Revert, and nothing is changed. It is asked with the very rows
// that the revision would be made of and would make, again where another replica was faster, and in one call at a time: writes wait for it.
// Many changes are written before it is asked, and removed where it refuses.
type Check func(ctx context.Context, before, after Rows) error

// Apply makes a revision of the edits, all or none; those that ask for what is there already are left out. It returns when the revision is
// durable, and State has it unless the store fails just then. Where somebody else writes meanwhile, it tries again by itself. While it writes
// many changes, others' few go ahead.
//
// After ErrUnavailable or the end of ctx the revision may have been made: Follow and State tell.
func (s *Service) Apply(ctx context.Context, c ChangeSet) (Revision, error) {
	if err := c.validate(); err != nil {
		return Revision{}, err
	}
	edits := slices.Clone(c.Edits)
	slices.SortFunc(edits, func(a, b RowEdit) int { return strings.Compare(a.ID, b.ID) })
	return s.write(ctx, Revision{Who: c.Who, Comment: c.Comment, Kind: c.Kind}, c, func(rows Rows) ([]Change, error) {
		changes := make([]Change, 0, len(edits))
		var conflicts ConflictError
		for _, e := range edits {
			p, there := rows.Get(e.ID) // a row that is not there has revision 0
			if e.Match != nil && *e.Match != p.Revision {
				conflicts.add(e.ID, p, there, e.After)
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
// revision made of it is a conflict. The comment may be empty, and check nil. Revert is otherwise as [Service.Apply].
func (s *Service) Revert(ctx context.Context, number uint64, who, comment string, check Check) (Revision, error) {
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
	r := Revision{Who: who, Comment: comment, Kind: Revert, Reverts: number}
	return s.write(ctx, r, ChangeSet{Check: check}, func(rows Rows) ([]Change, error) {
		changes := make([]Change, 0, len(undone))
		var conflicts ConflictError
		for _, c := range undone {
			p, there := rows.Get(c.ID)
			if !equal(rowOf(p, there), c.After) {
				conflicts.add(c.ID, p, there, c.Before)
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

func (e *ConflictError) add(id string, p Present, there bool, wanted *Row) {
	if e.All++; e.All > maxConflicts {
		return
	}
	c := Conflict{ID: id, Wanted: wanted}
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
