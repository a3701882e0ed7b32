package revision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/controlplane/revision"
)

// other is a store in the place of which another one can be put.
type other struct{ revision.Store }

// A table can be deleted, and another one be restored under its name while it is followed.
func TestTheRowsAreThoseOfTheStoreThatIsThere(t *testing.T) {
	edit := func(s *revision.Service, ids ...string) {
		for _, id := range ids {
			_, err := s.Apply(t.Context(), revision.ChangeSet{
				Who: "kim", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: id, After: &revision.Row{}}},
			})
			require.NoError(t, err)
		}
	}
	for name, c := range map[string]struct {
		second    []string
		anonymous bool // it was made by a program that gave no identities
	}{
		"it has more revisions":            {second: []string{"s1", "s2", "s3"}},
		"it has as many":                   {second: []string{"s1", "s2"}},
		"it has fewer":                     {second: []string{"s1"}},
		"it has more, and no identity":     {second: []string{"s1", "s2", "s3"}, anonymous: true},
		"it has as many, and no identity":  {second: []string{"s1", "s2"}, anonymous: true},
		"it is empty, and has no identity": {anonymous: true},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newMemory(), newMemory()
			writer, err := revision.New(revision.Config{Store: second})
			require.NoError(t, err)
			edit(writer, c.second...)
			if c.anonymous {
				require.NoError(t, second.Remove(t.Context(), "store"))
			}
			store := &other{first}
			s, err := revision.New(revision.Config{Store: store})
			require.NoError(t, err)
			edit(s, "f1", "f2")
			require.NoError(t, s.Follow(t.Context()))
			before, changed := s.Watch()
			store.Store = second
			require.NoError(t, s.Follow(t.Context()))
			var ids []string
			for id := range s.State().Rows.All() {
				ids = append(ids, id)
			}
			require.ElementsMatch(t, c.second, ids)
			require.NotEqual(t, before.Store, s.State().Store)
			select {
			case <-changed:
			default:
				require.FailNow(t, "nobody is told")
			}
			edit(s, "new")
			require.EqualValues(t, len(c.second)+1, s.State().Rows.Revision())
		})
	}
}

// silent is a store that does not answer calls of some keys while it is set, as a peer that begins an answer and does not end it.
type silent struct {
	*memory

	on      atomic.Bool
	key     string
	removes bool
}

func (s *silent) stall(ctx context.Context, removes bool, keys ...string) error {
	begins := func(key string) bool { return strings.HasPrefix(key, s.key) }
	if !s.on.Load() || s.removes != removes || !slices.ContainsFunc(keys, begins) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *silent) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if err := s.stall(ctx, false, keys...); err != nil {
		return nil, err
	}
	return s.memory.Read(ctx, keys...)
}

func (s *silent) Commit(ctx context.Context, puts ...revision.Put) error {
	keys := make([]string, len(puts))
	for i, p := range puts {
		keys[i] = p.Key
	}
	if err := s.stall(ctx, false, keys...); err != nil {
		return err
	}
	return s.memory.Commit(ctx, puts...)
}

func (s *silent) Remove(ctx context.Context, keys ...string) error {
	if err := s.stall(ctx, true, keys...); err != nil {
		return err
	}
	return s.memory.Remove(ctx, keys...)
}

