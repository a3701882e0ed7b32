package record

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Access says whose records a caller that is no operator may read and update. Operators may read and update all.
type Access string

// The values of [Access].
const (
	// AccessOwner is the caller's own.
	AccessOwner Access = "owner"
	// AccessAnySignedIn is everybody's.
	AccessAnySignedIn Access = "any_signed_in"
)

// allows reports whether a caller may see and update r. A caller without a subject is nobody: it owns no record, not even those that
// have no owner.
func (a Access) allows(c Caller, r Record) bool {
	return c.Operator || c.Subject != "" && (a == AccessAnySignedIn || c.Subject == r.Owner)
}

// createTries bounds how many user IDs are tried. With half of all taken, one create in 65,536 finds none.
const createTries = 16

// Config is what a [Service] needs.
type Config struct {
	Store Store
	// Access default: [AccessOwner].
	Access Access
	// Now default: [time.Now].
	Now func() time.Time
	// NewID default: [NewID]. It is called concurrently.
	NewID func() string
}

// Service creates, reads and updates records for callers, within what they may. It is safe for concurrent use, and beside other services
// on the same store.
type Service struct {
	store  Store
	access Access
	now    func() time.Time
	newID  func() string
	// wait is between the tries of an update, from 1.
	wait func(ctx context.Context, try int) error
}

// New returns a Service that is ready to use.
func New(c Config) (*Service, error) {
	s := &Service{store: c.Store, access: c.Access, now: c.Now, newID: c.NewID, wait: backOff}
	if s.access == "" {
		s.access = AccessOwner
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.newID == nil {
		s.newID = NewID
	}
	switch {
	case s.store == nil:
		return nil, errors.New("a record service needs a store")
	case s.access != AccessOwner && s.access != AccessAnySignedIn:
		return nil, fmt.Errorf("access %q is neither %s nor %s", s.access, AccessOwner, AccessAnySignedIn)
	}
	return s, nil
}

// Create makes a record of the caller's, under a new user ID.
//
// With an idempotency key, a create that the caller repeats within [KeyLifetime] makes no second record: it returns the first as it was
// created, whatever became of it since, or [ErrIdempotencyConflict] if the attributes are others. Without one ("") there is no telling
// after [ErrUnavailable] whether there is a record.
func (s *Service) Create(ctx context.Context, caller Caller, a Attributes, idempotencyKey string) (Record, error) {
	if err := errors.Join(a.Validate(), validateKey(idempotencyKey)); err != nil {
		return Record{}, err
	}
	if caller.Subject == "" {
		return Record{}, errors.New("create record: the caller has no subject") // a record without an owner would come of it
	}
	r := Record{Attributes: a, Owner: caller.Subject, Version: 1}
	for range createTries {
		r.UserID = s.newID()
		now := s.now()
		key := newKey(r, idempotencyKey, now)
		err := s.store.Create(ctx, r, key, now)
		switch {
		case err == nil:
			return r, nil
		case key != nil && errors.Is(err, ErrKeyTaken):
			first, err := s.store.Key(ctx, key.Name, now)
			switch {
			case errors.Is(err, ErrNotFound):
				continue // it was purged in between
			case err != nil:
				return Record{}, fmt.Errorf("read idempotency key: %w", err)
			case first.Request != key.Request:
				return Record{}, ErrIdempotencyConflict
			}
			r.UserID = first.UserID
			return r, nil
		case !errors.Is(err, ErrExists):
			return Record{}, fmt.Errorf("create record: %w", err)
		}
	}
	return Record{}, fmt.Errorf("create record: %w: no free user ID in %d tries", ErrUnavailable, createTries)
}

// Read returns a record, or [ErrNotFound], also for one that the caller may not see: whether it exists is not theirs to know. For
// one that they may see and that makes no sense the error is [ErrDamaged].
func (s *Service) Read(ctx context.Context, caller Caller, userID string) (Record, error) {
	if err := validateUserID(userID); err != nil {
		return Record{}, err
	}
	return s.read(ctx, caller, userID)
}

// read always asks the store, so that a record of somebody else takes as long as one that is not there.
func (s *Service) read(ctx context.Context, caller Caller, userID string) (Record, error) {
	r, err := s.store.Read(ctx, userID)
	if err == nil && (r.Version < 0 || r.Version == math.MaxInt64) {
		err = fmt.Errorf("%w: no update leads to its version, or from it", ErrDamaged)
	}
	switch {
	case errors.Is(err, ErrNotFound), (err == nil || errors.Is(err, ErrDamaged)) && !s.access.allows(caller, r):
		return Record{}, ErrNotFound
	case err != nil:
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	return r, nil
}

// Ready is nil while records can be read and written.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }
