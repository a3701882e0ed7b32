package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked is returned by [TryLock] while another open file holds the lock, of this program or another.
var ErrLocked = errors.New("locked by another process")

// TryLock takes the lock of the file at path, making the file. Closing it, or the end of the program, frees the lock. The file
// stays: removing it would let two programs lock two files of one name.
func TryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// lock is TryLock that waits; waiting is called once if it has to.
func lock(ctx context.Context, path string, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	var f *os.File
	var failed error
	told := false
	err := Poll(ctx, func(context.Context) error {
		f, failed = TryLock(path)
		if !errors.Is(failed, ErrLocked) {
			return nil // it is held now, or never will be
		}
		if !told {
			told = true
			waiting()
		}
		return failed
	})
	if err != nil {
		return nil, err
	}
	return f, failed
}
