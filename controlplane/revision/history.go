package revision

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MaxPage is how many revisions, changes or actions a page has at most.
const MaxPage = 1000

// Revisions returns the newest revisions before a number, at most limit, newest first; before 0 stands for the end. It asks the store for
// those that State has.
func (s *Service) Revisions(ctx context.Context, before uint64, limit int) ([]Revision, error) {
	if err := s.ensureLoaded(ctx); err != nil {
		return nil, err
	}
	numbers := newest(s.State().Rows.Revision(), before, limit)
	stored, err := s.journal.revisions(ctx, numbers)
	if err != nil {
		return nil, err
	}
	revisions := make([]Revision, len(stored))
	for i, r := range stored {
		revisions[i] = r.revision(numbers[i])
	}
	return revisions, nil
}

// newest are the numbers of a page, of those up to last.
func newest(last, before uint64, limit int) (numbers []uint64) {
	if before > 0 {
		last = min(last, before-1)
	}
	for n := last; n > 0 && len(numbers) < min(limit, MaxPage); n-- {
		numbers = append(numbers, n)
	}
	return numbers
}

// Revision returns one revision, or ErrNotFound.
func (s *Service) Revision(ctx context.Context, number uint64) (Revision, error) {
	stored, err := s.stored(ctx, number)
	if err != nil {
		return Revision{}, err
	}
	return stored.revision(number), nil
}

// Changes returns changes of a revision, by campaign ID, from the one with number from (0 is the first) on, at most limit; none at the
// end.
func (s *Service) Changes(ctx context.Context, number uint64, from, limit int) ([]Change, error) {
	stored, err := s.stored(ctx, number)
	if err != nil {
		return nil, err
	}
	limit = min(limit, MaxPage)
	var page []Change
	if from < 0 || from >= stored.Count || limit <= 0 {
		return nil, nil
	}
	err = s.journal.changes(ctx, stored, from, func(changes []Change) bool {
		page = append(page, changes[:min(len(changes), limit-len(page))]...)
		return len(page) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("read revision %d: %w", number, err)
	}
	return page, nil
}

// Between returns what the revisions after one number, up to another, have changed in all, by campaign ID. What was changed and changed
// back is left out. More than MaxChanges rows are an [*InvalidError], and a number that there is not yet is ErrNotFound.
func (s *Service) Between(ctx context.Context, from, to uint64) ([]Change, error) {
	if from > to {
		return nil, invalid("from", "must not be after to")
	}
	if err := s.ensureLoaded(ctx); err != nil {
		return nil, err
	}
	if to > s.State().Rows.Revision() {
		return nil, ErrNotFound
	}
	all := map[string]Change{}
	for next := from + 1; next <= to; {
		var numbers []uint64
		for ; next <= to && len(numbers) < MaxRead; next++ {
			numbers = append(numbers, next)
		}
		revisions, err := s.journal.revisions(ctx, numbers)
		if err != nil {
			return nil, err
		}
		for i, stored := range revisions {
			err := s.journal.changes(ctx, stored, 0, func(changes []Change) bool {
				for _, c := range changes {
					if old, ok := all[c.ID]; ok {
						c.Before = old.Before
					}
					all[c.ID] = c
				}
				return len(all) <= MaxChanges
			})
			if err != nil {
				return nil, fmt.Errorf("read revision %d: %w", numbers[i], err)
			}
			if len(all) > MaxChanges {
				return nil, invalid("from", "and to have more than %d campaigns changed between them", MaxChanges)
			}
		}
	}
	changes := make([]Change, 0, len(all))
	for _, c := range all {
		if !equal(c.Before, c.After) {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.ID, b.ID) })
	return changes, nil
}

func (s *Service) stored(ctx context.Context, number uint64) (storedRevision, error) {
	if err := s.ensureLoaded(ctx); err != nil {
		return storedRevision{}, err
	}
	if number == 0 || number > s.State().Rows.Revision() {
		return storedRevision{}, ErrNotFound
	}
	stored, err := s.journal.revisions(ctx, []uint64{number})
	if err != nil {
		return storedRevision{}, err
	}
	return stored[0], nil
}

func (s *Service) ensureLoaded(ctx context.Context) error {
	if s.State().Loaded {
		return nil
	}
	return s.Follow(ctx)
}
