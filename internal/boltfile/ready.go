package boltfile

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// readyAge is for how long a commit proves that the file can be written.
const readyAge = time.Second

// Ready is nil while the file can be read and written. The proof of writing is a commit of the last second, whosever it was; without one
// Ready writes the time into the file, as any other write: synced, and shared with others. So it costs at most one commit a second,
// and none while the file is busy. A file that was removed or replaced meanwhile is not ready: its writes would be lost.
func (f *File) Ready(ctx context.Context) error {
	select {
	case <-f.closing:
		return ErrClosed
	default:
	}
	at, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	if !os.SameFile(at, f.opened) {
		return fmt.Errorf("%w: %s is another file now; start again", ErrWrite, f.path)
	}
	if age := f.now().UnixNano() - f.committed.Load(); age < 0 || age >= int64(readyAge) {
		now := f.now().UTC().Format(time.RFC3339)
		err := f.Update(ctx, func(tx *bbolt.Tx) error { return tx.Bucket(aboutBucket).Put(readyKey, []byte(now)) })
		if err != nil {
			return err
		}
	}
	return f.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(aboutBucket).Get(kindKey) == nil {
			return ErrDamaged
		}
		return nil
	})
}

// Stats are counts since the file was opened, and its present size.
type Stats struct {
	// Writes succeeded, in Commits; Refused ended with an error of the function given to Update; Failed with one of the file.
	Writes, Commits, Refused, Failed uint64
	// Bytes is how much of the file is in use, pages that were freed included. 0 once it is closed.
	Bytes int64
}

// Stats reads the counts.
func (f *File) Stats() Stats {
	s := Stats{
		Writes: f.stats.writes.Load(), Commits: f.stats.commits.Load(),
		Refused: f.stats.refused.Load(), Failed: f.stats.failed.Load(),
	}
	_ = f.View(func(tx *bbolt.Tx) error { // closed: it has no size
		s.Bytes = tx.Size()
		return nil
	})
	return s
}
