package boltfile

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

var errJammed = fmt.Errorf("%w: its headers were, while it was open; start again", ErrDamaged)

// View calls fn with a read-only transaction, which sees every write that was acknowledged before. Byte slices of the transaction are
// valid until fn returns.
func (f *File) View(fn func(*bbolt.Tx) error) error {
	tx, err := f.beginTx(false)
	if err != nil {
		if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
			return ErrClosed
		}
		return err
	}
	defer f.endRead(tx)
	return guard(func() error { return fn(tx) })
}

// beginTx begins a transaction. bbolt reads the file's headers for that, and where they are damaged it panics with locks held which no
// transaction can do without.
func (f *File) beginTx(writable bool) (tx *bbolt.Tx, err error) {
	f.begin.Lock()
	defer f.begin.Unlock()
	if f.isJammed() {
		return nil, errJammed
	}
	err = guard(func() error {
		tx, err = f.db.Begin(writable)
		return err
	})
	if !writable && errors.Is(err, ErrDamaged) {
		close(f.jammed)
	}
	return tx, err
}

// endRead ends a transaction without waiting for ever for one whose beginning panics meanwhile.
func (f *File) endRead(tx *bbolt.Tx) {
	if f.begin.TryLock() { // so none is beginning
		defer f.begin.Unlock()
		if !f.isJammed() {
			_ = tx.Rollback() // it has no error for a transaction that is open
		}
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tx.Rollback() // as above
	}()
	select {
	case <-ended:
	case <-f.jammed:
	}
}

func (f *File) isJammed() bool {
	select {
	case <-f.jammed:
		return true
	default:
		return false
	}
}
