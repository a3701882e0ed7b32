package boltfile

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// errPanic is for a function given to View or Update that panicked by itself: the file is as well as before.
var errPanic = errors.New("panic in a transaction")

// guard runs fn and returns its panic as an error: ErrDamaged for one of bbolt, or a fault of its memory map; errPanic for any other,
// with the stack. What bbolt says of a page has no content of it.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if _, fault := p.(interface{ Addr() uintptr }); fault || boltPanics() {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		} else {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return fn()
}

// boltPanics reports, to a deferred function that recovers, whether it was bbolt's code that panicked.
func boltPanics() bool {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	for panicking := false; ; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(frame.Function, "runtime."):
			return strings.HasPrefix(frame.Function, "go.etcd.io/bbolt")
		}
		if !more {
			return false
		}
	}
}
