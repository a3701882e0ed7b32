package revision

import (
	"context"
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
)

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

// writeBatch writes a batch, which is pending after that, and returns its name; see begin for most. written is told of each chunk, one at a
// time. What is begun of a batch that comes to nothing, as ctx ends or the store is full, is removed when its writers have ended.
func (j *journal) writeBatch(ctx context.Context, most, chunks int, encode func(i int) ([]byte, error), written func(i int)) (string, error) {
	batch := j.newBatch()
	if err := j.begin(ctx, batch, chunks, most); err != nil {
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
	err := g.Wait()
	if err == nil {
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
