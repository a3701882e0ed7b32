package publish

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/controlplane/revision"
)

// lockedStore is a store that cannot be read while it is locked.
type lockedStore struct {
	revision.Store

	mu     sync.Mutex
	locked bool
}

func (s *lockedStore) lock(locked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = locked
}

func (s *lockedStore) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	s.mu.Lock()
	locked := s.locked
	s.mu.Unlock()
	if locked {
		return nil, errors.New("no rights")
	}
	return s.Store.Read(ctx, keys...)
}

// What is known of the operators stays in force while their store cannot be read, so only the status can say that it may be old.
func TestAStoreThatCannotBeReadAnyMoreIsTold(t *testing.T) {
	o := newOperators(t)
	store := &lockedStore{Store: o.store}
	s, err := revision.New(revision.Config{Store: store})
	require.NoError(t, err)
	o.Service = s
	b := hourly(t, o, Config{}, answer{text: doc("a")}, unchanged)
	require.Zero(t, b.Status().Operators.ReadAt, "never")
	o.edit(t, "x", path("x"))
	b.step(t)
	b.settle()
	before := *b.Status().Operators
	require.False(t, before.ReadAt.IsZero())
	require.Empty(t, before.ReadError)

	store.lock(true)
	require.Error(t, s.Follow(t.Context()))
	after := b.Status().Operators
	require.Contains(t, after.ReadError, "no rights")
	require.Equal(t, before.ReadAt, after.ReadAt)
	require.True(t, after.Loaded)
	require.Equal(t, before.Revision, after.Revision)

	store.lock(false)
	require.NoError(t, s.Follow(t.Context()))
	require.Empty(t, b.Status().Operators.ReadError)
	require.True(t, b.Status().Operators.ReadAt.After(before.ReadAt))
}

// A row that is no campaign takes the source's campaign of its id with it.
func TestRowsThatCannotBeReadAreTold(t *testing.T) {
	o := newOperators(t)
	core, logs := observer.New(zap.InfoLevel)
	b := hourly(t, o, Config{Logger: zap.New(core)}, answer{text: doc("a", "b", "c")}, unchanged)
	b.step(t)
	b.settle()
	require.Zero(t, b.metric(t, "operators_unreadable_rows"))
	damage := func(row *revision.Row, ids ...string) {
		var edits []revision.RowEdit
		for _, id := range ids {
			edits = append(edits, revision.RowEdit{ID: id, After: row})
		}
		_, err := o.Apply(t.Context(), revision.ChangeSet{Who: "test", Kind: revision.Edit, Edits: edits})
		require.NoError(t, err)
		b.settle()
	}
	damage(&revision.Row{Campaign: []byte(`{"id":`)}, "b", "c")
	require.Equal(t, version(t, "a"), b.sink.Published())
	require.Equal(t, 2, b.Status().Operators.Unreadable)
	require.EqualValues(t, 2, b.metric(t, "operators_unreadable_rows"))
	said := logs.FilterMessageSnippet("operators' rows cannot be read").All()
	require.Len(t, said, 1)
	require.Contains(t, said[0].ContextMap()["error"], `2 rows, the first is "b"`)
	b.settle()
	require.Len(t, logs.FilterMessageSnippet("operators' rows cannot be read").All(), 1, "once")

	damage(nil, "b", "c")
	require.Equal(t, version(t, "a", "b", "c"), b.sink.Published())
	require.Zero(t, b.Status().Operators.Unreadable)
	require.Zero(t, b.metric(t, "operators_unreadable_rows"))
	require.Len(t, logs.FilterMessageSnippet("can all be read again").All(), 1)
}
