package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"
)

// The keys of a store. See the package comment.
const (
	headKey      = "head"
	snapshotKey  = "snapshot"
	pendingKey   = "pending"
	pinKey       = "pin"
	decisionKey  = "decision"
	actionsKey   = "actions"
	publishedKey = "published"
	storeKey     = "store"
)

func revisionKey(number uint64) string { return fmt.Sprintf("revision/%020d", number) }

func actionKey(number uint64) string { return fmt.Sprintf("action/%020d", number) }

func chunkKey(batch string, i int) string { return fmt.Sprintf("chunk/%s/%d", batch, i) }

// inlineBytes is up to what compressed size the changes are in the revision itself: few changes cost one commit and one read.
const inlineBytes = 64 << 10

// journal is the history in a store.
type journal struct {
	store    Store
	now      func() time.Time
	newBatch func() string
}

// head is where the history ends.
type head struct {
	Number  uint64 `json:"number"`
	version uint64
}

type storedRevision struct {
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	Kind    Kind      `json:"kind"`
	Reverts uint64    `json:"reverts,omitempty"`
	Count   int       `json:"count"`
	Summary
	content
}

// content is where the changes of a revision are: Inline is the only chunk, or Batch has them, and Starts are the numbers of the first change
// of each chunk.
type content struct {
	Inline []byte `json:"inline,omitempty"`
	Batch  string `json:"batch,omitempty"`
	Starts []int  `json:"starts,omitempty"`
}

func (r storedRevision) revision(number uint64) Revision {
	return Revision{
		Number: number, At: r.At, Who: r.Who, Comment: r.Comment, Kind: r.Kind, Reverts: r.Reverts, Count: r.Count, Summary: r.Summary,
	}
}

func (r storedRevision) validate() error {
	if r.Inline != nil {
		return nil
	}
	if r.Batch == "" || len(r.Starts) == 0 || r.Starts[0] != 0 || !sort.IntsAreSorted(r.Starts) || r.Starts[len(r.Starts)-1] >= r.Count {
		return errors.New("its changes are nowhere")
	}
	return nil
}

// readJSON decodes the value of an entry; v stays as it is where there is none.
func readJSON(e Entry, key string, v any) error {
	if e.Version == 0 {
		return nil
	}
	if err := json.Unmarshal(e.Value, v); err != nil {
		return fmt.Errorf("%w: read %s: %w", ErrDamaged, key, err)
	}
	return nil
}

