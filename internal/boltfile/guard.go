package boltfile

import (
	"fmt"
	"runtime/debug"
)

// guard runs fn, and returns bbolt's panics and the faults of its memory map as ErrDamaged. What bbolt says of a page has no content of
// it.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return fn()
}
