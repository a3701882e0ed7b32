package compile

import (
	"errors"
	"fmt"
)

// DefaultMaxBytes is the size limit of an index unless one is configured. A filter holds the old and the new index while
// it takes a push, in a VM of a fixed 1 GiB.
const DefaultMaxBytes = 96 << 20

// ErrTooLarge is returned, wrapped with both sizes, for an index over the limit.
var ErrTooLarge = errors.New("index too large")

// MaxKeyBytes is what the segments and the cycles of one key may take: flights, each with edges of its own, make many cycles that differ
// by one ad.
const MaxKeyBytes = 64 << 20

// ErrKeyTooLarge is what a KeyTooLargeError is, for errors.Is.
var ErrKeyTooLarge = errors.New("key_too_large")

// KeyTooLargeError is returned, wrapped, for a key over MaxKeyBytes.
type KeyTooLargeError struct {
	Key   string // canonical, such as "us/eng"
	Bytes int64  // what its segments and cycles would take
	Ads   int    // campaigns that apply to it
}

// Error names the key, its size and the limit.
func (e *KeyTooLargeError) Error() string {
	return fmt.Sprintf("%v: key %s with %d campaigns takes %d bytes of segments and cycles, the limit is %d",
		ErrKeyTooLarge, e.Key, e.Ads, e.Bytes, MaxKeyBytes)
}

// Is reports whether target is ErrKeyTooLarge.
func (e *KeyTooLargeError) Is(target error) bool { return target == ErrKeyTooLarge }

// ErrTooManyPairs is returned, wrapped with the count, where wildcards make more keys, or apply to more keys, than can be compiled in
// reasonable time.
var ErrTooManyPairs = errors.New("too many keys for the wildcards")

const (
	// maxKeys is far above all countries with all languages that ISO 639-1 has, 46,000.
	maxKeys = 1 << 18
	// maxCandidates is how often campaigns may stand in keys besides their own.
	maxCandidates = 1 << 23
)

// segmentBytes and turnBytes are what a segment and a turn take in an index.
const (
	segmentBytes = 8
	turnBytes    = 4
)
