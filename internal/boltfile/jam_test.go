package boltfile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// Environment of a test binary that is started as a process of its own: the file, and what it does to it.
const (
	childFile   = "ADSIDECAR_BOLTFILE_FILE"
	childDamage = "ADSIDECAR_BOLTFILE_DAMAGE"
)

// patience is how long a test waits for what must come: a machine that is busy with other things, or whose disk is, is no failure.
const patience = time.Minute

// damages are what others may do to a file that is open.
var damages = map[string]func(path string) error{
	"cut to nothing":     func(path string) error { return os.Truncate(path, 0) },
	"another file in it": func(path string) error { return os.WriteFile(path, []byte("hello"), 0o600) },
	"random bytes over the start": func(path string) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		random := rand.New(rand.NewPCG(1, 2))
		for i := range min(len(content), 16*os.Getpagesize()) {
			content[i] = byte(random.Uint32())
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteAt(content, 0)
		return errors.Join(err, file.Close())
	},
}

func look(tx *bbolt.Tx) error {
	return tx.Bucket(bucket).ForEach(func(_, _ []byte) error { return nil })
}

// fill makes a file of many pages.
func fill(f *File) error {
	var err error
	for i := range 40 {
		err = errors.Join(err, f.Update(context.Background(), put(fmt.Sprintf("%04d", i), string(make([]byte, 3000)))))
	}
	return err
}

// inTime fails the test, and not its process, where fn does not return.
func inTime(t *testing.T, fn func() error) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- fn() }()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		require.FailNow(t, "it hangs")
		return nil
	}
}

func TestNothingHangsOnAFileThatIsDamagedWhileItIsOpen(t *testing.T) {
	calls := map[string]func(f *File) error{
		"a read":  func(f *File) error { return f.View(look) },
		"a write": func(f *File) error { return f.Update(context.Background(), put("0001", "x")) },
		"a check": func(f *File) error { return f.Ready(context.Background()) },
		"a count": func(f *File) error { f.Stats(); return ErrDamaged },
	}
	test := func(do func(path string) error, call func(f *File) error, rounds int) func(t *testing.T) {
		return func(t *testing.T) {
			path := newPath(t)
			f, err := Open(config(path))
			require.NoError(t, err)
			require.NoError(t, fill(f))
			require.NoError(t, do(path))
			require.ErrorIs(t, inTime(t, func() error { return call(f) }), ErrDamaged)
			for range rounds {
				for name, call := range calls {
					require.ErrorIs(t, inTime(t, func() error { return call(f) }), ErrDamaged, name)
				}
			}
			require.ErrorIs(t, inTime(t, f.Close), ErrDamaged)
			require.NoError(t, inTime(t, f.Close))
		}
	}
	for damage, do := range damages {
		for first, call := range calls {
			t.Run(damage+", "+first+" comes first", test(do, call, 2))
			t.Run(damage+", "+first+" and nothing else", test(do, call, 0))
		}
	}
}

// TestNobodyWaitsForWhoeverMeetsTheDamageFirst has readers and writers under way. What hangs inside bbolt stays for ever, so it is in a
// process of its own.
func TestNobodyWaitsForWhoeverMeetsTheDamageFirst(t *testing.T) {
	for damage := range damages {
		t.Run(damage, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), childFile+"="+newPath(t), childDamage+"="+damage)
			out, err := cmd.CombinedOutput()
			require.NoError(t, ctx.Err(), "it hangs")
			require.NoError(t, err, "%s", out)
		})
	}
}

// child reads and writes a file, damages it, and ends when all have come to an error, or have gone on for a while, and the file is closed.
// They may go on: a commit that was under way writes one of the headers again.
func child(path, damage string) error {
	f, err := Open(config(path))
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return err
	}
	var all sync.WaitGroup
	var done atomic.Int64
	var damaged atomic.Bool
	under := make(chan struct{})
	for worker := range 16 {
		all.Go(func() {
			for left := 100; left > 0; {
				if damaged.Load() {
					left--
				}
				var err error
				if worker < 3 { // with values that make the file grow
					err = f.Update(context.Background(), put(fmt.Sprint(worker, done.Load()), string(make([]byte, 3000))))
				} else {
					err = f.View(func(tx *bbolt.Tx) error { tx.Bucket(bucket).Get([]byte("0020")); return nil })
				}
				if done.Add(1) == 2000 {
					close(under)
				}
				if err != nil {
					return
				}
			}
		})
	}
	<-under
	if err := damages[damage](path); err != nil {
		return err
	}
	damaged.Store(true)
	all.Wait()
	f.Stats()
	if err := f.Close(); err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	return nil
}
