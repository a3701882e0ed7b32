package record

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Store]. Anything else that it returns is a failure of the store itself, and wraps [ErrUnavailable] where a later try may
// succeed.
var (
	// ErrNotFound is returned where there is no such record, or no such key, or an expired one.
	ErrNotFound = errors.New("not found")
	// ErrExists is returned by Create when a record has the user ID.
	ErrExists = errors.New("the user ID is taken")
	// ErrKeyTaken is returned by Create when an unexpired key of this name is there.
	ErrKeyTaken = errors.New("the idempotency key is taken")
	// ErrVersion is returned by Update when the record has another version.
	ErrVersion = errors.New("the record has another version")
	// ErrDamaged is returned by Read for a record that is there and makes no sense.
	ErrDamaged = errors.New("the stored record is damaged")
	// ErrUnavailable is returned when the store cannot be reached, is throttled or has no room: try later.
	ErrUnavailable = errors.New("the store is unavailable")
)

// Store keeps records and idempotency keys. It is safe for concurrent use, and between processes as far as the technology goes. A write
// that returned nil survives the death of the process, and every later Read sees it. A write that returned one of the errors above
// except ErrUnavailable changed nothing; after ErrUnavailable or the end of ctx it may have been applied, wholly or not at all.
//
// A retry inside the store must not take its own first try for somebody else's write.
type Store interface {
	// Create puts a new record and, where key is not nil, the key with it: both or neither. now decides whether a key of that name has
	// expired, and may be replaced. ErrKeyTaken goes before ErrExists.
	Create(ctx context.Context, r Record, key *Key, now time.Time) error
	// Key returns the key of this name if it has not expired at now, or ErrNotFound.
	Key(ctx context.Context, name string, now time.Time) (Key, error)
	// Read returns the record, or ErrNotFound. With ErrDamaged it returns the user ID and the owner, if that can be read.
	Read(ctx context.Context, userID string) (Record, error)
	// Update writes the version of r, and those attributes of r that differ from the attributes of from, over the record with r's user ID,
	// if that has the version of from: else ErrVersion, or ErrNotFound. from is what Read returned. The other attributes, the owner, and
	// whatever else is stored with the record, stay as they are: what another program has written into an attribute in a form that Read
	// does not understand is not lost before somebody gives that attribute a value.
	Update(ctx context.Context, r, from Record) error
	// Ready is nil while the store can be read and written.
	Ready(ctx context.Context) error
}
