package revision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Limits of published versions.
const (
	MaxVersions    = 50 // kept
	MaxIndexBytes  = 400 << 20
	MaxReportBytes = 4 << 10
)

// versionTries is how often a version is tried to be kept while other replicas keep theirs.
const versionTries = 5

const versionsKey = "versions"

// ErrNoVersion is returned for a version that is not kept, or not any more.
var ErrNoVersion = errors.New("this version is not kept")

// Version is a published index, without its bytes.
type Version struct {
	// Hash names it; at most MaxVersionBytes.
	Hash string `json:"hash"`
	// At is when it was published last.
	At time.Time `json:"at"`
	// Source names the document that it was made of, at most MaxVersionBytes, and Revision is that of the operators' rows.
	Source   string `json:"source,omitempty"`
	Revision uint64 `json:"revision"`
	// Report is at most MaxReportBytes, and not read here.
	Report []byte `json:"report,omitempty"`
	// Bytes is how long the index is. KeepVersion sets it.
	Bytes int `json:"bytes"`
}

type storedVersion struct {
	Version
	storedBatch

	// Sum is the SHA-256 of the index.
	Sum []byte `json:"sum"`
}

type storedVersions struct {
	// Versions are at most MaxVersions, newest first.
	Versions []storedVersion `json:"versions"`
	version  uint64
}

func (v Version) validate(index []byte) error {
	errs := []error{validateVersion("hash", v.Hash, 1), validateVersion("source", v.Source, 0)}
	if len(v.Report) > MaxReportBytes {
		errs = append(errs, invalid("report", "must have at most %d bytes", MaxReportBytes))
	}
	if n := len(index); n == 0 || n > MaxIndexBytes {
		errs = append(errs, invalid("index", "must have 1 to %d bytes", MaxIndexBytes))
	}
	return errors.Join(errs...)
}

