package storetest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

const wideRows = 50

// wide are edits of several chunks, which cannot be compressed much.
func wide(round int) revision.ChangeSet {
	random := rand.NewChaCha8([32]byte{byte(round)})
	all := make([]revision.RowEdit, wideRows)
	for i := range all {
		content := make([]byte, revision.MaxCampaignBytes/2-8)
		_, _ = random.Read(content) // it has no error
		all[i] = edit(fmt.Sprintf("%03d", i), fmt.Sprintf("%d %s", round, hex.EncodeToString(content)))
	}
	return edits(all...)
}

// requireRound is for rows that are all of one round, -1 for none.
func requireRound(t *testing.T, s *revision.Service, round int) {
	t.Helper()
	require.NoError(t, s.Follow(ctx(t)))
	want := wide(round).Edits
	if round < 0 {
		require.Zero(t, s.State().Rows.Len())
		return
	}
	require.Equal(t, wideRows, s.State().Rows.Len())
	for _, e := range want {
		p, ok := s.State().Rows.Get(e.ID)
		require.True(t, ok)
		require.True(t, bytes.Equal(e.After.Campaign, p.Row.Campaign), "%s is of another round", e.ID)
	}
}

var large = suite{
	"a revision of several chunks is read whole, and in pages": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		var progress []int
		set := wide(0)
		set.Progress = func(written, all int) {
			require.Equal(t, wideRows, all)
			progress = append(progress, written)
		}
		_, err := a.Apply(ctx(t), set)
		require.NoError(t, err)
		chunks, _ := seen.seen()
		require.Greater(t, len(chunks), 2)
		require.Len(t, progress, len(chunks)+1)
		require.True(t, slices.IsSorted(progress))
		require.Zero(t, progress[0])
		require.Equal(t, wideRows, progress[len(progress)-1])

		b := service(t, s)
		requireRound(t, b, 0)
		all, err := b.Changes(ctx(t), 1, 0, wideRows)
		require.NoError(t, err)
		require.Len(t, all, wideRows)
		for from := range wideRows + 1 {
			page, err := b.Changes(ctx(t), 1, from, 20)
			require.NoError(t, err)
			require.Equal(t, all[from:min(from+20, wideRows)], append([]revision.Change{}, page...))
		}
		_, err = b.Revert(ctx(t), 1, "kim", "", nil)
		require.NoError(t, err)
		requireRound(t, a, -1)
		cleaned(t, s, now.Add(2*time.Hour))
		require.Equal(t, len(chunks), present(t, s, chunks), "nothing is removed")
	},
	"wherever the writer dies, all of the revision is there or nothing, and no leftover stays": func(t *testing.T, s revision.Store) {
		round, number := -1, uint64(0)
		for left, alive := 0, false; !alive; left++ {
			for _, applied := range []bool{false, true} {
				dying := &spy{Store: s, mortal: true, left: left, applied: applied}
				_, err := service(t, dying).Apply(ctx(t), wide(left))
				after := service(t, s)
				require.NoError(t, after.Follow(ctx(t)))
				chunks, _ := dying.seen()
				if moved := after.State().Rows.Revision(); moved > number {
					require.Equal(t, number+1, moved)
					number, round = moved, left
					alive = err == nil
				} else {
					require.ErrorIs(t, err, revision.ErrUnavailable)
				}
				requireRound(t, after, round)
				cleaned(t, s, now.Add(2*time.Hour))
				if round == left {
					require.Equal(t, len(chunks), present(t, s, chunks))
					break
				}
				require.Zero(t, present(t, s, chunks), "leftovers after write %d", left)
			}
		}
		history, err := service(t, s).Revisions(ctx(t), 0, 1000)
		require.NoError(t, err)
		require.Len(t, history, int(number))
	},
	"what was begun less than an hour ago is nobody's leftover": func(t *testing.T, s revision.Store) {
		dying := &spy{Store: s}
		dying.before = func(all []revision.Put) {
			if puts(all, "head") {
				dying.mu.Lock()
				defer dying.mu.Unlock()
				dying.mortal = true
			}
		}
		_, err := service(t, dying).Apply(ctx(t), wide(0))
		require.ErrorIs(t, err, revision.ErrUnavailable)
		chunks, _ := dying.seen()
		there := present(t, s, chunks)
		require.Positive(t, there)
		seen := &spy{Store: s}
		stop := running(t, serviceAt(t, seen, func() time.Time { return now.Add(59 * time.Minute) }))
		require.Eventually(t, func() bool {
			_, reads := seen.seen()
			return slices.Contains(reads, "pending")
		}, patience, 5*time.Millisecond)
		stop()
		require.Empty(t, seen.removed)
		require.Equal(t, there, present(t, s, chunks))
	},
	"a writer that was taken for dead publishes nothing": func(t *testing.T, s revision.Store) {
		slow := &spy{Store: s}
		slow.before = func(all []revision.Put) {
			if puts(all, "head") {
				cleaned(t, s, now.Add(2*time.Hour))
			}
		}
		_, err := service(t, slow).Apply(ctx(t), wide(0))
		require.ErrorIs(t, err, revision.ErrUnavailable)
		requireRound(t, service(t, s), -1)
	},
	"a writer that is overtaken begins again, and leaves nothing behind": func(t *testing.T, s revision.Store) {
		b, overtaken := service(t, s), false
		seen := &spy{Store: s}
		seen.before = func(all []revision.Put) {
			if puts(all, "head") && !overtaken {
				overtaken = true
				apply(t, b, edit("001", "of another"))
			}
		}
		a := service(t, seen)
		r, err := a.Apply(ctx(t), wide(0))
		require.NoError(t, err)
		require.EqualValues(t, 2, r.Number)
		requireRound(t, b, 0)
		changes, err := b.Changes(ctx(t), 2, 1, 1)
		require.NoError(t, err)
		require.Equal(t, row("of another"), changes[0].Before)
		chunks, _ := seen.seen()
		require.Equal(t, len(chunks)/2, present(t, s, chunks))
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value))
	},
	"what could not be written whole is removed at once": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		store := &full{Store: seen, refused: make(chan struct{})}
		a := service(t, store)
		_, err := a.Apply(ctx(t), wide(0))
		require.ErrorIs(t, err, errFull)
		chunks, _ := seen.seen()
		require.NotEmpty(t, chunks)
		require.Zero(t, present(t, s, chunks))
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value))
		require.ErrorIs(t, a.KeepVersion(ctx(t), version("v1"), index(600<<10)), errFull)
		chunks, _ = seen.seen()
		require.Zero(t, present(t, s, chunks))
		require.False(t, store.cut.Load(), "what is under way would be there after the removal")
		require.EqualValues(t, 1, apply(t, a, edit("small", "1")))
	},
	"what a check refuses leaves nothing behind": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		set := wide(0)
		set.Check = func(_ context.Context, before, after revision.Rows) error {
			require.Zero(t, before.Len())
			require.Equal(t, wideRows, after.Len())
			return errFull
		}
		_, err := a.Apply(ctx(t), set)
		require.ErrorIs(t, err, errFull)
		requireRound(t, a, -1)
		chunks, _ := seen.seen()
		require.NotEmpty(t, chunks)
		require.Zero(t, present(t, s, chunks))
	},
	"a chunk that is missing is damage, and no revision with less in it": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		_, err := service(t, seen).Apply(ctx(t), wide(0))
		require.NoError(t, err)
		chunks, _ := seen.seen()
		require.NoError(t, s.Remove(ctx(t), chunks[len(chunks)-1]))
		b := service(t, s)
		require.ErrorIs(t, b.Follow(ctx(t)), revision.ErrDamaged)
		require.False(t, b.State().Loaded)
	},
}

