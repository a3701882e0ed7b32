package record

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var _ Store = (*fakeStore)(nil)

// fakeStore is a Store in memory that does what the contract asks. Its hooks are called without a lock, with the name of the method: they
// may block, and touch the store.
type fakeStore struct {
	// before may return an error in place of the call's work.
	before func(ctx context.Context, call string) error
	// after may return an error in place of the result of work that was done. It is not called for work that was refused.
	after func(ctx context.Context, call string) error

	mu      sync.Mutex
	records map[string]Record
	keys    map[string]Key
	calls   []string
}

func newFakeStore(records ...Record) *fakeStore {
	f := &fakeStore{records: map[string]Record{}, keys: map[string]Key{}}
	for _, r := range records {
		f.records[r.UserID] = r
	}
	return f
}

func (f *fakeStore) do(ctx context.Context, call string, work func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.before != nil {
		if err := f.before(ctx, call); err != nil {
			return err
		}
	}
	f.mu.Lock()
	f.calls = append(f.calls, call)
	err := work()
	f.mu.Unlock()
	if err == nil && f.after != nil {
		return f.after(ctx, call)
	}
	return err
}

func (f *fakeStore) Create(ctx context.Context, r Record, key *Key, now time.Time) error {
	return f.do(ctx, "create", func() error {
		if key != nil {
			if k, ok := f.keys[key.Name]; ok && !k.Expired(now) {
				return ErrKeyTaken
			}
		}
		if _, ok := f.records[r.UserID]; ok {
			return ErrExists
		}
		f.records[r.UserID] = r
		if key != nil {
			f.keys[key.Name] = *key
		}
		return nil
	})
}

func (f *fakeStore) Key(ctx context.Context, name string, now time.Time) (key Key, err error) {
	err = f.do(ctx, "key", func() error {
		var ok bool
		if key, ok = f.keys[name]; !ok || key.Expired(now) {
			return ErrNotFound
		}
		return nil
	})
	return key, err
}

func (f *fakeStore) Read(ctx context.Context, userID string) (r Record, err error) {
	err = f.do(ctx, "read", func() error {
		var ok bool
		if r, ok = f.records[userID]; !ok {
			return ErrNotFound
		}
		return nil
	})
	return r, err
}

func (f *fakeStore) Update(ctx context.Context, r, from Record) error {
	return f.do(ctx, "update", func() error {
		old, ok := f.records[r.UserID]
		switch {
		case !ok:
			return ErrNotFound
		case old.Version != from.Version:
			return ErrVersion
		}
		old.Merge(from.Attributes, r.Attributes)
		old.Version = r.Version
		f.records[r.UserID] = old
		return nil
	})
}

func (f *fakeStore) Ready(ctx context.Context) error {
	return f.do(ctx, "ready", func() error { return nil })
}

// stored is a copy of all records.
func (f *fakeStore) stored() map[string]Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.records)
}

// failing returns a hook that returns err from the n-th call of a method on, counted from 1.
func failing(method string, n int, err error) func(context.Context, string) error {
	var mu sync.Mutex
	return func(_ context.Context, call string) error {
		mu.Lock()
		defer mu.Unlock()
		if call == method {
			n--
		}
		if call == method && n <= 0 {
			return err
		}
		return nil
	}
}

// meeting returns a hook that holds the first n calls of a method until all of them are there.
func meeting(method string, n int) func(context.Context, string) error {
	var left atomic.Int64
	left.Store(int64(n))
	all := make(chan struct{})
	return func(ctx context.Context, call string) error {
		if call != method {
			return nil
		}
		if left.Add(-1) == 0 {
			close(all)
		}
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var (
	john = Attributes{
		Title: "Mr", FirstName: "John", LastName: "Doe", MobileNumber: "047777777",
		Address: Address{Postcode: "2040", Suburb: "leichhdart", State: "NSW", FullAddress: "1 Norton Street"},
	}
	ann = Caller{Subject: "ann"}
	bob = Caller{Subject: "bob"}
	ops = Caller{Subject: "kim", Operator: true}

	errBroken = errors.New("the disk is broken")
)

const someID = "00000042"

// owned is john's attributes in a record of ann's.
func owned() Record { return Record{UserID: someID, Attributes: john, Owner: ann.Subject, Version: 1} }

// newService is one that waits for nothing.
func newService(t require.TestingT, c Config) *Service {
	if h, ok := t.(*testing.T); ok {
		h.Helper()
	}
	s, err := New(c)
	require.NoError(t, err)
	s.wait = func(ctx context.Context, _ int) error { return ctx.Err() }
	return s
}

// inTurn returns a NewID that gives these IDs, and the last for ever.
func inTurn(ids ...string) func() string {
	var mu sync.Mutex
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		id := ids[0]
		if len(ids) > 1 {
			ids = ids[1:]
		}
		return id
	}
}
