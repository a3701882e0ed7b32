package revision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// writersOfBatch is how many chunks are on their way at once: what is in memory of a batch, and how fast it is written.
	writersOfBatch = 4
	// readOfBatch is how many chunks are read at once.
	readOfBatch = 8
	// pendingFor is how long a batch may take from its first chunk to its publication.
	pendingFor = time.Hour
	// pendingTries is how often the list of pending batches is tried to change while others change it.
	pendingTries = 50
	// maxPending bounds the list.
	maxPending = 1000
)

var errAbandoned = fmt.Errorf("%w: writing took too long", ErrUnavailable)

// storedBatch is where a batch is.
type storedBatch struct {
	Batch  string `json:"batch"`
	Chunks int    `json:"chunks"`
}

// span is a range of records.
type span struct{ from, to int }

// split divides n records into the spans of chunks.
func split(n int, size func(i int) int) []span {
	var spans []span
	for i := 0; i < n; {
		s, bytes := span{from: i}, 0
		for ; i < n && bytes < chunkRaw; i++ {
			bytes += size(i)
		}
		s.to = i
		spans = append(spans, s)
	}
	return spans
}

// pendingBatch is a batch that nothing refers to: not yet, or not any more.
type pendingBatch struct {
	Chunks int       `json:"chunks"`
	At     time.Time `json:"at"`
	// Abandoned batches cannot be published.
	Abandoned bool `json:"abandoned,omitempty"`
}

type pending struct {
	Batches map[string]pendingBatch `json:"batches"`
	version uint64
}

func (j *journal) pending(ctx context.Context) (pending, error) {
	entries, err := j.store.Read(ctx, pendingKey)
	if err != nil {
		return pending{}, fmt.Errorf("read the pending batches: %w", err)
	}
	p := pending{version: entries[0].Version}
	if err := readJSON(entries[0], pendingKey, &p); err != nil {
		return pending{}, err
	}
	if p.Batches == nil {
		p.Batches = map[string]pendingBatch{}
	}
	return p, nil
}

// changePending changes the list, and writes puts with it. It is ErrConflict where one of them has become impossible.
func (j *journal) changePending(ctx context.Context, change func(map[string]pendingBatch) error, puts ...Put) error {
	for range pendingTries {
		p, err := j.pending(ctx)
		if err != nil {
			return err
		}
		if err := change(p.Batches); err != nil {
			return err
		}
		w, err := put(pendingKey, p.version, p)
		if err != nil {
			return err
		}
		if err := j.store.Commit(ctx, append([]Put{w}, puts...)...); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := j.possible(ctx, puts...); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the list of pending batches changes all the time", ErrUnavailable)
}

// possible is ErrConflict where a key has another version than a write asks for.
func (j *journal) possible(ctx context.Context, puts ...Put) error {
	if len(puts) == 0 {
		return nil
	}
	keys := make([]string, len(puts))
	for i, p := range puts {
		keys[i] = p.Key
	}
	entries, err := j.store.Read(ctx, keys...)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if e.Version != puts[i].Version {
			return ErrConflict
		}
	}
	return nil
}

// writeBatch writes a batch, which is pending after that, and returns its name. written is told of each chunk, one at a time. What is begun of a
// batch that comes to nothing, as ctx ends or the store is full, is removed when its writers have ended.
func (j *journal) writeBatch(ctx context.Context, chunks int, encode func(i int) ([]byte, error), written func(i int)) (string, error) {
	batch := j.newBatch()
	err := j.changePending(ctx, func(batches map[string]pendingBatch) error {
		if len(batches) >= maxPending {
			return fmt.Errorf("%w: %d batches wait for their removal", ErrUnavailable, len(batches))
		}
		batches[batch] = pendingBatch{Chunks: chunks, At: j.now().UTC()}
		return nil
	})
	if err != nil {
		j.discard(ctx, batch) // it may have been written
		return "", err
	}
	var telling sync.Mutex
	g, failed := errgroup.WithContext(ctx)
	g.SetLimit(writersOfBatch)
	for i := range chunks {
		if failed.Err() != nil {
			break
		}
		g.Go(func() error {
			value, err := encode(i)
			if err == nil {
				err = failed.Err()
			}
			if err != nil {
				return err
			}
			// Not cut off by the failure of another one, or the end of ctx: then it could be applied after its removal.
			whole, cancel := outlasting(ctx)
			defer cancel()
			if err := j.store.Commit(whole, Put{Key: chunkKey(batch, i), Value: value}); err != nil {
				return err
			}
			telling.Lock()
			defer telling.Unlock()
			written(i)
			return nil
		})
	}
	if err = g.Wait(); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		j.discard(ctx, batch) // at once: what has filled a disk must not keep small writes off it
		return "", err
	}
	return batch, nil
}

