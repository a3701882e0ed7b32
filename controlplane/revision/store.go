package revision

import (
	"context"
	"errors"
	"fmt"
)

// Errors of a [Store]. Anything else that it returns is a failure of the store itself.
var (
	// ErrConflict is returned by Commit when a key has another version. Nothing was changed.
	ErrConflict = errors.New("another writer was faster")
	// ErrUnavailable is wrapped where a later try may succeed: the store cannot be reached, is throttled or has no room.
	ErrUnavailable = errors.New("the store is unavailable")
)

// Limits of a call of a [Store].
const (
	// MaxRead is how many keys a Read or a Remove may have.
	MaxRead = 25
	// MaxPuts is how many values a Commit may have.
	MaxPuts = 4
	// MaxValue is how long a value may be: with its key, an item of DynamoDB.
	MaxValue = 380_000
	// MaxKey is how long a key may be.
	MaxKey = 128
)

// Entry is a value with its version; without a value where the key is not there.
type Entry struct {
	Value []byte
	// Version counts the writes of the key: 0 where it is not there.
	Version uint64
}

// Put is a write of a [Store].
type Put struct {
	Key string
	// Value is not empty.
	Value []byte
	// Version is what the key must have now: 0 for one that must not be there. The write makes it one more.
	Version uint64
}

// Store keeps values by key. It is safe for concurrent use, and between processes as far as the technology goes.
//
// A Commit or a Remove that returned nil survives the death of the process, and every Read after it sees it. A Commit that returned
// ErrConflict changed nothing; after another error it may have been applied, wholly or not at all. A retry inside the store must not take
// its own first try for somebody else's write.
type Store interface {
	// Read returns an entry for each key, in their order. The entries need not be of one moment.
	Read(ctx context.Context, keys ...string) ([]Entry, error)
	// Commit does all writes at once, if every key has the version that its write asks for: else ErrConflict. No key is twice among them.
	Commit(ctx context.Context, puts ...Put) error
	// Remove removes keys, at most MaxRead. It is for what nobody refers to any more, and is not atomic.
	Remove(ctx context.Context, keys ...string) error
}

// CheckPuts says what is wrong with the arguments of a Commit. Every store asks it, so that none accepts what another refuses.
func CheckPuts(puts []Put) error {
	if len(puts) == 0 || len(puts) > MaxPuts {
		return fmt.Errorf("commit of %d values: 1 to %d are possible", len(puts), MaxPuts)
	}
	for _, p := range puts {
		if len(p.Key) == 0 || len(p.Key) > MaxKey {
			return fmt.Errorf("commit of a key of %d bytes: 1 to %d are possible", len(p.Key), MaxKey)
		}
		if len(p.Value) == 0 || len(p.Value) > MaxValue {
			return fmt.Errorf("commit of %d bytes to %s: 1 to %d are possible", len(p.Value), p.Key, MaxValue)
		}
	}
	return nil
}

// CheckKeys says what is wrong with the arguments of a Read or a Remove.
func CheckKeys(keys []string) error {
	if len(keys) == 0 || len(keys) > MaxRead {
		return fmt.Errorf("%d keys: 1 to %d are possible", len(keys), MaxRead)
	}
	return nil
}
