package publish

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	stateFile = "last-good"

	// maxStateBytes bounds what is read from the state directory, far above any document that a source may be
	// configured to read.
	maxStateBytes = 1 << 30
)

// store keeps the last good document in a directory.
type store struct {
	dir, path string
}

// openStore makes dir if it does not exist and proves that it can be written.
func openStore(dir string) (*store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err // names the directory
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err // names the directory
	}
	s := &store{dir: dir, path: filepath.Join(dir, stateFile)}
	// What a killed process left behind.
	leftovers, err := filepath.Glob(s.path + ".*.tmp")
	if err != nil {
		leftovers = nil // a directory whose name is a broken pattern: they stay
	}
	for _, leftover := range leftovers {
		_ = os.Remove(leftover) // a file that cannot be removed does no harm
	}
	probe, err := s.temporary()
	if err != nil {
		return nil, err // names the file
	}
	_ = probe.Close() // empty
	if err := os.Remove(probe.Name()); err != nil {
		return nil, err // names the file
	}
	return s, nil
}

// temporary makes a file that only the owner can read: a document may be worth protecting.
func (s *store) temporary() (*os.File, error) {
	return os.CreateTemp(s.dir, stateFile+".*.tmp")
}

// load returns the stored document, or an error that wraps fs.ErrNotExist if there is none.
func (s *store) load() (*lastGood, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return nil, err // names the file
	}
	if !info.Mode().IsRegular() || info.Size() > maxStateBytes {
		return nil, fmt.Errorf("read %s: not a regular file of at most %d bytes", s.path, maxStateBytes)
	}
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err // names the file
	}
	defer func() { _ = file.Close() }() // read only
	data, err := io.ReadAll(io.LimitReader(file, maxStateBytes))
	if err != nil {
		return nil, err // names the file
	}
	g, err := parseLastGood(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	return g, nil
}

// save replaces the stored document: after a crash at any moment there is the old one or the new one.
func (s *store) save(g *lastGood) (err error) {
	file, err := s.temporary()
	if err != nil {
		return err // names the file
	}
	defer func() {
		if err != nil {
			_ = file.Close()           // perhaps closed already
			_ = os.Remove(file.Name()) // openStore removes what stays
		}
	}()
	if err := g.writeTo(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err // names the file
	}
	if err := file.Close(); err != nil {
		return err // names the file
	}
	// The one before is kept for revert. A link, not a rename: there is a last good document at every moment.
	if err := os.Remove(s.before()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // names the file
	}
	if err := os.Link(s.path, s.before()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // names both
	}
	if err := os.Rename(file.Name(), s.path); err != nil {
		return err // names both
	}
	return syncDir(s.dir)
}

// before is where the document before the last one is.
func (s *store) before() string { return s.path + ".before" }

// revert puts the document before the last one in its place. Without one there is none afterwards.
func (s *store) revert() error {
	err := os.Rename(s.before(), s.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(s.path)
	}
	if err != nil {
		return err // names the file
	}
	return syncDir(s.dir)
}

// syncDir makes a rename last over a crash of the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err // names the directory
	}
	defer func() { _ = d.Close() }() // read only
	return d.Sync()
}
