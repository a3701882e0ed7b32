package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
)

// FileConfig configures a file source.
type FileConfig struct {
	// Path of the document. It may be a symbolic link, and need not exist yet.
	Path string

	// MaxBytes bounds the document. 0 means DefaultMaxBytes.
	MaxBytes int64

	// Logger hears when the file cannot be watched. nil means silence.
	Logger *zap.Logger

	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// File polls a document from a file. Each poll reads the file: modification times are too coarse to tell two writes
// apart, and reading a cached file costs little. Run watches it between polls.
//
// Poll and Resume belong to one goroutine at a time; the other methods may be called at any time.
type File struct {
	path     string
	maxBytes int64
	log      *zap.Logger
	now      func() time.Time
	changed  chan struct{}

	last content

	watching chan struct{} // a seam for tests: closed once Run watches
}

// NewFile returns a source for cfg. The file need not exist.
func NewFile(cfg FileConfig) (*File, error) {
	if cfg.Path == "" {
		return nil, errors.New("path: missing")
	}
	if cfg.MaxBytes < 0 {
		return nil, fmt.Errorf("max bytes: %d is negative", cfg.MaxBytes)
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	f := &File{
		path: path, maxBytes: cmp.Or(cfg.MaxBytes, DefaultMaxBytes), log: cfg.Logger, now: cfg.Now,
		changed: make(chan struct{}, 1),
	}
	if f.log == nil {
		f.log = zap.NewNop()
	}
	if f.now == nil {
		f.now = time.Now
	}
	return f, nil
}

// Poll reads the file. It returns campaign.ErrNotModified if the content is the one that Poll returned last (or that
// Resume named), an error that wraps *TooLargeError if it is too large, and otherwise an error that names the path. A
// file that is being written in place may be read half: that shows when it is decoded, and the end of the writing is
// another change.
func (f *File) Poll(ctx context.Context) (campaign.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return campaign.Snapshot{}, err
	}
	data, modified, err := f.read()
	if err != nil {
		return campaign.Snapshot{}, err
	}
	return f.last.handOut(data, modified, f.now())
}

func (f *File) read() ([]byte, time.Time, error) {
	// Before opening: that would wait for the writer of a named pipe.
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
		return nil, time.Time{}, fmt.Errorf("read %s: not a regular file", f.path)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, time.Time{}, err // names the path
	}
	defer func() { _ = file.Close() }() // read only
	info, err := file.Stat()
	if err != nil {
		return nil, time.Time{}, err // names the path
	}
	if info.Size() > f.maxBytes {
		return nil, time.Time{}, fmt.Errorf("read %s: %w", f.path, &TooLargeError{Limit: f.maxBytes})
	}
	data, err := io.ReadAll(io.LimitReader(file, f.maxBytes+1))
	if err != nil {
		return nil, time.Time{}, err // names the path
	}
	if int64(len(data)) > f.maxBytes {
		return nil, time.Time{}, fmt.Errorf("read %s: %w", f.path, &TooLargeError{Limit: f.maxBytes})
	}
	return data, modTime(info), nil
}

// modTime returns the zero time for the epoch, which tools that build reproducible images put on every file.
func modTime(info os.FileInfo) time.Time {
	if modified := info.ModTime(); modified.Unix() > 1 {
		return modified
	}
	return time.Time{}
}

// Changed receives a value after the file has changed, once for any number of changes. It needs Run.
func (f *File) Changed() <-chan struct{} { return f.changed }

// Describe returns "file" and the absolute path.
func (f *File) Describe() (kind, location string) { return "file", f.path }

// Identity tells this source from others across restarts.
func (f *File) Identity() string { return "file " + f.path }

// Position returns an empty text: the content alone tells whether the file is the same.
func (f *File) Position() string { return "" }

// Resume makes data, which an earlier process read from the same file and accepted, the last document.
func (f *File) Resume(last campaign.Snapshot, _ string) { f.last.set(last.Data) }
