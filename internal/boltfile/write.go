package boltfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// maxGroup bounds the writes of one commit, and with it how long a write waits for those that share its commit.
const maxGroup = 128

// write is one call of Update.
type write struct {
	ctx    context.Context //nolint:containedctx // of the caller that waits: one that gave up is left out
	fn     func(*bbolt.Tx) error
	result chan error
	// refused is what fn returned.
	refused error
}

// View calls fn with a read-only transaction, which sees every write that was acknowledged before. Byte slices of the transaction are
// valid until fn returns.
func (f *File) View(fn func(*bbolt.Tx) error) error {
	err := guard(func() error { return f.db.View(fn) })
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// Update calls fn with a writable transaction and returns when what it wrote is on the disk. If fn returns an error, nothing that it did
// is kept, and Update returns that error.
//
// The transaction is shared with other calls, which see each other's writes; so fn may be called several times, on a goroutine of the
// file, and after the end of ctx. An error of fn is returned only once what it saw is on the disk as well.
//
// After ErrWrite, ErrDamaged or the end of ctx it is unknown whether the write was applied; it was wholly or not at all.
func (f *File) Update(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{ctx: ctx, fn: fn, result: make(chan error, 1)}
	select {
	case f.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-f.closing:
		return ErrClosed
	}
	select {
	case err := <-w.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is the only goroutine that writes.
func (f *File) writer() {
	defer close(f.stopped)
	for {
		select {
		case w := <-f.writes:
			f.writeAll(f.gather(w))
		case <-f.closing:
			return
		}
	}
}

// gather takes every write that waits.
func (f *File) gather(first *write) []*write {
	group := []*write{first}
	for len(group) < maxGroup {
		select {
		case w := <-f.writes:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func (f *File) writeAll(group []*write) {
	live := group[:0]
	for _, w := range group {
		if w.ctx.Err() == nil { // else nobody waits, and nothing must happen after the answer
			live = append(live, w)
		}
	}
	if len(live) == 0 {
		return
	}
	err := f.broken
	if err == nil {
		err = f.attempt(live)
	}
	for _, w := range live {
		switch {
		case err != nil:
			f.stats.failed.Add(1)
			w.result <- err
		case w.refused != nil:
			f.stats.refused.Add(1)
			w.result <- w.refused
		default:
			f.stats.writes.Add(1)
			w.result <- nil
		}
	}
}

// attempt commits the group without those that were refused. Each refusal starts it again, as what the refused one wrote before must go;
// the others come to the same results as before.
func (f *File) attempt(group []*write) error {
	for {
		again := false
		err := f.inTx(func(tx *bbolt.Tx) (changed bool) {
			for _, w := range group {
				if w.refused != nil {
					continue
				}
				if w.refused = w.fn(tx); w.refused != nil {
					again = true
					return false
				}
				changed = true
			}
			return changed
		})
		if err != nil || !again {
			return err
		}
	}
}

// inTx runs fn and commits if it changed anything.
func (f *File) inTx(fn func(*bbolt.Tx) (changed bool)) error {
	var tx *bbolt.Tx
	err := guard(func() error {
		var err error
		if tx, err = f.db.Begin(true); err != nil {
			return err
		}
		if !fn(tx) {
			return nil
		}
		if err := f.commit(tx); err != nil {
			f.committed.Store(0)
			if !clean(err) {
				// What a failed sync left out will not be synced by the next one, which then claims a success that is none.
				f.broken = fmt.Errorf("%w since its disk failed; start again: %w", ErrWrite, err)
			}
			return fmt.Errorf("%w: %w", ErrWrite, err)
		}
		f.stats.commits.Add(1)
		f.committed.Store(f.now().UnixNano())
		return nil
	})
	if errors.Is(err, ErrDamaged) {
		f.broken = err
	}
	if tx == nil {
		return err
	}
	if end := guard(tx.Rollback); end != nil && !errors.Is(end, bbolterrors.ErrTxClosed) {
		f.broken = fmt.Errorf("%w: %w", ErrDamaged, end)
		f.stuck.Store(true)
		return f.broken
	}
	return err
}

// clean reports whether a commit failed before anything that counts was written: there was no room.
func clean(err error) bool {
	var path *fs.PathError // of write; a sync's error is a bare number
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
	return errors.Is(err, bbolterrors.ErrMaxSizeReached) ||
		strings.HasPrefix(err.Error(), "file resize error") || // bbolt keeps the text of it alone
		full && errors.As(err, &path)
}