// KeepVersion keeps a published index as the newest version. One whose hash is kept already gets a new place and At; its index is not
// written again. Of more than MaxVersions the oldest goes, but never a pinned one.
func (s *Service) KeepVersion(ctx context.Context, v Version, index []byte) error {
	if err := v.validate(index); err != nil {
		return err
	}
	v.Bytes = len(index)
	var added storedVersion // once its index is written
	defer func() {
		if added.Batch != "" {
			s.journal.discard(ctx, added.Batch)
		}
	}()
	for range versionTries {
		replaced, err := s.journal.keep(ctx, v, index, &added)
		if replaced {
			select {
			case s.replaced <- struct{}{}:
			default:
			}
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrContended
}

// keep leaves what it has written in added, unless that is published, and reports whether the index of another version is to be removed.
func (j *journal) keep(ctx context.Context, v Version, index []byte, added *storedVersion) (replaced bool, _ error) {
	list, err := j.versions(ctx)
	if err != nil {
		return false, err
	}
	if list.renew(v) {
		w, err := put(versionsKey, list.version, list)
		if err != nil {
			return false, err
		}
		return false, j.store.Commit(ctx, w)
	}
	if added.Batch == "" {
		if *added, err = j.writeVersion(ctx, v, index); err != nil {
			return false, fmt.Errorf("write a version: %w", err)
		}
	}
	now, err := j.poll(ctx) // after the list: a pin that is set later makes another one of it, see listed
	if err != nil {
		return false, err
	}
	gone := list.add(*added, now.pin.Version)
	w, err := put(versionsKey, list.version, list)
	if err != nil {
		return false, err
	}
	if err := j.publishBatch(ctx, added.Batch, gone, w); err != nil {
		return false, err
	}
	*added = storedVersion{}
	return len(gone) > 0, nil
}

func (j *journal) writeVersion(ctx context.Context, v Version, index []byte) (storedVersion, error) {
	chunks := (len(index) + chunkRaw - 1) / chunkRaw
	batch, err := j.writeBatch(ctx, maxPendingVersions, chunks, func(i int) ([]byte, error) {
		return compress(index[i*chunkRaw : min((i+1)*chunkRaw, len(index))])
	}, func(int) {})
	if err != nil {
		return storedVersion{}, err
	}
	sum := sha256.Sum256(index)
	return storedVersion{Version: v, storedBatch: storedBatch{Batch: batch, Chunks: chunks}, Sum: sum[:]}, nil
}

// listed is the list of versions as it is, to be written with what refers to one of them: so no other commit takes that one off the list
// meanwhile, as one of the two is a conflict. Without it on the list it is ErrNoVersion.
func (j *journal) listed(ctx context.Context, version string) (Put, error) {
	list, err := j.versions(ctx)
	if err != nil {
		return Put{}, err
	}
	if list.find(version) < 0 {
		return Put{}, ErrNoVersion
	}
	return put(versionsKey, list.version, list)
}

// Versions returns what is kept, newest first.
func (s *Service) Versions(ctx context.Context) ([]Version, error) {
	list, err := s.journal.versions(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Version, len(list.Versions))
	for i, v := range list.Versions {
		all[i] = v.Version
	}
	return all, nil
}

// ReadVersion writes the index of a version to w, or returns ErrNoVersion: also for one that is taken off the list and removed while it is read.
// After an error w may have a part, or what is damaged.
func (s *Service) ReadVersion(ctx context.Context, hash string, w io.Writer) (Version, error) {
	list, err := s.journal.versions(ctx)
	if err != nil {
		return Version{}, err
	}
	i := list.find(hash)
	if i < 0 {
		return Version{}, ErrNoVersion
	}
	v, sum := list.Versions[i], sha256.New()
	to := io.MultiWriter(w, sum)
	err = s.journal.readBatch(ctx, v.Batch, 0, v.Chunks, func(_ int, value []byte) (bool, error) {
		raw, err := expand(value)
		if err != nil {
			return false, fmt.Errorf("%w: expand a chunk: %w", ErrDamaged, err)
		}
		_, err = to.Write(raw)
		return true, err
	})
	if err == nil && !bytes.Equal(sum.Sum(nil), v.Sum) {
		err = fmt.Errorf("%w: its bytes are others", ErrDamaged)
	}
	if errors.Is(err, errMissingChunk) {
		err = s.journal.missing(ctx, v)
	}
	if err != nil {
		return Version{}, fmt.Errorf("read the version %s: %w", hash, err)
	}
	return v.Version, nil
}

// missing tells why a version could not be read whole: who is slower than what was replaced is there for finds nothing more of it.
func (j *journal) missing(ctx context.Context, v storedVersion) error {
	list, err := j.versions(ctx)
	if err != nil {
		return err
	}
	switch i := list.find(v.Hash); {
	case i < 0:
		return ErrNoVersion
	case list.Versions[i].Batch != v.Batch:
		return fmt.Errorf("%w: the version was written anew while it was read", ErrUnavailable)
	}
	return errMissingChunk
}

func (j *journal) versions(ctx context.Context) (storedVersions, error) {
	entries, err := j.store.Read(ctx, versionsKey)
	if err != nil {
		return storedVersions{}, fmt.Errorf("read the versions: %w", err)
	}
	list := storedVersions{version: entries[0].Version}
	return list, readJSON(entries[0], versionsKey, &list)
}

// renew makes the version the newest one, if it is there.
func (l *storedVersions) renew(v Version) bool {
	i := l.find(v.Hash)
	if i < 0 {
		return false
	}
	kept := l.Versions[i]
	kept.Version = v
	l.Versions = slices.Insert(slices.Delete(l.Versions, i, i+1), 0, kept)
	return true
}

// add makes v the newest one, and returns the indexes of those that are too many now.
func (l *storedVersions) add(v storedVersion, pinned string) (gone []storedBatch) {
	l.Versions = slices.Insert(l.Versions, 0, v)
	for i := len(l.Versions) - 1; i > 0 && len(l.Versions) > MaxVersions; i-- {
		if l.Versions[i].Hash != pinned {
			gone = append(gone, l.Versions[i].storedBatch)
			l.Versions = slices.Delete(l.Versions, i, i+1)
		}
	}
	return gone
}

func (l *storedVersions) find(hash string) int {
	return slices.IndexFunc(l.Versions, func(v storedVersion) bool { return v.Hash == hash })
}
