package revision_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/revision/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store that does what the contract asks.
type memory struct {
	mu     sync.Mutex
	values map[string]revision.Entry
}

func newMemory() *memory { return &memory{values: map[string]revision.Entry{}} }

func (m *memory) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := make([]revision.Entry, len(keys))
	for i, key := range keys {
		entries[i] = m.values[key]
	}
	return entries, errors.Join(ctx.Err(), revision.CheckKeys(keys))
}

func (m *memory) Commit(ctx context.Context, puts ...revision.Put) error {
	if err := errors.Join(ctx.Err(), revision.CheckPuts(puts)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range puts {
		if m.values[p.Key].Version != p.Version {
			return revision.ErrConflict
		}
	}
	for _, p := range puts {
		m.values[p.Key] = revision.Entry{Value: slices.Clone(p.Value), Version: p.Version + 1}
	}
	return nil
}

func (m *memory) Remove(ctx context.Context, keys ...string) error {
	if err := errors.Join(ctx.Err(), revision.CheckKeys(keys)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.values, key)
	}
	return nil
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) revision.Store { return newMemory() })
}
