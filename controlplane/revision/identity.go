package revision

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// identified is a store that has an identity from its first commit on. One that is deleted, or another one, has not the same.
type identified struct {
	Store

	newID func() string
	has   atomic.Bool // as far as is known
}

// Commit commits, in a store without an identity after that is there.
func (s *identified) Commit(ctx context.Context, puts ...Put) error {
	if !s.has.Load() {
		id, err := put(storeKey, 0, s.newID())
		if err != nil {
			return err
		}
		if err := s.Store.Commit(ctx, id); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
		s.has.Store(true)
	}
	return s.Store.Commit(ctx, puts...)
}

// Read reads, and finds out whether there is an identity if it is read: a table can be deleted while it is followed.
func (s *identified) Read(ctx context.Context, keys ...string) ([]Entry, error) {
	entries, err := s.Store.Read(ctx, keys...)
	if i := slices.Index(keys, storeKey); err == nil && i >= 0 {
		s.has.Store(entries[i].Version > 0)
	}
	return entries, err
}