func TestAStoreThatDoesNotAnswerKeepsNobodyForEver(t *testing.T) {
	begin := func(t *testing.T, key string, removes bool) (*silent, *revision.Service) {
		t.Helper()
		store := &silent{memory: newMemory(), key: key, removes: removes}
		s, err := revision.New(revision.Config{Store: store})
		require.NoError(t, err)
		require.NoError(t, s.Follow(t.Context()))
		return store, s
	}
	t.Run("who follows it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, s := begin(t, "head", false)
			store.on.Store(true)
			began := time.Now()
			err := s.Follow(context.Background())
			require.ErrorIs(t, err, revision.ErrUnavailable)
			require.ErrorContains(t, err, "no answer within 15s")
			require.Equal(t, 15*time.Second, time.Since(began))
			require.Equal(t, began, s.Following().ReadAt)
			require.Equal(t, err, s.Following().Err)
		})
	})
	t.Run("who writes while it is followed, and it answers again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, s := begin(t, "head", false)
			store.on.Store(true)
			run(t, s)
			synctest.Wait()
			store.on.Store(false)
			c, cancel := context.WithTimeout(t.Context(), 20*time.Second) // as of a request
			defer cancel()
			_, err := s.Apply(c, revision.ChangeSet{Who: "kim", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "x", After: &revision.Row{}}}})
			require.NoError(t, err)
		})
	})
	t.Run("who writes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, s := begin(t, "published", false)
			_, err := s.SetPublished(t.Context(), revision.Published{Version: "v"})
			require.NoError(t, err)
			store.on.Store(true)
			_, err = s.SetPublished(context.Background(), revision.Published{Counter: 1, Version: "w"})
			require.ErrorIs(t, err, revision.ErrUnavailable)
			require.NotErrorIs(t, err, revision.ErrConflict)
		})
	})
	t.Run("who cleans up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, s := begin(t, "chunk/", true)
			pend(t, store.memory, 3, false)
			store.on.Store(true)
			run(t, s)
			<-time.After(2 * time.Hour)
			store.on.Store(false)
			<-time.After(time.Minute)
			entries, err := store.Read(t.Context(), "pending")
			require.NoError(t, err)
			require.Equal(t, `{"batches":{}}`, string(entries[0].Value))
		})
	})
	t.Run("who does not wait so long says why itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, s := begin(t, "head", false)
			store.on.Store(true)
			c, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := s.Follow(c)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, revision.ErrUnavailable)
			require.NoError(t, s.Following().Err, "that is not known of the store")
		})
	})
}

// refusing is a store that cannot be read while it is set.
type refusing struct {
	*memory

	err atomic.Pointer[error]
}

func (r *refusing) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if err := r.err.Load(); err != nil {
		return nil, *err
	}
	return r.memory.Read(ctx, keys...)
}

func (r *refusing) refuse(reason string) {
	err := errors.New(reason)
	r.err.Store(&err)
}

func TestAStoreThatCannotBeReadIsToldAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		store := &refusing{memory: newMemory()}
		s, err := revision.New(revision.Config{Store: store, Logger: zap.New(core)})
		require.NoError(t, err)
		require.Equal(t, revision.Following{}, s.Following())
		run(t, s)
		<-time.After(time.Minute - time.Second)
		require.NoError(t, s.Following().Err)
		require.Less(t, time.Since(s.Following().ReadAt), 3*time.Second)
		require.Empty(t, logs.TakeAll())

		last := s.Following().ReadAt
		store.refuse("no rights")
		<-time.After(4 * time.Minute)
		store.refuse("no table")
		require.Equal(t, last, s.Following().ReadAt)
		require.ErrorContains(t, s.Following().Err, "no rights")
		failures := logs.FilterMessage("operators' changes cannot be read")
		require.Equal(t, 1, failures.Len())
		logged := failures.All()[0].ContextMap()
		require.Equal(t, last, logged["last_read"])
		require.Contains(t, logged["error"], "no rights")
		<-time.After(7 * time.Minute)
		require.ErrorContains(t, s.Following().Err, "no table", "as it was logged last")
		require.Equal(t, 3, logs.FilterMessage("operators' changes cannot be read").Len(), "each five minutes")

		store.err.Store(nil)
		<-time.After(3 * time.Second)
		require.NoError(t, s.Following().Err)
		require.Less(t, time.Since(s.Following().ReadAt), 3*time.Second)
		require.Equal(t, 1, logs.FilterMessage("operators' changes can be read again").Len())
	})
}
