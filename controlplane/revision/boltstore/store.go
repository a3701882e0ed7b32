// Package boltstore keeps revisions in one file of this machine, for one process: bbolt. It is the store without any setup.
//
// Every value has its version in front of it, 8 bytes with the highest first. Commits at the same time share a sync of the disk.
package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"adsidecar/controlplane/revision"
	"adsidecar/internal/boltfile"
)

const (
	kind   = "revisions"
	schema = 1

	versionBytes = 8
)

var valueBucket = []byte("values")

// Store is a [revision.Store] in a file. It is safe for concurrent use.
type Store struct{ file *boltfile.File }

var _ revision.Store = (*Store)(nil)

// Open opens the file at path, and makes it where it is missing. See [boltfile.Open].
func Open(path string) (*Store, error) {
	file, err := boltfile.Open(boltfile.Config{Path: path, Kind: kind, Schema: schema, Buckets: [][]byte{valueBucket}})
	if err != nil {
		return nil, err
	}
	return &Store{file}, nil
}

// Close ends commits under way and frees the file. Every call after it returns [revision.ErrUnavailable].
func (s *Store) Close() error { return s.file.Close() }

// Stats are the counts of the file.
func (s *Store) Stats() boltfile.Stats { return s.file.Stats() }

// Ready is nil while the file can be read and written. See [boltfile.File.Ready] for what it does.
func (s *Store) Ready(ctx context.Context) error { return mapped(s.file.Ready(ctx)) }

// Read implements [revision.Store]. The entries are of one moment.
func (s *Store) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if err := errors.Join(ctx.Err(), revision.CheckKeys(keys)); err != nil {
		return nil, err
	}
	entries := make([]revision.Entry, len(keys))
	err := s.file.View(func(tx *bbolt.Tx) error {
		for i, key := range keys {
			e, err := read(tx, key)
			if err != nil {
				return err
			}
			entries[i] = revision.Entry{Value: slices.Clone(e.Value), Version: e.Version}
		}
		return nil
	})
	if err != nil {
		return nil, mapped(err)
	}
	return entries, nil
}

// Commit implements [revision.Store].
func (s *Store) Commit(ctx context.Context, puts ...revision.Put) error {
	if err := revision.CheckPuts(puts); err != nil {
		return err
	}
	return mapped(s.file.Update(ctx, func(tx *bbolt.Tx) error {
		for _, p := range puts {
			e, err := read(tx, p.Key)
			if err != nil {
				return err
			}
			if e.Version != p.Version {
				return revision.ErrConflict
			}
		}
		values := tx.Bucket(valueBucket)
		for _, p := range puts {
			value := append(binary.BigEndian.AppendUint64(make([]byte, 0, versionBytes+len(p.Value)), p.Version+1), p.Value...)
			if err := values.Put([]byte(p.Key), value); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Remove implements [revision.Store].
func (s *Store) Remove(ctx context.Context, keys ...string) error {
	if err := revision.CheckKeys(keys); err != nil {
		return err
	}
	return mapped(s.file.Update(ctx, func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := tx.Bucket(valueBucket).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// read returns an entry whose value is valid until the transaction ends.
func read(tx *bbolt.Tx, key string) (revision.Entry, error) {
	stored := tx.Bucket(valueBucket).Get([]byte(key))
	if stored == nil {
		return revision.Entry{}, nil
	}
	e, err := decode(stored)
	if err != nil {
		return revision.Entry{}, fmt.Errorf("%w: read %s: %w", revision.ErrDamaged, key, err)
	}
	return e, nil
}

func decode(stored []byte) (revision.Entry, error) {
	if len(stored) <= versionBytes {
		return revision.Entry{}, errors.New("it is too short")
	}
	version := binary.BigEndian.Uint64(stored)
	if version == 0 {
		return revision.Entry{}, errors.New("it has no version")
	}
	return revision.Entry{Value: stored[versionBytes:], Version: version}, nil
}

// mapped adds revision.ErrUnavailable where a later try may succeed.
func mapped(err error) error {
	if errors.Is(err, boltfile.ErrWrite) || errors.Is(err, boltfile.ErrClosed) {
		return fmt.Errorf("%w: %w", revision.ErrUnavailable, err)
	}
	return err
}
