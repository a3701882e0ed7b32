package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"
)

// The keys of a store. See the package comment.
const (
	headKey     = "head"
	snapshotKey = "snapshot"
	pendingKey  = "pending"
	pinKey      = "pin"
)

func revisionKey(number uint64) string { return fmt.Sprintf("revision/%020d", number) }

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
	// Inline is the only chunk, or Batch has them: Starts are the numbers of the first change of each.
	Inline []byte `json:"inline,omitempty"`
	Batch  string `json:"batch,omitempty"`
	Starts []int  `json:"starts,omitempty"`
}

func (r storedRevision) revision(number uint64) Revision {
	return Revision{Number: number, At: r.At, Who: r.Who, Comment: r.Comment, Kind: r.Kind, Reverts: r.Reverts, Count: r.Count}
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

type storedPin struct {
	Version string    `json:"version,omitempty"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
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

// poll reads what moves.
func (j *journal) poll(ctx context.Context) (head, Pin, error) {
	entries, err := j.store.Read(ctx, headKey, pinKey)
	if err != nil {
		return head{}, Pin{}, fmt.Errorf("read the head: %w", err)
	}
	h, pin := head{version: entries[0].Version}, storedPin{}
	if err := errors.Join(readJSON(entries[0], headKey, &h), readJSON(entries[1], pinKey, &pin)); err != nil {
		return head{}, Pin{}, err
	}
	return h, Pin{Counter: entries[1].Version, Version: pin.Version, Who: pin.Who, Comment: pin.Comment, At: pin.At}, nil
}

func (j *journal) setPin(ctx context.Context, p Pin) error {
	w, err := put(pinKey, p.Counter, storedPin{Version: p.Version, Who: p.Who, Comment: p.Comment, At: p.At})
	if err != nil {
		return err
	}
	return j.store.Commit(ctx, w)
}

// append publishes r as the revision after base, or returns ErrConflict. written is told how many changes have been written.
func (j *journal) append(ctx context.Context, base head, r Revision, changes []Change, written func(int)) error {
	stored := storedRevision{At: r.At, Who: r.Who, Comment: r.Comment, Kind: r.Kind, Reverts: r.Reverts, Count: len(changes)}
	parts := split(len(changes), func(i int) int { return changeSize(changes[i]) })
	encode := func(part int) ([]byte, error) {
		var raw []byte
		for _, c := range changes[parts[part].from:parts[part].to] {
			raw = appendChange(raw, c)
		}
		return compress(raw)
	}
	if len(parts) == 1 {
		inline, err := encode(0)
		if err != nil {
			return err
		}
		if len(inline) <= inlineBytes {
			stored.Inline = inline
		}
	}
	if stored.Inline == nil {
		batch, err := j.writeBatch(ctx, len(parts), encode, func(part int) { written(parts[part].to - parts[part].from) })
		if err != nil {
			return fmt.Errorf("write the changes: %w", err)
		}
		stored.Batch = batch
		for _, p := range parts {
			stored.Starts = append(stored.Starts, p.from)
		}
	}
	moved, err := put(headKey, base.version, head{Number: r.Number})
	if err != nil {
		return err
	}
	added, err := put(revisionKey(r.Number), 0, stored)
	if err != nil {
		return err
	}
	if stored.Batch == "" {
		if err := j.store.Commit(ctx, moved, added); err != nil {
			return err
		}
		written(len(changes))
		return nil
	}
	return j.publishBatch(ctx, stored.Batch, nil, moved, added)
}

// revisions reads those with the given numbers.
func (j *journal) revisions(ctx context.Context, numbers []uint64) ([]storedRevision, error) {
	all := make([]storedRevision, 0, len(numbers))
	for len(numbers) > 0 {
		n := min(len(numbers), MaxRead)
		keys := make([]string, n)
		for i, number := range numbers[:n] {
			keys[i] = revisionKey(number)
		}
		numbers = numbers[n:]
		entries, err := j.store.Read(ctx, keys...)
		if err != nil {
			return nil, fmt.Errorf("read revisions: %w", err)
		}
		for i, e := range entries {
			if e.Version == 0 {
				return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, keys[i])
			}
			r, err := decodeRevision(e.Value)
			if err != nil {
				return nil, fmt.Errorf("%w: read %s: %w", ErrDamaged, keys[i], err)
			}
			all = append(all, r)
		}
	}
	return all, nil
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
