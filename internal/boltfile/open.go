package boltfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// Errors of this package. Those of the functions given to it are returned as they are.
var (
	// ErrLocked is returned by Open while another process, or another [File] of this one, has the file.
	ErrLocked = errors.New("another process has the file open")
	// ErrForeign is returned by Open for a file of something else, or of a newer version of the program. It is left as it is.
	ErrForeign = errors.New("not a file of this program")
	// ErrDamaged is returned for a file that cannot be read as bbolt wrote it.
	ErrDamaged = errors.New("the file is damaged")
	// ErrWrite is returned when the disk took nothing, or when it is unknown what it took: it is full, for example, or the file was
	// removed or replaced.
	ErrWrite = errors.New("the file cannot be written")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the file is closed")
)

const (
	lockWait = time.Second

	fileMode   = 0o600 // it has personal data
	folderMode = 0o700
)

// The bucket of the file's own description: what it is, which schema, and what Ready writes.
var (
	aboutBucket = []byte("about")
	kindKey     = []byte("kind")
	schemaKey   = []byte("schema")
	readyKey    = []byte("ready")
)

// Config says which file to open.
type Config struct {
	Path string
	// Kind is what the file has, such as "users". It is written into a new file, and one of another kind is refused.
	Kind string
	// Schema counts the incompatible layouts of the kind, from 1. A file of a newer one is refused.
	Schema int
	// Buckets are made where they are missing.
	Buckets [][]byte
	// Now default: time.Now.
	Now func() time.Time
}

// File is an open file. It is safe for concurrent use.
type File struct {
	path string
	db   *bbolt.DB
	now  func() time.Time
	// opened tells this file from another that took its name.
	opened os.FileInfo
	commit func(*bbolt.Tx) error

	writes  chan *write
	closing chan struct{}
	stopped chan struct{}
	closed  atomic.Bool

	// broken is why nothing is written any more. Of the writer.
	broken error
	// stuck is set with it when a transaction could not be ended: closing would wait for it for ever.
	stuck atomic.Bool
	// begin is held while a transaction begins, so that nobody waits for a lock of bbolt's that is never released: see jammed.
	begin sync.Mutex
	// jammed is closed, with begin held, when bbolt panicked as a read began. It keeps the locks that each beginning and end of a
	// transaction takes.
	jammed chan struct{}

	// committed is when the last commit ended, in Unix nanoseconds; 0 after one that failed, and while broken is set.
	committed atomic.Int64
	stats     struct{ commits, writes, refused, failed atomic.Uint64 }
}

// Open opens the file, and makes it, its folder and its buckets where they are missing. The file is for this user alone (mode 0600), and
// so is a folder that is made. If another process has it, Open waits a second for it. Errors name the file.
func Open(c Config) (*File, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), folderMode); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", c.Path, err)
	}
	f := &File{
		path: c.Path, now: c.Now, commit: (*bbolt.Tx).Commit,
		writes: make(chan *write), closing: make(chan struct{}), stopped: make(chan struct{}),
		jammed: make(chan struct{}),
	}
	if err := f.open(c); err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	go f.writer()
	return f, nil
}

func (f *File) open(c Config) (err error) {
	var file *os.File
	defer func() {
		if err == nil {
			return
		}
		if f.db != nil {
			_ = f.db.Close() // there is an error already
		}
		if file != nil {
			_ = file.Close() // after a panic bbolt has not; its memory map, and with that the lock, stay until the process ends
		}
	}()
	err = guard(func() error {
		f.db, err = bbolt.Open(c.Path, fileMode, &bbolt.Options{
			Timeout:      lockWait,
			FreelistType: bbolt.FreelistMapType, // the default one is slow with many free pages
			NoStatistics: true,                  // they cost each read a lock; see Stats
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				file, err = os.OpenFile(name, flag, mode)
				return file, err
			},
		})
		return err
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("%w (waited %s for its lock)", ErrLocked, lockWait)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: no bbolt file, or a damaged one", ErrForeign)
	case errors.Is(err, bbolterrors.ErrChecksum):
		return fmt.Errorf("%w: both of its headers are", ErrDamaged)
	case err != nil:
		return err
	}
	if f.opened, err = file.Stat(); err != nil {
		return err
	}
	if err := guard(func() error { return f.describe(c) }); err != nil {
		return err
	}
	f.committed.Store(f.now().UnixNano())
	if f.opened.Mode().Perm()&^fileMode != 0 {
		if err := file.Chmod(fileMode); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(c.Path))
}

// describe checks what the file says of itself, and says it in a new one.
func (f *File) describe(c Config) error {
	err := f.db.View(func(tx *bbolt.Tx) error {
		if used := tx.Size(); f.opened.Size() < used {
			return fmt.Errorf("%w: it has %d bytes of %d", ErrDamaged, f.opened.Size(), used)
		}
		return check(tx, c)
	})
	if err != nil {
		return err
	}
	return f.db.Update(func(tx *bbolt.Tx) error {
		about, err := tx.CreateBucketIfNotExists(aboutBucket)
		if err != nil {
			return err
		}
		for _, name := range c.Buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return errors.Join(about.Put(kindKey, []byte(c.Kind)), about.Put(schemaKey, strconv.AppendInt(nil, int64(c.Schema), 10)))
	})
}

func check(tx *bbolt.Tx, c Config) error {
	about := tx.Bucket(aboutBucket)
	if about == nil {
		if first, _ := tx.Cursor().First(); first != nil {
			return fmt.Errorf("%w: a bbolt file of another one", ErrForeign)
		}
		return nil // new
	}
	if kind := about.Get(kindKey); string(kind) != c.Kind {
		return fmt.Errorf("%w: it keeps %q, not %q", ErrForeign, kind, c.Kind)
	}
	schema, err := strconv.Atoi(string(about.Get(schemaKey)))
	if err != nil || schema < 1 {
		return fmt.Errorf("%w: it has no schema", ErrDamaged)
	}
	if schema > c.Schema {
		return fmt.Errorf("%w but of a newer version: its schema is %d, this one knows %d", ErrForeign, schema, c.Schema)
	}
	return nil
}

// syncFolder makes the file's name as durable as its content.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Close ends the writes under way, waits for readers, and frees the file. Closing it twice does nothing. Where bbolt cannot end a
// transaction any more, Close waits for nothing and returns ErrDamaged.
func (f *File) Close() error {
	again := f.closed.Swap(true)
	if !again {
		close(f.closing)
	}
	select {
	case <-f.stopped:
	case <-f.jammed: // the writer may wait for a lock of bbolt's
	}
	if again {
		return nil
	}
	f.begin.Lock()
	defer f.begin.Unlock()
	if f.stuck.Load() || f.isJammed() {
		return fmt.Errorf("close %s: %w: its lock stays until the process ends", f.path, ErrDamaged)
	}
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return nil
}
