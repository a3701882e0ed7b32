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

// Update calls fn with a writable transaction and returns when what it wrote is on the disk. If fn returns an error, nothing that it did
// is kept, and Update returns that error; the same goes for a panic of fn, whose error has the stack.
//
// The transaction is shared with other calls, which see each other's writes; so fn may be called several times, on a goroutine of the
// file, and after the end of ctx. An error of fn is returned only once what it saw is on the disk as well.
//
// After ErrWrite, ErrDamaged or the end of ctx it is unknown whether the write was applied; it was wholly or not at all. It is ErrWrite
// as well while the file is not at its path, whatever fn returns, and works again when the file is back.
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
	case <-f.jammed:
		return errJammed
	}
	select {
	case err := <-w.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-f.jammed: // the writer may wait for a lock of bbolt's
		return errJammed
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
	if err == nil {
		// Refusals as well: their reason may be a write that this very check has made to fail.
		if err = f.present(); err != nil {
			f.committed.Store(0)
		}
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

// attempt commits the group without those that were refused or panicked. Each of these starts it again, as what it wrote before must go
// and bbolt cannot tell whether it wrote; the others come to the same results as before. That is bounded by maxGroup: 64 refusals among
// 128 writes take some 8 ms instead of 2.
func (f *File) attempt(group []*write) error {
	for {
		again := false
		err := f.inTx(func(tx *bbolt.Tx) (changed bool, err error) {
			for _, w := range group {
				if w.refused != nil {
					continue
				}
				done, err := w.try(tx)
				if !done {
					again = err == nil
					return false, err
				}
				changed = true
			}
			return changed, nil
		})
		if err != nil || !again {
			return err
		}
	}
}

// try calls fn. Not done without an error: it was refused.
func (w *write) try(tx *bbolt.Tx) (done bool, err error) {
	w.refused = guard(func() error { return w.fn(tx) })
	if errors.Is(w.refused, ErrDamaged) {
		return false, w.refused
	}
	return w.refused == nil, nil
}

// inTx runs fn and commits if it changed anything.
func (f *File) inTx(fn func(*bbolt.Tx) (changed bool, err error)) error {
	var tx *bbolt.Tx
	err := guard(func() error {
		var err error
		if tx, err = f.beginTx(true); err != nil {
			return err
		}
		if changed, err := fn(tx); !changed {
			return err
		}
		if err := f.commit(tx); err != nil {
			f.committed.Store(0)
			if !clean(err) {
				// A policy: what was not synced is referenced by nothing, so that the next commit could succeed; but a disk that has
				// failed once is for a person to look at, not to be trusted with more.
				f.stop(fmt.Errorf("%w since its disk failed; start again: %w", ErrWrite, err))
			}
			return fmt.Errorf("%w: %w", ErrWrite, err)
		}
		f.stats.commits.Add(1)
		f.committed.Store(f.now().UnixNano())
		return nil
	})
	if errors.Is(err, ErrDamaged) {
		f.stop(err)
	}
	if tx == nil {
		if err != nil {
			f.stuck.Store(true) // bbolt may have kept its lock of writers
		}
		return err
	}
	if end := guard(tx.Rollback); end != nil && !errors.Is(end, bbolterrors.ErrTxClosed) {
		f.stuck.Store(true)
		f.stop(fmt.Errorf("%w: %w", ErrDamaged, end))
		return f.broken
	}
	return err
}

// stop ends all writing, until the file is opened again.
func (f *File) stop(why error) {
	f.broken = why
	f.committed.Store(0)
}

// clean reports whether a commit failed before anything that counts was written: there was no room.
func clean(err error) bool {
	var path *fs.PathError // of write; a sync's error is a bare number
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
	return strings.HasPrefix(err.Error(), "file resize error") || // bbolt keeps the text of it alone
		full && errors.As(err, &path)
}
