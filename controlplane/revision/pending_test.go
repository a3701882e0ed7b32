package revision_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

// counted is a store that counts the chunks in it, and how often the list of pending batches is read.
type counted struct {
	*memory

	lists int
}

func (c *counted) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if slices.Contains(keys, "pending") {
		c.mu.Lock()
		c.lists++
		c.mu.Unlock()
	}
	return c.memory.Read(ctx, keys...)
}

func (c *counted) chunks() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.values {
		if strings.HasPrefix(key, "chunk/") {
			n++
		}
	}
	return n
}

func (c *counted) listed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists
}

// run runs a service until the test, or its bubble, ends.
func run(t *testing.T, s *revision.Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// imported are edits of several chunks.
func imported(round int) revision.ChangeSet {
	all := make([]revision.RowEdit, 200)
	for i := range all {
		all[i] = revision.RowEdit{ID: fmt.Sprint(i), After: &revision.Row{Campaign: []byte(strings.Repeat(fmt.Sprint(round, i*7919), 1000))}}
	}
	return revision.ChangeSet{Who: "kim", Kind: revision.Import, Edits: all}
}

// A document that changes with every poll makes a version each time: what they replace is removed soon after, by few requests.
func TestVersionsThatReplaceEachOtherAllTheTime(t *testing.T) {
	for name, interval := range map[string]time.Duration{"each 10 seconds": 10 * time.Second, "each 2 seconds": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const minutes = 20
				store := &counted{memory: newMemory()}
				s, err := revision.New(revision.Config{Store: store})
				require.NoError(t, err)
				run(t, s)
				keeps, most := 0, 0
				for end := time.Now().Add(minutes * time.Minute); time.Now().Before(end); keeps++ {
					require.NoError(t, s.KeepVersion(t.Context(), revision.Version{Hash: fmt.Sprint("v", keeps), At: time.Now()}, []byte("index")))
					most = max(most, store.chunks())
					<-time.After(interval)
				}
				waiting := int(6*time.Minute/interval) + 2 // five minutes for readers, one to gather them
				require.LessOrEqual(t, most, revision.MaxVersions+waiting)
				require.LessOrEqual(t, store.listed()-2*keeps, 5*minutes, "each minute: cleaning reads the list, and again to change it; one of two writers tries again")
				_, err = s.Apply(t.Context(), imported(0))
				require.NoError(t, err)

				<-time.After(10 * time.Minute)
				quiet := store.listed()
				<-time.After(5 * time.Hour)
				require.LessOrEqual(t, store.listed()-quiet, 5+1, "nothing is pending: once an hour, for what others may have left")
				kept, err := s.Versions(t.Context())
				require.NoError(t, err)
				require.Len(t, kept, revision.MaxVersions)
			})
		})
	}
}

// pend puts so many batches on the list, as others may have left them.
func pend(t *testing.T, store *memory, n int, abandoned bool) {
	t.Helper()
	type batch struct {
		Chunks    int       `json:"chunks"`
		At        time.Time `json:"at"`
		Abandoned bool      `json:"abandoned,omitempty"`
	}
	list := map[string]batch{}
	for i := range n {
		list[fmt.Sprintf("%026d", i)] = batch{Chunks: 1600, At: time.Now().UTC(), Abandoned: abandoned}
	}
	value, err := json.Marshal(map[string]any{"batches": list})
	require.NoError(t, err)
	entries, err := store.Read(t.Context(), "pending")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revision.Put{Key: "pending", Value: value, Version: entries[0].Version}))
}

func TestTheListOfPendingBatchesIsBounded(t *testing.T) {
	small := func(id string) revision.ChangeSet {
		return revision.ChangeSet{Who: "kim", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: id, After: &revision.Row{}}}}
	}
	store := newMemory()
	s, err := revision.New(revision.Config{Store: store})
	require.NoError(t, err)
	keep := func() error { return s.KeepVersion(t.Context(), revision.Version{Hash: "v"}, []byte("index")) }

	pend(t, store, 999, true)
	require.NoError(t, keep())
	pend(t, store, 1000, true)
	require.NoError(t, keep(), "it is kept")
	require.ErrorIs(t, s.KeepVersion(t.Context(), revision.Version{Hash: "w"}, []byte("index")), revision.ErrUnavailable)
	_, err = s.Apply(t.Context(), imported(0))
	require.NoError(t, err, "versions are in nobody's way")

	pend(t, store, 1999, true)
	_, err = s.Apply(t.Context(), imported(1))
	require.NoError(t, err, "the list is one value of the store")
	pend(t, store, 2000, false)
	_, err = s.Apply(t.Context(), imported(2))
	require.ErrorIs(t, err, revision.ErrUnavailable)
	require.ErrorContains(t, err, "2000 batches wait for their removal")
	_, err = s.Apply(t.Context(), small("x"))
	require.NoError(t, err, "few changes need no batch")
}

// lateReader is a store in which a snapshot is replaced, and removed, before it is read: so often.
type lateReader struct {
	*memory

	left int
	same bool // it is only removed
}

func (l *lateReader) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	entries, err := l.memory.Read(ctx, keys...)
	if err != nil || !strings.HasPrefix(keys[0], "chunk/") || l.left == 0 {
		return entries, err
	}
	l.left--
	if !l.same {
		snapshot, err := l.memory.Read(ctx, "snapshot")
		if err != nil {
			return nil, err
		}
		if err := l.Commit(ctx, revision.Put{Key: "snapshot", Value: snapshot[0].Value, Version: snapshot[0].Version}); err != nil {
			return nil, err
		}
	}
	return make([]revision.Entry, len(keys)), nil
}

// snapshotted makes as many revisions as a snapshot is made after, and waits for that. It is for a bubble in which s runs.
func snapshotted(t *testing.T, s *revision.Service) {
	t.Helper()
	for n := range 500 {
		_, err := s.Apply(t.Context(), revision.ChangeSet{
			Who: "kim", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "x", After: &revision.Row{Campaign: []byte(fmt.Sprint(n))}}},
		})
		require.NoError(t, err)
	}
	synctest.Wait()
}

func TestASnapshotThatIsReplacedIsRemovedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{memory: newMemory()}
		s, err := revision.New(revision.Config{Store: store})
		require.NoError(t, err)
		run(t, s)
		snapshotted(t, s)
		require.Equal(t, 1, store.chunks())
		snapshotted(t, s)
		require.Equal(t, 2, store.chunks())
		<-time.After(5*time.Minute - time.Second)
		require.Equal(t, 2, store.chunks(), "somebody may be reading it")
		<-time.After(time.Minute + 2*time.Second)
		require.Equal(t, 1, store.chunks())
	})
}

func TestASnapshotThatIsGoneBeforeItIsRead(t *testing.T) {
	store := newMemory()
	synctest.Test(t, func(t *testing.T) {
		s, err := revision.New(revision.Config{Store: store})
		require.NoError(t, err)
		run(t, s)
		snapshotted(t, s)
	})
	for name, c := range map[string]struct {
		left int
		same bool
		want error
	}{
		"replaced twice":            {left: 2},
		"replaced each time":        {left: 3, want: revision.ErrUnavailable},
		"there is no other in turn": {left: 3, same: true, want: revision.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := revision.New(revision.Config{Store: &lateReader{memory: store, left: c.left, same: c.same}})
			require.NoError(t, err)
			require.ErrorIs(t, s.Follow(t.Context()), c.want)
			require.Equal(t, c.want == nil, s.State().Loaded)
		})
	}
}
