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

// The file of the last published index is written as that of the last good document is. It tells the next process what was served: that is
// what a guard compares with, and what is published while what is new is held or the operators' changes cannot be read. Beside it is the
// one before it that a proxy has loaded, which takes its place if proxies refuse it.
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
	// Newest is the operators' newest revision of which anything was published; Version may be older, by a pin.
	Newest uint64 `json:"newest_revision,omitempty"`
	// Decided is the operators' decision that was followed last: it counts once.
	Decided *followed `json:"decided,omitempty"`
	// After is how far the other replicas had told what they publish: what they told since is newer.
	After uint64 `json:"after,omitempty"`
}

func (s *store) indexPath() string { return filepath.Join(s.dir, indexFile) }

// saveIndex replaces the stored index. The old one is kept as the one before if it is another version that a proxy has loaded: acknowledged
// tells of those of this process, and one of an earlier process stays because it was the last one.
func (s *store) saveIndex(i *lastIndex, acknowledged func(version string) bool) error {
	name, err := s.write(func(w io.Writer) error { return writeChecked(w, indexKind, i.indexMetadata, i.Data) })
	if err != nil {
		return err
	}
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	version, old := i.Version.Hash, s.index
	if old.version != "" && old.version != version && (old.proven || acknowledged(old.version)) {
		s.keep(s.indexPath())
	}
	if err := os.Rename(name, s.indexPath()); err != nil {
		_ = os.Remove(name) // openStore removes what stays
		return err          // names both
	}
	s.index = storedIndex{version: version, proven: old.proven && old.version == version}
	return syncDir(s.dir)
}

// storedIndex is what is known of the stored index.
type storedIndex struct {
	version string
	proven  bool // it is of an earlier process, or was the one before
}

// recallIndex is loadIndex for the first time.
func (s *store) recallIndex() (*lastIndex, error) {
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	i, err := s.loadIndex()
	if err == nil {
		s.index = storedIndex{version: i.Version.Hash, proven: true}
	}
	return i, err
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

// dropIndex puts the index before in the place of the stored one if that is of this version, or is damaged. Without one before there is
// none afterwards.
func (s *store) dropIndex(version string) error {
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	i, err := s.loadIndex()
	if errors.Is(err, fs.ErrNotExist) || err == nil && i.Version.Hash != version {
		return nil
	}
	s.index = storedIndex{}
	back := os.Rename(s.indexPath()+beforeSuffix, s.indexPath())
	if errors.Is(back, fs.ErrNotExist) {
		back = os.Remove(s.indexPath())
	} else if before, err := s.loadIndex(); err == nil {
		s.index = storedIndex{version: before.Version.Hash, proven: true}
	}
	return errors.Join(err, back, syncDir(s.dir))
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

// LastIndex reads the index that a Loop with this state directory, and with operators or a guard, published last, for programs that need it while no
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
