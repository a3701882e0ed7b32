package boltfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

var errRefused = errors.New("refused")

var nowhere *int

// holdWriter keeps the writer busy until the returned function is called.
func holdWriter(t *testing.T, f *File) (release func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		var once sync.Once
		done <- f.Update(context.Background(), func(*bbolt.Tx) error {
			once.Do(func() { close(held) })
			<-free
			return nil
		})
	}()
	<-held
	return func() {
		close(free)
		require.NoError(t, <-done)
	}
}

// together starts writes while the writer is busy, so that they share a commit.
func together(t *testing.T, f *File, fns ...func(*bbolt.Tx) error) []error {
	t.Helper()
	release := holdWriter(t, f)
	results := make([]error, len(fns))
	var all sync.WaitGroup
	var waiting sync.WaitGroup
	waiting.Add(len(fns))
	for i, fn := range fns {
		all.Go(func() {
			waiting.Done()
			results[i] = f.Update(context.Background(), fn)
		})
	}
	waiting.Wait()
	release()
	all.Wait()
	return results
}

func TestWritesShareCommits(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	const writes = 64
	fns := make([]func(*bbolt.Tx) error, writes)
	for i := range fns {
		fns[i] = put(fmt.Sprint(i), "x")
	}
	before := f.Stats()
	for _, err := range together(t, f, fns...) {
		require.NoError(t, err)
	}
	after := f.Stats()
	require.Equal(t, uint64(writes+1), after.Writes-before.Writes)
	require.Less(t, after.Commits-before.Commits, uint64(writes/2))
	for i := range fns {
		require.Equal(t, "x", get(t, f, fmt.Sprint(i)))
	}
}

func TestARefusedWriteLeavesNothingAndHarmsNobody(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	fns := make([]func(*bbolt.Tx) error, 20)
	for i := range fns {
		fns[i] = put(fmt.Sprint(i), "x")
		if i%3 == 0 {
			fns[i] = func(tx *bbolt.Tx) error { return errors.Join(put(fmt.Sprint(i), "x")(tx), errRefused) }
		}
	}
	results := together(t, f, fns...)
	for i, err := range results {
		if i%3 == 0 {
			require.ErrorIs(t, err, errRefused)
			require.Empty(t, get(t, f, fmt.Sprint(i)))
		} else {
			require.NoError(t, err)
			require.Equal(t, "x", get(t, f, fmt.Sprint(i)))
		}
	}
	require.Equal(t, uint64(7), f.Stats().Refused)
}

func TestARefusalIsNotToldBeforeItsReasonIsOnTheDisk(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	failure := &os.PathError{Op: "write", Path: "test.db", Err: syscall.ENOSPC}
	f.commit = func(*bbolt.Tx) error { return failure }
	taken := func(tx *bbolt.Tx) error {
		if tx.Bucket(bucket).Get([]byte("id")) != nil {
			return errRefused
		}
		return put("id", "x")(tx)
	}
	err := f.attempt([]*write{{fn: taken}, {fn: taken}})
	require.ErrorIs(t, err, ErrWrite)
}

func TestAFullDiskEndsNothing(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	f.commit = func(*bbolt.Tx) error { return &os.PathError{Op: "write", Path: "test.db", Err: syscall.ENOSPC} }
	require.ErrorIs(t, f.Update(t.Context(), put("0", "large")), ErrWrite)
	f.commit = (*bbolt.Tx).Commit
	require.NoError(t, f.Update(t.Context(), put("0", "small")), "what has room is written")
	require.Equal(t, "small", get(t, f, "0"))
	require.Equal(t, uint64(1), f.Stats().Failed)
}

func TestAPanicOfTheCallersFailsItsCallAlone(t *testing.T) {
	causes := map[string]func(){
		"a panic":          func() { panic("of the caller") },
		"a nil pointer":    func() { *nowhere = 1 },
		"an index":         func() { _ = []int{}[len(bucket)] },
		"after a recovery": func() { defer func() { panic(recover()) }(); panic("again") },
	}
	for name, cause := range causes {
		t.Run(name, func(t *testing.T) {
			f := openFile(t, config(newPath(t)))
			results := together(t, f, put("before", "x"), func(tx *bbolt.Tx) error {
				require.NoError(t, put("partly", "x")(tx))
				cause()
				return nil
			}, put("after", "x"))
			require.NoError(t, results[0])
			require.NoError(t, results[2])
			err := results[1]
			require.ErrorIs(t, err, errPanic)
			require.NotErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, "write_test.go", "the stack")
			require.Equal(t, []string{"x", "", "x"}, []string{get(t, f, "before"), get(t, f, "partly"), get(t, f, "after")})

			err = f.View(func(*bbolt.Tx) error { cause(); return nil })
			require.ErrorIs(t, err, errPanic)
			require.NotErrorIs(t, err, ErrDamaged)
			require.NoError(t, f.Update(t.Context(), put("good", "x")))
			require.NoError(t, f.Ready(t.Context()))
		})
	}
}

