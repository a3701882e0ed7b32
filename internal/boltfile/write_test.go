package boltfile

import (
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

func TestAFullDisk(t *testing.T) {
	c := config(newPath(t))
	c.MaxSize = 1 << 18
	f := openFile(t, c)
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 100)
		err = f.Update(t.Context(), put(fmt.Sprint(i), string(make([]byte, 10_000))))
	}
	require.ErrorIs(t, err, ErrWrite)
	require.NoError(t, f.Update(t.Context(), put("0", "small")), "what has room is written")
	require.Equal(t, "small", get(t, f, "0"))
	require.Equal(t, uint64(1), f.Stats().Failed)
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
	t.Run("it costs a commit a second, and none after others' commits", func(t *testing.T) {
		c := config(newPath(t))
		now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		c.Now = func() time.Time { return now }
		f := openFile(t, c)
		for _, step := range []struct {
			after   time.Duration
			commits uint64
		}{{0, 1}, {readyAge - 1, 1}, {1, 2}, {0, 2}, {-time.Hour, 3}} {
			now = now.Add(step.after)
			require.NoError(t, f.Ready(t.Context()))
			require.Equal(t, step.commits, f.Stats().Commits)
		}
		now = now.Add(readyAge)
		require.NoError(t, f.Update(t.Context(), put("a", "1")))
		require.NoError(t, f.Ready(t.Context()))
		require.Equal(t, uint64(4), f.Stats().Commits)
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
