// Package boltstore keeps user records in one file of this machine, for one process: bbolt. It is the store without any setup.
//
// Values are JSON, so that a person can read them; fields that this version does not know stay with a record. Idempotency keys have an
// index by the time they expire, and each create removes a few expired ones in its own transaction: the file does not grow by keys that
// nobody may use.
package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"adsidecar/internal/boltfile"
	"adsidecar/users/record"
)

const (
	kind   = "users"
	schema = 1

	// prunedEach is how many expired keys a create removes at most: more than the one that it adds, so that a backlog shrinks.
	prunedEach = 8
)

var (
	recordBucket = []byte("records") // user ID → storedRecord
	keyBucket    = []byte("keys")    // name → storedKey
	expiryBucket = []byte("expiry")  // expiryKey → nothing; exactly one for each of keyBucket
)

// Store is a [record.Store] in a file. It is safe for concurrent use. Writes at the same time share a sync of the disk.
type Store struct{ file *boltfile.File }

var _ record.Store = (*Store)(nil)

// Open opens the file at path, and makes it where it is missing. See [boltfile.Open].
func Open(path string) (*Store, error) {
	file, err := boltfile.Open(boltfile.Config{
		Path: path, Kind: kind, Schema: schema, Buckets: [][]byte{recordBucket, keyBucket, expiryBucket},
	})
	if err != nil {
		return nil, err
	}
	return &Store{file}, nil
}

// Close ends writes under way and frees the file. Every call after it returns [record.ErrUnavailable].
func (s *Store) Close() error { return s.file.Close() }

// Stats are the counts of the file.
func (s *Store) Stats() boltfile.Stats { return s.file.Stats() }

// Ready implements [record.Store]. See [boltfile.File.Ready] for what it does.
func (s *Store) Ready(ctx context.Context) error { return mapped(s.file.Ready(ctx)) }

// Read implements [record.Store].
func (s *Store) Read(ctx context.Context, userID string) (record.Record, error) {
	if err := ctx.Err(); err != nil {
		return record.Record{}, err
	}
	var r record.Record
	err := s.file.View(func(tx *bbolt.Tx) error {
		stored, err := readRecord(tx, userID)
		if err == nil || errors.Is(err, record.ErrDamaged) {
			r = stored.record(userID)
		}
		return err
	})
	return r, mapped(err)
}

// Key implements [record.Store].
func (s *Store) Key(ctx context.Context, name string, now time.Time) (record.Key, error) {
	if err := ctx.Err(); err != nil {
		return record.Key{}, err
	}
	var key record.Key
	err := s.file.View(func(tx *bbolt.Tx) (err error) {
		key, err = readKey(tx, name)
		return err
	})
	if err == nil && key.Expired(now) {
		err = record.ErrNotFound
	}
	if err != nil {
		return record.Key{}, mapped(err)
	}
	return key, nil
}

// Create implements [record.Store].
func (s *Store) Create(ctx context.Context, r record.Record, key *record.Key, now time.Time) error {
	stored := storedRecord{Owner: r.Owner}
	stored.set(r)
	value, err := encode(stored)
	if err != nil {
		return err
	}
	return mapped(s.file.Update(ctx, func(tx *bbolt.Tx) error {
		if key != nil {
			if err := putKey(tx, *key, now); err != nil {
				return err
			}
		}
		records := tx.Bucket(recordBucket)
		if records.Get([]byte(r.UserID)) != nil {
			return record.ErrExists
		}
		if err := records.Put([]byte(r.UserID), value); err != nil {
			return err
		}
		return prune(tx, now)
	}))
}

// Update implements [record.Store].
func (s *Store) Update(ctx context.Context, r, from record.Record) error {
	return mapped(s.file.Update(ctx, func(tx *bbolt.Tx) error {
		stored, err := readRecord(tx, r.UserID)
		if err != nil {
			return err
		}
		if stored.Version != from.Version {
			return record.ErrVersion
		}
		next := stored.record(r.UserID)
		next.Merge(from.Attributes, r.Attributes)
		next.Version = r.Version
		stored.set(next)
		value, err := encode(stored)
		if err != nil {
			return err
		}
		return tx.Bucket(recordBucket).Put([]byte(r.UserID), value)
	}))
}

func readRecord(tx *bbolt.Tx, userID string) (storedRecord, error) {
	value := tx.Bucket(recordBucket).Get([]byte(userID))
	if value == nil {
		return storedRecord{}, record.ErrNotFound
	}
	stored, err := decode[storedRecord](value)
	if err != nil {
		err = fmt.Errorf("read the record %s: %w", userID, err)
		if owner, bad := decode[storedOwner](value); bad == nil {
			return storedRecord{Owner: owner.Owner}, fmt.Errorf("%w: %w", record.ErrDamaged, err)
		}
		return storedRecord{}, err
	}
	return stored, nil
}

func readKey(tx *bbolt.Tx, name string) (record.Key, error) {
	value := tx.Bucket(keyBucket).Get([]byte(name))
	if value == nil {
		return record.Key{}, record.ErrNotFound
	}
	stored, err := decode[storedKey](value)
	if err != nil {
		return record.Key{}, fmt.Errorf("read an idempotency key: %w", err)
	}
	return stored.key(name), nil
}

// putKey puts the key and its entry of the index, in place of an expired one of the name.
func putKey(tx *bbolt.Tx, key record.Key, now time.Time) error {
	index := tx.Bucket(expiryBucket)
	old, err := readKey(tx, key.Name)
	switch {
	case errors.Is(err, record.ErrNotFound):
	case err != nil:
		return err
	case !old.Expired(now):
		return record.ErrKeyTaken
	default:
		if err := index.Delete(expiryKey(old.Expires, key.Name)); err != nil {
			return err
		}
	}
	value, err := encode(storedKey{Request: key.Request, UserID: key.UserID, Expires: key.Expires.UTC()})
	if err != nil {
		return err
	}
	if err := index.Put(expiryKey(key.Expires, key.Name), nil); err != nil {
		return err
	}
	return tx.Bucket(keyBucket).Put([]byte(key.Name), value)
}

// prune removes the keys that expired first, a few at a time.
func prune(tx *bbolt.Tx, now time.Time) error {
	index, all := tx.Bucket(expiryBucket), tx.Bucket(keyBucket)
	for range prunedEach {
		// From the start each time: a cursor must not go on after a delete.
		entry, _ := index.Cursor().First()
		if len(entry) < seconds || expirySecond(entry) > now.Unix() {
			return nil
		}
		if err := errors.Join(all.Delete(entry[seconds:]), index.Delete(entry)); err != nil {
			return err
		}
	}
	return nil
}

// seconds is the size of the time in front of an entry of the index.
const seconds = 8

// sign makes the unsigned order of bytes that of signed numbers.
const sign = 1 << 63

// expiryKey begins with the Unix second, so that the index is in the order of time.
func expiryKey(at time.Time, name string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(at.Unix())^sign), name...)
}

func expirySecond(entry []byte) int64 {
	return int64(binary.BigEndian.Uint64(entry) ^ sign)
}

// mapped adds record.ErrUnavailable where a later try may succeed.
func mapped(err error) error {
	if errors.Is(err, boltfile.ErrWrite) || errors.Is(err, boltfile.ErrClosed) {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	return err
}
