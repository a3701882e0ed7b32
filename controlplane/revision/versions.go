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
	var errs []error
	if n := len(v.Hash); n == 0 || n > MaxVersionBytes {
		errs = append(errs, invalid("hash", "must have 1 to %d bytes", MaxVersionBytes))
	}
	if len(v.Source) > MaxVersionBytes {
		errs = append(errs, invalid("source", "must have at most %d bytes", MaxVersionBytes))
	}
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
	for range versionTries {
		if err := s.journal.keep(ctx, v, index); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrContended
}

func (j *journal) keep(ctx context.Context, v Version, index []byte) error {
	list, err := j.versions(ctx)
	if err != nil {
		return err
	}
	_, pin, err := j.poll(ctx)
	if err != nil {
		return err
	}
	v.Bytes = len(index)
	if i := list.find(v.Hash); i >= 0 {
		kept := list.Versions[i]
		kept.Version = v
		list.Versions = slices.Insert(slices.Delete(list.Versions, i, i+1), 0, kept)
		w, err := put(versionsKey, list.version, list)
		if err != nil {
			return err
		}
		return j.store.Commit(ctx, w)
	}
	chunks := (len(index) + chunkRaw - 1) / chunkRaw
	batch, err := j.writeBatch(ctx, chunks, func(i int) ([]byte, error) {
		return compress(index[i*chunkRaw : min((i+1)*chunkRaw, len(index))])
	}, func(int) {})
	if err != nil {
		return fmt.Errorf("write a version: %w", err)
	}
	sum := sha256.Sum256(index)
	added := storedVersion{Version: v, storedBatch: storedBatch{Batch: batch, Chunks: chunks}, Sum: sum[:]}
	list.Versions = slices.Insert(list.Versions, 0, added)
	var gone []storedBatch
	for i := len(list.Versions) - 1; i > 0 && len(list.Versions) > MaxVersions; i-- {
		if list.Versions[i].Hash != pin.Version {
			gone = append(gone, list.Versions[i].storedBatch)
			list.Versions = slices.Delete(list.Versions, i, i+1)
		}
	}
	w, err := put(versionsKey, list.version, list)
	if err != nil {
		return err
	}
	return j.publishBatch(ctx, batch, gone, w)
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

// ReadVersion writes the index of a version to w, or returns ErrNoVersion. After another error w has a part, or what is damaged.
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
	if err != nil {
		return Version{}, fmt.Errorf("read the version %s: %w", hash, err)
	}
	return v.Version, nil
}

func (j *journal) versions(ctx context.Context) (storedVersions, error) {
	entries, err := j.store.Read(ctx, versionsKey)
	if err != nil {
		return storedVersions{}, fmt.Errorf("read the versions: %w", err)
	}
	list := storedVersions{version: entries[0].Version}
	return list, readJSON(entries[0], versionsKey, &list)
}

func (l storedVersions) find(hash string) int {
	return slices.IndexFunc(l.Versions, func(v storedVersion) bool { return v.Hash == hash })
}
