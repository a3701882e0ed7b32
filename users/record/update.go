package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bounds of an update: its tries take no longer than a second besides what the store takes.
const (
	updateTries = 12
	firstWait   = 2 * time.Millisecond
	longestWait = 100 * time.Millisecond
)

// Match is a client's condition on the version of the record that it updates. nil is no condition.
type Match struct {
	// Any holds for every version, as long as there is a record.
	Any bool
	// Versions are those for which it holds besides. It may be empty, for a client that named none which a record could have.
	Versions []int64
}

func (m *Match) holds(version int64) bool {
	return m == nil || m.Any || slices.Contains(m.Versions, version)
}

// Update writes the values of c over the record's and returns it as it is then. What c leaves out stays, whoever else writes it at the
// same time. The version becomes the next one, also where no value changes.
//
// It returns [ErrNotFound] as Read does, [*RevisionError] where match does not hold, and [ErrContended]. After [ErrUnavailable] or the end
// of ctx the change may have been applied, wholly or not at all.
func (s *Service) Update(ctx context.Context, caller Caller, userID string, c Change, match *Match) (Record, error) {
	if err := errors.Join(validateUserID(userID), c.Validate()); err != nil {
		return Record{}, err
	}
	for try := range updateTries {
		if try > 0 {
			if err := s.wait(ctx, try); err != nil {
				return Record{}, fmt.Errorf("update record: %w: %w", ErrContended, err)
			}
		}
		r, err := s.read(ctx, caller, userID)
		if err != nil {
			return Record{}, err
		}
		if !match.holds(r.Version) {
			return Record{}, &RevisionError{Current: r.Version}
		}
		from := r
		c.apply(&r.Attributes)
		r.Version++
		switch err := s.store.Update(ctx, r, from); {
		case err == nil:
			return r, nil
		case !errors.Is(err, ErrVersion):
			return Record{}, fmt.Errorf("update record: %w", err)
		}
	}
	return Record{}, ErrContended
}

// Merge writes over a what differs between from and to.
func (a *Attributes) Merge(from, to Attributes) {
	into, old := a.values(), from.values()
	for i, value := range to.values() {
		if *value != *old[i] {
			*into[i] = *value
		}
	}
}

func (c *Change) apply(a *Attributes) {
	to := a.values()
	for i, value := range c.values() {
		if value != nil {
			*to[i] = *value
		}
	}
}

// backOff waits up to twice as long with each try. The time is random, so that those who met once do not meet again.
func backOff(ctx context.Context, try int) error {
	timer := time.NewTimer(time.Duration(random(uint64(waitLimit(try)))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func waitLimit(try int) time.Duration {
	return min(firstWait<<min(try-1, 10), longestWait)
}