const manyRows = 10_000

// many are edits of enough rows for a snapshot.
func many(round int) revision.ChangeSet {
	all := make([]revision.RowEdit, manyRows)
	for i := range all {
		all[i] = edit(fmt.Sprint("many-", i), fmt.Sprintf(`{"id":"many-%d","round":%d}`, i, round))
	}
	return edits(all...)
}

func awaitSnapshot(t *testing.T, s revision.Store, version uint64) {
	t.Helper()
	require.Eventually(t, func() bool { return read(t, s, "snapshot").Version >= version }, patience, 5*time.Millisecond)
}

var snapshots = suite{
	"who comes later reads the snapshot and what came since, and the replaced one is removed in the end": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		stop := running(t, a)
		apply(t, a, edit("small", "1"))
		_, err := a.Apply(ctx(t), many(0))
		require.NoError(t, err)
		awaitSnapshot(t, s, 1)
		first, _ := seen.seen()
		require.NotEmpty(t, first)
		apply(t, a, edit("small", "2"), revision.RowEdit{ID: "many-7"}, pause("many-8"))

		reader := &spy{Store: s}
		b := service(t, reader)
		require.NoError(t, b.Follow(ctx(t)))
		requireSame(t, a, b)
		_, reads := reader.seen()
		require.NotContains(t, reads, fmt.Sprintf("revision/%020d", 2))
		require.Contains(t, reads, fmt.Sprintf("revision/%020d", 3))

		_, err = a.Apply(ctx(t), many(1))
		require.NoError(t, err)
		awaitSnapshot(t, s, 2)
		stop()
		require.Equal(t, len(first), present(t, s, first), "somebody may be reading it")
		cleaned(t, s, now.Add(2*time.Hour))
		ofRevision, _, _ := strings.Cut(strings.TrimPrefix(first[0], "chunk/"), "/")
		for _, chunk := range first {
			require.Equal(t, strings.Contains(chunk, ofRevision), read(t, s, chunk).Version > 0, chunk)
		}
		c := service(t, s)
		require.NoError(t, c.Follow(ctx(t)))
		requireSame(t, a, c)
		changes, err := c.Changes(ctx(t), 1, 0, 10)
		require.NoError(t, err)
		require.Len(t, changes, 1, "the history is there still")
	},
	"a snapshot that is replaced while it is read is no damage": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		stop := running(t, a)
		_, err := a.Apply(ctx(t), many(0))
		require.NoError(t, err)
		awaitSnapshot(t, s, 1)
		replaced := false
		b := service(t, readHook{s, func(keys []string) {
			if strings.HasPrefix(keys[0], "chunk/") && !replaced {
				replaced = true
				_, err := a.Apply(ctx(t), many(1))
				require.NoError(t, err)
				awaitSnapshot(t, s, 2)
				stop()
				cleaned(t, s, now.Add(2*time.Hour))
			}
		}})
		require.NoError(t, b.Follow(ctx(t)))
		require.True(t, replaced)
		require.NoError(t, b.Follow(ctx(t)))
		requireSame(t, a, b)
	},
	"who makes a snapshot that is there already leaves nothing behind": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		_, err := a.Apply(ctx(t), many(0))
		require.NoError(t, err)
		slow := &spy{Store: s}
		slow.before = func(all []revision.Put) {
			if puts(all, "snapshot") {
				stop := running(t, a)
				awaitSnapshot(t, s, 1)
				stop()
			}
		}
		b := service(t, slow)
		require.NoError(t, b.Follow(ctx(t)))
		running(t, b)
		require.Eventually(t, func() bool {
			chunks, _ := slow.seen()
			return len(chunks) > 0 && read(t, s, "snapshot").Version == 1 && present(t, s, chunks) == 0
		}, patience, 5*time.Millisecond)
	},
	"wherever the writer of a snapshot dies, the rows are there": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		_, err := a.Apply(ctx(t), many(0))
		require.NoError(t, err)
		for left := 0; read(t, s, "snapshot").Version == 0; left++ {
			for _, applied := range []bool{false, true} {
				dying := &spy{Store: s, mortal: true, left: left, applied: applied}
				c := service(t, dying)
				require.NoError(t, c.Follow(ctx(t)))
				stop := running(t, c)
				require.Eventually(t, func() bool {
					dying.mu.Lock()
					defer dying.mu.Unlock()
					return dying.died
				}, patience, 5*time.Millisecond)
				stop()
				b := service(t, s)
				require.NoError(t, b.Follow(ctx(t)))
				requireSame(t, a, b)
				chunks, _ := dying.seen()
				cleaned(t, s, now.Add(2*time.Hour))
				if read(t, s, "snapshot").Version > 0 {
					require.Equal(t, len(chunks), present(t, s, chunks))
					break
				}
				require.Zero(t, present(t, s, chunks))
			}
		}
	},
}
