package storetest

import (
	"fmt"
	"strings"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

func service(t require.TestingT, s revision.Store) *revision.Service {
	return serviceAt(t, s, func() time.Time { return now })
}

func serviceAt(t require.TestingT, s revision.Store, clock func() time.Time) *revision.Service {
	if h, ok := t.(*testing.T); ok {
		h.Helper()
	}
	made, err := revision.New(revision.Config{Store: s, Now: clock, Interval: 10 * time.Millisecond})
	require.NoError(t, err)
	return made
}

func row(campaign string) *revision.Row { return &revision.Row{Campaign: []byte(campaign)} }

func edit(id, campaign string) revision.RowEdit {
	return revision.RowEdit{ID: id, After: row(campaign)}
}

// pause is the row without a campaign.
func pause(id string) revision.RowEdit { return revision.RowEdit{ID: id, After: &revision.Row{}} }

func matching(e revision.RowEdit, number uint64) revision.RowEdit {
	e.Match = &number
	return e
}

func edits(all ...revision.RowEdit) revision.ChangeSet {
	return revision.ChangeSet{Who: "ann", Comment: "why", Kind: revision.Edit, Edits: all}
}

// requireRows is for rows given as "id": "revision campaign".
func requireRows(t require.TestingT, s *revision.Service, want map[string]string) {
	got := map[string]string{}
	for id, p := range s.State().Rows.All() {
		got[id] = fmt.Sprintf("%d %s", p.Revision, p.Row.Campaign)
	}
	require.Equal(t, want, got)
	require.Equal(t, len(want), s.State().Rows.Len())
}

func requireSame(t require.TestingT, a, b *revision.Service) {
	want := map[string]string{}
	for id, p := range a.State().Rows.All() {
		want[id] = fmt.Sprintf("%d %s", p.Revision, p.Row.Campaign)
	}
	requireRows(t, b, want)
	require.Equal(t, a.State().Rows.Revision(), b.State().Rows.Revision())
	require.Equal(t, a.State().Pin, b.State().Pin)
	require.Equal(t, a.State().Decision, b.State().Decision)
}

func apply(t *testing.T, s *revision.Service, all ...revision.RowEdit) uint64 {
	t.Helper()
	r, err := s.Apply(ctx(t), edits(all...))
	require.NoError(t, err)
	return r.Number
}

var revisions = suite{
	"an empty store has none": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		require.False(t, a.State().Loaded)
		require.NoError(t, a.Follow(ctx(t)))
		require.True(t, a.State().Loaded)
		requireRows(t, a, map[string]string{})
		all, err := a.Revisions(ctx(t), 0, 10)
		require.NoError(t, err)
		require.Empty(t, all)
		for _, number := range []uint64{0, 1} {
			_, err = a.Revision(ctx(t), number)
			require.ErrorIs(t, err, revision.ErrNotFound)
			_, err = a.Changes(ctx(t), number, 0, 10)
			require.ErrorIs(t, err, revision.ErrNotFound)
			_, err = a.Revert(ctx(t), number, "ann", "", nil)
			require.ErrorIs(t, err, revision.ErrNotFound)
		}
	},
	"what was written is told as it was, to every service": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		made, err := a.Apply(ctx(t), edits(edit("b", "1"), pause("c"), edit("a", "1")))
		require.NoError(t, err)
		want := revision.Revision{
			Number: 1, At: now, Who: "ann", Comment: "why", Kind: revision.Edit, Count: 3,
			Summary: revision.Summary{FirstIDs: []string{"a", "b", "c"}, Added: 3},
		}
		require.Equal(t, want, made)
		second := apply(t, a, edit("a", "2"), revision.RowEdit{ID: "b"})
		for _, s := range []*revision.Service{a, b} {
			require.NoError(t, s.Follow(ctx(t)))
			requireRows(t, s, map[string]string{"a": "2 2", "c": "1 "})
			got, err := s.Revision(ctx(t), 1)
			require.NoError(t, err)
			require.Equal(t, want, got)
			changes, err := s.Changes(ctx(t), 1, 0, 10)
			require.NoError(t, err)
			require.Equal(t, []revision.Change{{ID: "a", After: row("1")}, {ID: "b", After: row("1")}, {ID: "c", After: &revision.Row{}}}, changes)
			changes, err = s.Changes(ctx(t), second, 0, 10)
			require.NoError(t, err)
			require.Equal(t, []revision.Change{{ID: "a", Before: row("1"), After: row("2")}, {ID: "b", Before: row("1")}}, changes)
			between, err := s.Between(ctx(t), 0, 2)
			require.NoError(t, err)
			require.Equal(t, []revision.Change{{ID: "a", After: row("2")}, {ID: "c", After: &revision.Row{}}}, between)
		}
	},
	"an edit of a row that another has changed is a conflict that shows it": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		first := apply(t, a, edit("x", "1"), edit("y", "1"))
		second := apply(t, b, matching(edit("x", "2"), first))
		_, err := a.Apply(ctx(t), edits(matching(edit("x", "3"), first), matching(edit("y", "3"), first), matching(edit("z", "3"), 7)))
		var conflict *revision.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, &revision.ConflictError{All: 2, Conflicts: []revision.Conflict{
			{ID: "x", Present: &revision.Present{Row: *row("2"), Revision: second}, Wanted: row("3")}, {ID: "z", Wanted: row("3")},
		}}, conflict)
		requireRows(t, a, map[string]string{"x": "2 2", "y": "1 1"})
		third := apply(t, a, matching(edit("x", "3"), second), matching(edit("y", "3"), first), matching(edit("z", "3"), 0))
		require.EqualValues(t, 3, third)
		_, err = b.Apply(ctx(t), edits(matching(edit("z", "4"), 0)))
		require.ErrorAs(t, err, &conflict)
	},
	"edits that change nothing are left out": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		apply(t, a, edit("x", "1"))
		r, err := a.Apply(ctx(t), edits(edit("x", "1"), revision.RowEdit{ID: "gone"}, edit("y", "1")))
		require.NoError(t, err)
		require.Equal(t, 1, r.Count)
		requireRows(t, a, map[string]string{"x": "1 1", "y": "2 1"})
		_, err = a.Apply(ctx(t), edits(edit("x", "1"), revision.RowEdit{ID: "gone"}))
		require.ErrorIs(t, err, revision.ErrUnchanged)
		require.EqualValues(t, 2, a.State().Rows.Revision())
	},
	"a revert undoes one revision, and can be undone": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		apply(t, a, edit("x", "1"), edit("y", "1"))
		bad := apply(t, a, edit("x", "2"), revision.RowEdit{ID: "y"}, edit("z", "2"))
		apply(t, a, edit("other", "3"))
		r, err := b.Revert(ctx(t), bad, "kim", "it was wrong", nil)
		require.NoError(t, err)
		require.Equal(t, revision.Revision{
			Number: 4, At: now, Who: "kim", Comment: "it was wrong", Kind: revision.Revert, Reverts: bad, Count: 3,
			Summary: revision.Summary{FirstIDs: []string{"x", "y", "z"}, Added: 1, Changed: 1, Removed: 1},
		}, r)
		requireRows(t, b, map[string]string{"x": "4 1", "y": "4 1", "other": "3 3"})
		_, err = b.Revert(ctx(t), r.Number, "kim", "", nil)
		require.NoError(t, err)
		requireRows(t, b, map[string]string{"x": "5 2", "z": "5 2", "other": "3 3"})
		history, err := b.Revisions(ctx(t), 0, 10)
		require.NoError(t, err)
		require.Len(t, history, 5, "nothing is removed")
	},
	"each kind is told as it was, but for a revert that is none": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		for n, kind := range []revision.Kind{revision.Create, revision.Edit, revision.Pause, revision.Resume, revision.Delete, revision.Import} {
			c := edits(edit("x", fmt.Sprint(n)))
			c.Kind = kind
			made, err := a.Apply(ctx(t), c)
			require.NoError(t, err)
			got, err := service(t, s).Revision(ctx(t), made.Number)
			require.NoError(t, err)
			require.Equal(t, kind, got.Kind)
			require.Equal(t, made, got)
		}
	},
	"a list says the first campaigns and the counts without reading changes": func(t *testing.T, s revision.Store) {
		apply(t, service(t, s), wide(0).Edits...)
		seen := &spy{Store: s}
		b := service(t, seen)
		require.NoError(t, b.Follow(ctx(t)))
		_, before := seen.seen()
		all, err := b.Revisions(ctx(t), 0, 10)
		require.NoError(t, err)
		require.Equal(t, revision.Summary{FirstIDs: []string{"000", "001", "002"}, Added: wideRows}, all[0].Summary)
		_, after := seen.seen()
		require.Equal(t, []string{"revision/00000000000000000001"}, after[len(before):])
	},
	"a revision without a summary, as they were before, is read": func(t *testing.T, s revision.Store) {
		apply(t, service(t, s), edit("x", "1"))
		const key = "revision/00000000000000000001"
		stored := string(read(t, s, key).Value)
		older := strings.Replace(stored, `"first_ids":["x"],"added":1,`, "", 1)
		require.NotEqual(t, stored, older)
		require.NoError(t, s.Commit(ctx(t), text(key, older, 1)))
		b := service(t, s)
		r, err := b.Revision(ctx(t), 1)
		require.NoError(t, err)
		require.Equal(t, revision.Revision{Number: 1, At: now, Who: "ann", Comment: "why", Kind: revision.Edit, Count: 1}, r)
		requireRows(t, b, map[string]string{"x": "1 1"})
	},
	"a revert names the rows that have changed since": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		first := apply(t, a, edit("x", "1"), edit("y", "1"), edit("z", "1"))
		second := apply(t, a, edit("x", "2"), revision.RowEdit{ID: "z"})
		_, err := a.Revert(ctx(t), first, "kim", "", nil)
		var conflict *revision.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, []revision.Conflict{{ID: "x", Present: &revision.Present{Row: *row("2"), Revision: second}}, {ID: "z"}}, conflict.Conflicts)
		requireRows(t, a, map[string]string{"x": "2 2", "y": "1 1"})
	},
	"revisions and changes come in pages": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		for n := range 40 {
			apply(t, a, edit(fmt.Sprintf("%02d", n), "x"))
		}
		var numbers []uint64
		for before := uint64(0); ; {
			page, err := a.Revisions(ctx(t), before, 30)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				numbers = append(numbers, r.Number)
			}
			if before = page[len(page)-1].Number; before == 1 {
				break
			}
		}
		require.Len(t, numbers, 40)
		for i, n := range numbers {
			require.EqualValues(t, 40-i, n)
		}
		none, err := a.Revisions(ctx(t), 1, 10)
		require.NoError(t, err)
		require.Empty(t, none)
		for _, from := range []int{-1, 1, 2} {
			changes, err := a.Changes(ctx(t), 1, from, 10)
			require.NoError(t, err)
			require.Empty(t, changes)
		}
	},
	"what is beyond the limits is refused by field": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		long := strings.Repeat("x", revision.MaxCampaignBytes)
		require.NotZero(t, apply(t, a, edit(strings.Repeat("i", revision.MaxIDBytes), long)))
		for field, c := range map[string]revision.ChangeSet{
			"who":               {Kind: revision.Edit, Edits: []revision.RowEdit{edit("x", "1")}},
			"comment":           {Who: "ann", Comment: strings.Repeat("é", revision.MaxCommentRunes+1), Kind: revision.Edit},
			"kind":              {Who: "ann", Kind: revision.Revert, Edits: []revision.RowEdit{edit("x", "1")}},
			"edits":             {Who: "ann", Kind: revision.Import, Edits: make([]revision.RowEdit, revision.MaxChanges+1)},
			"edits[1].id":       edits(edit("x", "1"), edit("x", "2")),
			"edits[0].id":       edits(edit(strings.Repeat("i", revision.MaxIDBytes+1), "1")),
			"edits[0].campaign": edits(edit("x", long+"x")),
		} {
			_, err := a.Apply(ctx(t), c)
			var invalid *revision.InvalidError
			require.ErrorAs(t, err, &invalid, field)
			require.Equal(t, field, invalid.Field)
		}
		require.EqualValues(t, 1, a.State().Rows.Revision())
	},
	"whoever watches is told, by a running service of what others wrote too": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		running(t, b)
		state, changed := b.Watch()
		for !state.Loaded {
			await(t, changed)
			state, changed = b.Watch()
		}
		apply(t, a, edit("x", "1"))
		await(t, changed)
		requireRows(t, b, map[string]string{"x": "1 1"})
		keep(t, a, "v1")
		_, changed = b.Watch()
		_, err := a.SetPin(ctx(t), 0, "v1", "kim", "")
		require.NoError(t, err)
		await(t, changed)
		require.Equal(t, "v1", b.State().Pin.Version)
		_, changed = b.Watch()
		_, err = a.SetDecision(ctx(t), revision.Decision{Version: "v2", Who: "kim"})
		require.NoError(t, err)
		await(t, changed)
		require.Equal(t, "v2", b.State().Decision.Version)
	},
	"nobody is told where nothing has changed": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		apply(t, a, edit("x", "1"))
		_, changed := a.Watch()
		require.NoError(t, a.Follow(ctx(t)))
		_, err := a.Apply(ctx(t), edits(edit("x", "1")))
		require.ErrorIs(t, err, revision.ErrUnchanged)
		select {
		case <-changed:
			require.FailNow(t, "told of nothing")
		default:
		}
	},
	"a revision with other changes than it had is damage": func(t *testing.T, s revision.Store) {
		apply(t, service(t, s), edit("x", "1"))
		const key = "revision/00000000000000000001"
		stored := read(t, s, key)
		for version, value := range []string{strings.Replace(string(stored.Value), `"count":1`, `"count":2`, 1), `{"count":1}`, `{`} {
			require.NotEqual(t, string(stored.Value), value)
			require.NoError(t, s.Commit(ctx(t), text(key, value, uint64(version)+1)))
			b := service(t, s)
			require.ErrorIs(t, b.Follow(ctx(t)), revision.ErrDamaged)
			require.False(t, b.State().Loaded)
		}
	},
	"rows that a reader has stay as they are": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		apply(t, a, edit("x", "1"), edit("y", "1"))
		before := a.State().Rows
		apply(t, a, edit("x", "2"), revision.RowEdit{ID: "y"}, edit("z", "2"))
		p, ok := before.Get("x")
		require.True(t, ok)
		require.Equal(t, revision.Present{Row: *row("1"), Revision: 1}, p)
		_, ok = before.Get("z")
		require.False(t, ok)
		require.Equal(t, 2, before.Len())
	},
}
