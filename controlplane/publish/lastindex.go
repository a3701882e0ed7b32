package publish

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"adsidecar/controlplane/revision"
)

// The file of the last published index is written as that of the last good document is. It is for when the operators' changes cannot be
// read, without which the document says less than half.
const indexFile = "last-index"

// lastIndex is a published index with what is kept of it.
type lastIndex struct {
	indexMetadata
	Data []byte
}

type indexMetadata struct {
	Source  string           `json:"source"` // identity of the source
	ReadAt  time.Time        `json:"read_at,omitzero"`
	Version revision.Version `json:"version"`
}

func (s *store) indexPath() string { return filepath.Join(s.dir, indexFile) }

// saveIndex replaces the stored index.
func (s *store) saveIndex(i *lastIndex) error {
	name, err := s.write(func(w io.Writer) error { return writeChecked(w, indexKind, i.indexMetadata, i.Data) })
	if err != nil {
		return err
	}
	if err := os.Rename(name, s.indexPath()); err != nil {
		_ = os.Remove(name) // openStore removes what stays
		return err          // names both
	}
	return syncDir(s.dir)
}

// loadIndex returns the stored index, or an error that wraps fs.ErrNotExist if there is none.
func (s *store) loadIndex() (*lastIndex, error) {
	data, err := read(s.indexPath())
	if err != nil {
		return nil, err
	}
	i, err := parseLastIndex(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.indexPath(), err)
	}
	return i, nil
}

func parseLastIndex(data []byte) (*lastIndex, error) {
	i := &lastIndex{}
	var err error
	if i.Data, err = parseChecked(data, indexKind, &i.indexMetadata); err != nil {
		return nil, err
	}
	return i, nil
}

// dropIndex removes the stored index if it is that version.
func (s *store) dropIndex(version string) error {
	i, err := s.loadIndex()
	if errors.Is(err, fs.ErrNotExist) || err == nil && i.Version.Hash != version {
		return nil
	}
	return errors.Join(err, os.Remove(s.indexPath())) // a damaged one is of no use either
}

// release checks what was stored for a source.
func (i *lastIndex) release(source Source) (*release, error) {
	if i.Source != identify(source) {
		return nil, errors.New("the last published index is of another source")
	}
	r, err := releaseOf(i.Version, i.Data)
	if err != nil {
		return nil, err
	}
	r.readAt = i.ReadAt
	return r, nil
}

// indexOnDisk returns the last published index.
func (l *Loop) indexOnDisk() (*release, error) {
	if l.store == nil {
		return nil, errors.New("no state directory")
	}
	i, err := l.store.loadIndex()
	if err != nil {
		return nil, err
	}
	return i.release(l.source)
}

// LastIndex reads the index that a Loop with this state directory and with operators published last, for programs that need it while no
// Loop runs: what operators said is in it, and not in the document that LastGood reads. It returns the index, its version with a Report,
// and an error that wraps fs.ErrNotExist where there is none. It writes nothing.
func LastIndex(stateDir string, source Source) ([]byte, revision.Version, error) {
	if stateDir == "" {
		return nil, revision.Version{}, fmt.Errorf("no state directory: %w", fs.ErrNotExist)
	}
	i, err := (&store{dir: stateDir}).loadIndex()
	if err != nil {
		return nil, revision.Version{}, err // names the file
	}
	r, err := i.release(source)
	if err != nil {
		return nil, revision.Version{}, err
	}
	return r.index.Bytes, r.meta, nil
}