func put(key string, version uint64, v any) (Put, error) {
	value, err := json.Marshal(v)
	if err == nil && len(value) > MaxValue {
		err = fmt.Errorf("%d bytes, more than %d", len(value), MaxValue)
	}
	if err != nil {
		return Put{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return Put{Key: key, Value: value, Version: version}, nil
}

// moving is what a poll reads.
type moving struct {
	head      head
	pin       Pin
	decision  Decision
	published Published
	store     string
}

func (j *journal) poll(ctx context.Context) (moving, error) {
	entries, err := j.store.Read(ctx, headKey, pinKey, decisionKey, publishedKey, storeKey)
	if err != nil {
		return moving{}, fmt.Errorf("read the head: %w", err)
	}
	var m moving
	err = errors.Join(readJSON(entries[0], headKey, &m.head), readJSON(entries[1], pinKey, &m.pin), readJSON(entries[2], decisionKey, &m.decision),
		readJSON(entries[3], publishedKey, &m.published), readJSON(entries[4], storeKey, &m.store))
	if err != nil {
		return moving{}, err
	}
	m.head.version, m.pin.Counter, m.decision.Counter, m.published.Counter = entries[0].Version, entries[1].Version, entries[2].Version, entries[3].Version
	return m, nil
}

func splitChanges(changes []Change) []span {
	return split(len(changes), func(i int) int { return changeSize(changes[i]) })
}

func encodeChanges(changes []Change) ([]byte, error) {
	var raw []byte
	for _, c := range changes {
		raw = appendChange(raw, c)
	}
	return compress(raw)
}

// encodeInline returns nil where the changes are too many for that.
func encodeInline(changes []Change) ([]byte, error) {
	if len(splitChanges(changes)) > 1 {
		return nil, nil
	}
	inline, err := encodeChanges(changes)
	if err != nil || len(inline) > inlineBytes {
		return nil, err
	}
	return inline, nil
}

// writeChanges writes a batch, which is pending after that. written is told how many changes are written, at last all.
func (j *journal) writeChanges(ctx context.Context, changes []Change, written func(int)) (content, error) {
	parts, done := splitChanges(changes), 0
	batch, err := j.writeBatch(ctx, maxPending, len(parts), func(i int) ([]byte, error) {
		return encodeChanges(changes[parts[i].from:parts[i].to])
	}, func(i int) {
		done += parts[i].to - parts[i].from
		written(done)
	})
	if err != nil {
		return content{}, err
	}
	c := content{Batch: batch}
	for _, p := range parts {
		c.Starts = append(c.Starts, p.from)
	}
	return c, nil
}

// publish makes r, with content, the revision after base, or returns ErrConflict.
func (j *journal) publish(ctx context.Context, base head, r Revision, c content) error {
	moved, err := put(headKey, base.version, head{Number: r.Number})
	if err != nil {
		return err
	}
	added, err := put(revisionKey(r.Number), 0, storedRevision{
		At: r.At, Who: r.Who, Comment: r.Comment, Kind: r.Kind, Reverts: r.Reverts, Count: r.Count, Summary: r.Summary, content: c,
	})
	if err != nil {
		return err
	}
	if c.Batch == "" {
		return j.store.Commit(ctx, moved, added)
	}
	return j.publishBatch(ctx, c.Batch, nil, moved, added)
}

// revisions reads those with the given numbers.
func (j *journal) revisions(ctx context.Context, numbers []uint64) ([]storedRevision, error) {
	all := make([]storedRevision, 0, len(numbers))
	err := j.records(ctx, numbers, revisionKey, func(_ uint64, value []byte) error {
		r, err := decodeRevision(value)
		all = append(all, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	return all, nil
}

// records calls decode with the values under the keys of numbers, in their order. All must be there.
func (j *journal) records(ctx context.Context, numbers []uint64, key func(uint64) string, decode func(number uint64, value []byte) error) error {
	for some := range slices.Chunk(numbers, MaxRead) {
		keys := make([]string, len(some))
		for i, number := range some {
			keys[i] = key(number)
		}
		entries, err := j.store.Read(ctx, keys...)
		if err != nil {
			return err
		}
		for i, e := range entries {
			if e.Version == 0 {
				return fmt.Errorf("%w: %s is missing", ErrDamaged, keys[i])
			}
			if err := decode(some[i], e.Value); err != nil {
				return fmt.Errorf("%w: read %s: %w", ErrDamaged, keys[i], err)
			}
		}
	}
	return nil
}

func decodeRevision(value []byte) (r storedRevision, err error) {
	if err = json.Unmarshal(value, &r); err == nil {
		err = r.validate()
	}
	return r, err
}

// changes calls fn with the changes of a revision from a number of theirs on, chunk by chunk, until it returns false.
func (j *journal) changes(ctx context.Context, r storedRevision, from int, fn func([]Change) bool) error {
	if r.Inline != nil {
		changes, err := decodeChanges(r.Inline)
		if err != nil {
			return err
		}
		if from < len(changes) {
			fn(changes[from:])
		}
		return nil
	}
	first := max(sort.SearchInts(r.Starts, from+1)-1, 0)
	return j.readBatch(ctx, r.Batch, first, len(r.Starts), func(i int, value []byte) (bool, error) {
		changes, err := decodeChanges(value)
		if err != nil {
			return false, err
		}
		skip := max(from-r.Starts[i], 0)
		if skip >= len(changes) {
			return true, nil
		}
		return fn(changes[skip:]), nil
	})
}