func TestAPageThatIsNoneStopsWriting(t *testing.T) {
	path := newPath(t)
	f := openFile(t, config(path))
	for i := range 400 {
		require.NoError(t, f.Update(t.Context(), put(fmt.Sprintf("%04d", i), string(make([]byte, 200)))))
	}
	require.NoError(t, f.Ready(t.Context()))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	page := os.Getpagesize()
	for at := 0; at < len(content); at += page { // while it is open: every page with the key, and no other
		if bytes.Contains(content[at:at+page], []byte("0200")) {
			overwrite(t, path, int64(at), page)
		}
	}
	require.ErrorIs(t, f.View(func(tx *bbolt.Tx) error { tx.Bucket(bucket).Get([]byte("0200")); return nil }), ErrDamaged)
	require.NoError(t, f.Ready(t.Context()), "nobody has written into it")
	require.ErrorIs(t, f.Update(t.Context(), put("0200", "x")), ErrDamaged)
	require.ErrorIs(t, f.Update(t.Context(), put("9999", "x")), ErrDamaged, "wherever it is")
	require.ErrorIs(t, f.Ready(t.Context()), ErrDamaged, "at once, however young the last commit is")
}

func TestAfterAFailedSyncNothingIsWritten(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	require.NoError(t, f.Update(t.Context(), put("a", "1")))
	f.commit = func(*bbolt.Tx) error { return syscall.EIO }
	require.ErrorIs(t, f.Update(t.Context(), put("a", "2")), ErrWrite)
	f.commit = (*bbolt.Tx).Commit
	err := f.Update(t.Context(), put("a", "3"))
	require.ErrorIs(t, err, ErrWrite)
	require.ErrorContains(t, err, "start again")
	require.ErrorIs(t, f.Ready(t.Context()), ErrWrite)
	require.Equal(t, "1", get(t, f, "a"), "reads go on")
	require.NoError(t, f.Close())
}

func TestADamagedPageFailsTheCallAndNotTheProcess(t *testing.T) {
	path := newPath(t)
	f := openFile(t, config(path))
	for i := range 400 {
		require.NoError(t, f.Update(t.Context(), put(fmt.Sprintf("%04d", i), string(make([]byte, 200)))))
	}
	require.NoError(t, f.Close())
	f = openFile(t, config(path))
	// While it is open: the file is cut behind the headers.
	require.NoError(t, os.Truncate(path, 2*int64(os.Getpagesize())))
	err := f.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, _ []byte) error { return nil })
	})
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorIs(t, f.Update(t.Context(), put("0200", "x")), ErrDamaged)
	require.ErrorIs(t, f.Update(t.Context(), put("0200", "x")), ErrDamaged)
}

func TestTheEndOfAContext(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	release := holdWriter(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	begun, result := make(chan struct{}), make(chan error, 1)
	go func() {
		close(begun)
		result <- f.Update(ctx, put("a", "1"))
	}()
	<-begun
	cancel()
	require.ErrorIs(t, <-result, context.Canceled, "while the writer is busy")
	release()
	require.ErrorIs(t, f.Update(ctx, put("a", "1")), context.Canceled)
	require.NoError(t, f.Update(t.Context(), put("b", "1")))
	require.Empty(t, get(t, f, "a"))
}

func TestAClosedFile(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.ErrorIs(t, f.Update(t.Context(), put("a", "1")), ErrClosed)
	require.ErrorIs(t, f.View(func(*bbolt.Tx) error { return nil }), ErrClosed)
	require.ErrorIs(t, f.Ready(t.Context()), ErrClosed)
	require.Zero(t, f.Stats().Bytes)
}

func TestReady(t *testing.T) {
	t.Run("it costs a commit a minute, and none after others' commits", func(t *testing.T) {
		c := config(newPath(t))
		now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		c.Now = func() time.Time { return now }
		f := openFile(t, c)
		for _, step := range []struct {
			after   time.Duration
			commits uint64
		}{{0, 0}, {readyAge - 1, 0}, {1, 1}, {0, 1}, {readyAge - 1, 1}, {-time.Hour, 2}} {
			now = now.Add(step.after)
			require.NoError(t, f.Ready(t.Context()))
			require.Equal(t, step.commits, f.Stats().Commits)
		}
		now = now.Add(readyAge)
		require.NoError(t, f.Update(t.Context(), put("a", "1")))
		require.NoError(t, f.Ready(t.Context()))
		require.Equal(t, uint64(3), f.Stats().Commits)
	})
	t.Run("a failed commit ends it at once, and a good one brings it back", func(t *testing.T) {
		f := openFile(t, config(newPath(t)))
		require.NoError(t, f.Ready(t.Context()))
		f.commit = func(*bbolt.Tx) error { return &os.PathError{Op: "write", Path: "test.db", Err: syscall.ENOSPC} }
		require.ErrorIs(t, f.Update(t.Context(), put("a", "1")), ErrWrite)
		require.ErrorIs(t, f.Ready(t.Context()), ErrWrite)
		f.commit = (*bbolt.Tx).Commit
		require.NoError(t, f.Ready(t.Context()))
	})
	t.Run("not after the file is gone", func(t *testing.T) {
		path := newPath(t)
		f := openFile(t, config(path))
		require.NoError(t, os.Remove(path))
		require.ErrorIs(t, f.Ready(t.Context()), ErrWrite)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.ErrorContains(t, f.Ready(t.Context()), "another file now")
	})
}
