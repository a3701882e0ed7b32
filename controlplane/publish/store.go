package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
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
	link      func(from, to string) error // os.Link; a seam of the tests

	indexMu sync.Mutex // guards the files of the index, and what follows
	index   storedIndex
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
	s := &store{dir: dir, path: filepath.Join(dir, stateFile), link: os.Link}
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
	data, err := read(s.path)
	if err != nil {
		return nil, err
	}
	g, err := parseLastGood(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	return g, nil
}

// read returns a file of the state directory.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err // names the file
	}
	if !info.Mode().IsRegular() || info.Size() > maxStateBytes {
		return nil, fmt.Errorf("read %s: not a regular file of at most %d bytes", path, maxStateBytes)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err // names the file
	}
	defer func() { _ = file.Close() }() // read only
	return io.ReadAll(io.LimitReader(file, maxStateBytes))
}

// save replaces the stored document: after a crash at any moment there is the old one or the new one. With keep the old one becomes the
// one before.
func (s *store) save(g *lastGood, keep bool) error {
	name, err := s.write(g.writeTo)
	if err != nil {
		return err
	}
	if keep {
		s.keep(s.path)
	}
	if err := os.Rename(name, s.path); err != nil {
		_ = os.Remove(name) // openStore removes what stays
		return err          // names both
	}
	return syncDir(s.dir)
}

// write makes a file and returns its name. What it holds is on the disk then.
func (s *store) write(content func(io.Writer) error) (name string, err error) {
	file, err := s.temporary()
	if err != nil {
		return "", err // names the file
	}
	defer func() {
		if err != nil {
			_ = file.Close()           // perhaps closed already
			_ = os.Remove(file.Name()) // openStore removes what stays
		}
	}()
	if err := content(file); err != nil {
		return "", err
	}
	if err := file.Sync(); err != nil {
		return "", err // names the file
	}
	return file.Name(), file.Close()
}

// beforeSuffix is of the file before the last one.
const beforeSuffix = ".before"

// before is where the document before the last one is, and acknowledged where it is noted that a proxy has loaded the last one: the
// file's first line, which holds its checksum.
func (s *store) before() string       { return s.path + beforeSuffix }
func (s *store) acknowledged() string { return s.path + ".acknowledged" }

func (s *store) hasBefore(path string) bool {
	_, err := os.Stat(path + beforeSuffix)
	return err == nil
}

// keep makes the last document or index the one before, while it stays the last. Without hard links it is copied. If neither can be done,
// the one before stays: a new one is worth more than an old one.
func (s *store) keep(path string) {
	before := path + beforeSuffix
	name := before + ".tmp"
	_ = os.Remove(name) // of a killed process
	if s.link(path, name) != nil {
		var err error
		if name, err = s.write(func(w io.Writer) error { return copyFile(w, path) }); err != nil {
			return
		}
	}
	_ = os.Rename(name, before) // see above
	_ = os.Remove(name)         // there only if the rename failed or was of two names of one file
}

func copyFile(w io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err // names the file
	}
	defer func() { _ = file.Close() }() // read only
	_, err = io.Copy(w, file)
	return err
}

// mark notes that a proxy has loaded the last document.
func (s *store) mark() error {
	header, err := headerOf(s.path)
	if err != nil {
		return err
	}
	return s.note(header)
}

func (s *store) note(header []byte) error {
	name, err := s.write(func(w io.Writer) error {
		_, err := w.Write(header)
		return err // names the file
	})
	if err != nil {
		return err
	}
	return os.Rename(name, s.acknowledged()) // names both
}

// marked tells whether the last document was marked.
func (s *store) marked() bool {
	header, err := headerOf(s.path)
	if err != nil {
		return false
	}
	noted, err := headerOf(s.acknowledged())
	return err == nil && bytes.Equal(header, noted)
}

// headerOf is the first line of a file, with its end.
func headerOf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // names the file
	}
	defer func() { _ = file.Close() }() // read only
	start, err := io.ReadAll(io.LimitReader(file, maxStateHeader))
	if err != nil {
		return nil, err // names the file
	}
	end := bytes.IndexByte(start, '\n')
	if end < 0 {
		return nil, fmt.Errorf("read %s: not a last good document", path)
	}
	return start[:end+1], nil
}

// revert puts the document before the last one in its place, marked: only such are kept. Without one there is none afterwards.
func (s *store) revert() error {
	header, err := headerOf(s.before())
	if err == nil {
		err = s.note(header)
	}
	if err == nil {
		err = os.Rename(s.before(), s.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(s.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
