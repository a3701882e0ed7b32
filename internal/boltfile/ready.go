package boltfile

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// readyAge is for how long a commit proves that the file can be written, while none has failed since.
const readyAge = time.Minute

// Ready is nil while the file can be read and written. Each call reads a value. The proof of writing is that the last commit succeeded,
// whosever it was, and is not older than a minute; without one Ready writes the time into the file, as any other write: synced, and
// shared with others. So an idle file costs a commit (some 30 KB and a sync) a minute, a busy one none, and one that fails a commit
// each call, until one succeeds. A file that was removed or replaced meanwhile is not ready: its writes would be lost.
func (f *File) Ready(ctx context.Context) error {
	select {
	case <-f.closing:
		return ErrClosed
	default:
	}
	if err := f.present(); err != nil {
		return err
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

// present is nil while the file is at its path. One that was removed or replaced still takes writes, and loses them with the process.
func (f *File) present() error {
	at, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("%w: it is not there: %w", ErrWrite, err)
	}
	if !os.SameFile(at, f.opened) {
		return fmt.Errorf("%w: %s is another file now; start again", ErrWrite, f.path)
	}
	return nil
}

// Stats are counts since the file was opened, and its present size.
type Stats struct {
	// Writes succeeded, in Commits; Refused ended with an error of the function given to Update; Failed with one of the file.
	Writes, Commits, Refused, Failed uint64
	// Bytes is how much of the file is in use, pages that were freed included. 0 once it is closed, or too damaged for that.
	Bytes int64
}

// Stats reads the counts.
func (f *File) Stats() Stats {
	s := Stats{
		Writes: f.stats.writes.Load(), Commits: f.stats.commits.Load(),
		Refused: f.stats.refused.Load(), Failed: f.stats.failed.Load(),
	}
	_ = f.View(func(tx *bbolt.Tx) error { // without it there is no size
		s.Bytes = tx.Size()
		return nil
	})
	return s
}
