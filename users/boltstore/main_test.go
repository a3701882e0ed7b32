package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"adsidecar/users/record"
	"adsidecar/users/storetest"
)

// Environment of a test binary that is started as a process of its own: what it does, and to which file.
const (
	childMode = "ADSIDECAR_BOLTSTORE_CHILD"
	childFile = "ADSIDECAR_BOLTSTORE_FILE"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		if err := child(mode, os.Getenv(childFile)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func child(mode, path string) error {
	switch mode {
	case "write": // and print each acknowledged write, until it is killed
		s, err := Open(path)
		if err != nil {
			return err
		}
		return writeForEver(s)
	case "full": // the file must not grow beyond 256 KiB
		signal.Ignore(syscall.SIGXFSZ)
		limit := &syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, limit); err != nil {
			return err
		}
		s, err := Open(path)
		if err != nil {
			return err
		}
		for i := 0; ; i++ {
			if err := s.Create(context.Background(), testRecord(i), nil, testNow); err != nil {
				fmt.Println(i, err)
				r := testRecord(0)
				r.Version = 2
				return errors.Join(s.Update(context.Background(), r, testRecord(0)), s.Close()) // what has room is written
			}
		}
	default:
		return fmt.Errorf("unknown mode %s", mode)
	}
}

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func testRecord(n int) record.Record {
	return record.Record{
		UserID: fmt.Sprintf("%08d", n), Owner: "sub", Version: 1,
		Attributes: record.Attributes{FirstName: fmt.Sprintf("name %d", n), Address: record.Address{State: "NSW"}},
	}
}

func testKey(n int, expires time.Time) *record.Key {
	return &record.Key{Name: fmt.Sprintf("key %d", n), Request: "hash", UserID: fmt.Sprintf("%08d", n), Expires: expires}
}

func testFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "users.db")
}

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) record.Store { return openStore(t, testFile(t)) })
}
