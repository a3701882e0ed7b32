package storetest

import (
	"context"
	"sync/atomic"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing
)

const (
	// maxLooks bounds how often a store may look at the context of one call; those that there are look five times.
	maxLooks = 100
	// moments is how many parts of a call's time are tried.
	moments = 16
)

// ending is a context that ends when somebody looks whether it has ended, for the so-many-th time.
type ending struct {
	context.Context //nolint:containedctx // it is a context itself
	end             context.CancelFunc
	left            atomic.Int64 // looks
}

func (e *ending) look() {
	if e.left.Add(-1) == 0 {
		e.end()
	}
}

func (e *ending) Done() <-chan struct{} {
	e.look()
	return e.Context.Done()
}

func (e *ending) Err() error {
	e.look()
	return e.Context.Err()
}

// endAnywhere makes call again and again, each with another n, with a context that ends the next time that the store looks at it: before
// anything is done at first, then at every step of it. It goes on until a call ends before its context does, and then with contexts that
// end at moments of the time which that call took: also while somebody else (a driver, a disk, a network) has the write.
func endAnywhere(t *testing.T, call func(c context.Context, n int) error) {
	t.Helper()
	n, took := 1, time.Duration(0)
	for ; took == 0; n++ {
		require.Less(t, n, maxLooks, "the store does not come to an end")
		inner, cancel := context.WithCancel(ctx(t))
		c := &ending{Context: inner, end: cancel}
		c.left.Store(int64(n))
		began := time.Now()
		err := call(c, n)
		if inner.Err() == nil {
			require.NoError(t, err)
			require.Greater(t, n, 2, "the store looks at its context during the call")
			took = time.Since(began)
		} else if err != nil { // else it was done before the end was seen
			require.ErrorIs(t, err, context.Canceled)
		}
		cancel()
	}
	for i := range moments {
		c, cancel := context.WithTimeout(ctx(t), took*time.Duration(i)/moments)
		if err := call(c, n+i); err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		cancel()
	}
}

// isThere is for what a store reads.
func isThere[T any](_ T, err error) bool { return err == nil }
