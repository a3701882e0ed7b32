package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

const (
	// snapshotRevisions and snapshotChanges are after how many of them a new snapshot is made; see the package comment.
	snapshotRevisions = 500
	snapshotChanges   = 10_000

	// snapshotTries is for a snapshot that is replaced, and removed, while it is read.
	snapshotTries = 3
)

// storedSnapshot says where all rows are as they were at a revision.
type storedSnapshot struct {
	storedBatch

	Number  uint64 `json:"number"`
	Rows    int    `json:"rows"`
	version uint64
}

func (j *journal) snapshot(ctx context.Context) (storedSnapshot, error) {
	entries, err := j.store.Read(ctx, snapshotKey)
	if err != nil {
		return storedSnapshot{}, fmt.Errorf("read the snapshot: %w", err)
	}
	s := storedSnapshot{version: entries[0].Version}
	return s, readJSON(entries[0], snapshotKey, &s)
}

// load reads the rows of the snapshot; those of revision 0 where there is none.
func (j *journal) load(ctx context.Context) (Rows, error) {
	missing := uint64(0) // the version of the snapshot that was not whole
	for range snapshotTries {
		s, err := j.snapshot(ctx)
		if err != nil {
			return Rows{}, err
		}
		if missing > 0 && s.version == missing {
			return Rows{}, fmt.Errorf("read the snapshot: %w", errMissingChunk)
		}
		b := newBuilder(Rows{})
		err = j.readBatch(ctx, s.Batch, 0, s.Chunks, func(_ int, value []byte) (bool, error) {
			return true, decodeRows(value, func(id string, p Present) { b.set(id, &p) })
		})
		if err == nil && b.rows.count != s.Rows {
			err = fmt.Errorf("%w: the snapshot has %d rows of %d", ErrDamaged, b.rows.count, s.Rows)
		}
		if err == nil {
			return b.done(s.Number), nil
		}
		if !errors.Is(err, errMissingChunk) {
			return Rows{}, err
		}
		missing = s.version
	}
	return Rows{}, fmt.Errorf("%w: the snapshot is replaced each time before it is read", ErrUnavailable)
}

// saveSnapshot makes rows the snapshot, unless another replica has made one that is newer than known. It returns the snapshot's number.
func (j *journal) saveSnapshot(ctx context.Context, rows Rows, known uint64) (uint64, error) {
	old, err := j.snapshot(ctx)
	if err != nil || old.Number > known {
		return old.Number, err
	}
	ids := make([]string, 0, rows.Len())
	for id := range rows.All() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	get := func(i int) Present {
		p, _ := rows.Get(ids[i])
		return p
	}
	parts := split(len(ids), func(i int) int { return len(ids[i]) + len(get(i).Row.Campaign) + 16 })
	batch, err := j.writeBatch(ctx, maxPending, len(parts), func(part int) ([]byte, error) {
		var raw []byte
		for i := parts[part].from; i < parts[part].to; i++ {
			raw = appendStored(raw, ids[i], get(i))
		}
		return compress(raw)
	}, func(int) {})
	if err != nil {
		return 0, fmt.Errorf("write a snapshot: %w", err)
	}
	moved, err := put(snapshotKey, old.version, storedSnapshot{
		storedBatch: storedBatch{Batch: batch, Chunks: len(parts)}, Number: rows.Revision(), Rows: len(ids),
	})
	if err != nil {
		return 0, err
	}
	var replaced []storedBatch
	if old.version > 0 {
		replaced = append(replaced, old.storedBatch)
	}
	err = j.publishBatch(ctx, batch, replaced, moved)
	if err != nil {
		j.discard(ctx, batch)
	}
	if errors.Is(err, ErrConflict) {
		err = nil // another replica's is there, which is as good
	}
	return rows.Revision(), err
}