// outlasting returns a context that ends some time after ctx.
func outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(leaving, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

// publishBatch does puts, which refer to the batch, and takes it off the pending ones; those that it replaces become pending, as readers may
// be at them. After ErrConflict the batch is pending still.
func (j *journal) publishBatch(ctx context.Context, batch string, replaced []storedBatch, puts ...Put) error {
	return j.changePending(ctx, func(batches map[string]pendingBatch) error {
		if b, ok := batches[batch]; !ok || b.Abandoned {
			return errAbandoned
		}
		delete(batches, batch)
		for _, old := range replaced {
			batches[old.Batch] = pendingBatch{Chunks: old.Chunks, At: j.now().UTC(), Abandoned: true}
		}
		return nil
	}, puts...)
}

// discard removes a batch if it is pending. It does so also after the end of ctx, which may be why the batch is not needed any more. Its
// writers must have ended.
func (j *journal) discard(ctx context.Context, batch string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	_ = j.removeBatches(ctx, func(name string, _ pendingBatch) bool { return name == batch }) // else clean does it
}

// clean removes what has been pending for too long.
func (j *journal) clean(ctx context.Context) error {
	now := j.now()
	return j.removeBatches(ctx, func(_ string, b pendingBatch) bool { return now.Sub(b.At) >= pendingFor })
}

func (j *journal) removeBatches(ctx context.Context, which func(string, pendingBatch) bool) error {
	p, err := j.pending(ctx)
	if err != nil {
		return err
	}
	for name, b := range p.Batches {
		if !which(name, b) {
			continue
		}
		if err := j.removeBatch(ctx, name, b); err != nil {
			return fmt.Errorf("remove an abandoned batch: %w", err)
		}
	}
	return nil
}

var errGone = errors.New("it is not pending")

func (j *journal) removeBatch(ctx context.Context, name string, b pendingBatch) error {
	if !b.Abandoned {
		err := j.changePending(ctx, func(batches map[string]pendingBatch) error {
			b, ok := batches[name]
			if !ok {
				return errGone
			}
			b.Abandoned = true
			batches[name] = b
			return nil
		})
		if errors.Is(err, errGone) {
			return nil // published meanwhile
		}
		if err != nil {
			return err
		}
	}
	for i := 0; i < b.Chunks; i += MaxRead {
		var keys []string
		for n := i; n < min(i+MaxRead, b.Chunks); n++ {
			keys = append(keys, chunkKey(name, n))
		}
		if err := j.store.Remove(ctx, keys...); err != nil {
			return err
		}
	}
	return j.changePending(ctx, func(batches map[string]pendingBatch) error {
		delete(batches, name)
		return nil
	})
}

// errMissingChunk is for a batch that is not whole.
var errMissingChunk = fmt.Errorf("%w: a chunk is missing", ErrDamaged)

// readBatch calls fn with chunks of a batch in their order, until it returns false.
func (j *journal) readBatch(ctx context.Context, batch string, from, to int, fn func(i int, value []byte) (bool, error)) error {
	for i := from; i < to; i += readOfBatch {
		var keys []string
		for n := i; n < min(i+readOfBatch, to); n++ {
			keys = append(keys, chunkKey(batch, n))
		}
		entries, err := j.store.Read(ctx, keys...)
		if err != nil {
			return fmt.Errorf("read a batch: %w", err)
		}
		for n, e := range entries {
			if e.Version == 0 {
				return errMissingChunk
			}
			if more, err := fn(i+n, e.Value); err != nil || !more {
				return err
			}
		}
	}
	return nil
}
