package boltfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		if err := child(path, os.Getenv(childDamage)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var bucket = []byte("things")

func config(path string) Config {
	return Config{Path: path, Kind: "test", Schema: 2, Buckets: [][]byte{bucket}}
}

func openFile(t *testing.T, c Config) *File {
	t.Helper()
	f, err := Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() }) // some tests break it
	return f
}

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}

func put(key, value string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(key), []byte(value)) }
}

func get(t *testing.T, f *File, key string) string {
	t.Helper()
	var value string
	require.NoError(t, f.View(func(tx *bbolt.Tx) error {
		value = string(tx.Bucket(bucket).Get([]byte(key)))
		return nil
	}))
	return value
}

func TestTheFileIsForThisUserAlone(t *testing.T) {
	t.Run("a new one in a new folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a", "b", "test.db")
		openFile(t, config(path))
		for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
			info, err := os.Stat(p)
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode().Perm(), p)
		}
	})
	t.Run("one that others could read", func(t *testing.T) {
		path := newPath(t)
		require.NoError(t, openFile(t, config(path)).Close())
		require.NoError(t, os.Chmod(path, 0o644))
		openFile(t, config(path))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	})
}

// The clock of these two is a bubble's, so that no machine is too slow for them.

func TestASecondProcessIsRefusedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		openFile(t, config(path))
		begin := time.Now()
		_, err := Open(config(path))
		require.ErrorIs(t, err, ErrLocked)
		require.ErrorContains(t, err, path)
		require.ErrorContains(t, err, "another process has the file open")
		require.LessOrEqual(t, time.Since(begin), lockWait)
	})
}

func TestALockThatIsGivenUpInTimeIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		first := openFile(t, config(path))
		time.AfterFunc(lockWait/4, func() { _ = first.Close() })
		openFile(t, config(path))
	})
}

func TestFilesThatAreRefused(t *testing.T) {
	bolt := func(fn func(tx *bbolt.Tx) error) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(fn))
			require.NoError(t, db.Close())
		}
	}
	about := func(key, value string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			require.NoError(t, openFile(t, config(path)).Close())
			bolt(func(tx *bbolt.Tx) error { return tx.Bucket(aboutBucket).Put([]byte(key), []byte(value)) })(t, path)
		}
	}
	content := func(b []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, b, 0o600)) }
	}
	tests := map[string]struct {
		make    func(t *testing.T, path string)
		want    error
		message string
	}{
		"text":                       {content(bytes.Repeat([]byte("hello\n"), 4000)), ErrForeign, "no bbolt file"},
		"a short text":               {content([]byte("hello")), ErrForeign, "no bbolt file"},
		"zeros":                      {content(make([]byte, 1<<16)), ErrForeign, "no bbolt file"},
		"a bbolt file of another":    {bolt(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err }), ErrForeign, "of another"},
		"another kind":               {about("kind", "other"), ErrForeign, `it keeps "other", not "test"`},
		"a newer schema":             {about("schema", "3"), ErrForeign, "newer version: its schema is 3, this one knows 2"},
		"a schema that is no number": {about("schema", "x"), ErrDamaged, "no schema"},
		"a cut file": {func(t *testing.T, path string) {
			f := openFile(t, config(path))
			for i := range 50 {
				require.NoError(t, f.Update(t.Context(), put(string(rune('a'+i)), string(make([]byte, 3000)))))
			}
			require.NoError(t, f.Close())
			require.NoError(t, os.Truncate(path, 5*int64(os.Getpagesize())))
		}, ErrDamaged, ""},
		"damaged headers": {func(t *testing.T, path string) {
			require.NoError(t, openFile(t, config(path)).Close())
			overwrite(t, path, 24, 8)
			overwrite(t, path, int64(os.Getpagesize())+24, 8)
		}, nil, ""},
		"damaged pages": {func(t *testing.T, path string) {
			require.NoError(t, openFile(t, config(path)).Close())
			overwrite(t, path, 2*int64(os.Getpagesize()), 8*os.Getpagesize())
		}, ErrDamaged, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			test.make(t, path)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = Open(config(path))
			require.Error(t, err)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.ErrorContains(t, err, test.message)
			require.ErrorContains(t, err, "open "+path)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(before, after), "it is left as it is")
		})
	}
}

// overwrite puts nonsense into the file, as far as there is one.
func overwrite(t *testing.T, path string, at int64, n int) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := file.Stat()
	require.NoError(t, err)
	n = min(n, int(info.Size()-at))
	_, err = file.WriteAt(bytes.Repeat([]byte{0xa5}, n), at)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestAnOlderSchemaIsTaken(t *testing.T) {
	path := newPath(t)
	c := config(path)
	c.Schema = 1
	require.NoError(t, openFile(t, c).Close())
	openFile(t, config(path))
}

// TestCommitsAreSynced: a killed process does not show a missing sync, the kernel keeps what was written.
func TestCommitsAreSynced(t *testing.T) {
	f := openFile(t, config(newPath(t)))
	require.False(t, f.db.NoSync)
	require.False(t, f.db.NoGrowSync)
	require.False(t, f.db.NoFreelistSync)
}
