package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing
	"pgregory.net/rapid"                  //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// readHook calls a function before each read.
type readHook struct {
	revision.Store

	before func(keys []string)
}

func (h readHook) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	h.before(keys)
	return h.Store.Read(ctx, keys...)
}

// commitHook calls functions once, before the next commit of a head and before the next one of a chunk. Chunks are committed at once.
type commitHook struct {
	revision.Store

	mu          sync.Mutex
	head, chunk func()
}

func (h *commitHook) set(head, chunk func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.head, h.chunk = head, chunk
}

// take returns the function to be called before a commit, which is nil where there is none.
func (h *commitHook) take(all []revision.Put) (fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case strings.HasPrefix(all[0].Key, "chunk/"):
		fn, h.chunk = h.chunk, nil
	case puts(all, "head"):
		fn, h.head = h.head, nil
	}
	return fn
}

func (h *commitHook) Commit(ctx context.Context, all ...revision.Put) error {
	if fn := h.take(all); fn != nil {
		fn()
	}
	return h.Store.Commit(ctx, all...)
}

// prefixed keeps the values of each run of a model apart.
type prefixed struct {
	revision.Store

	prefix string
}

func (p prefixed) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	named := make([]string, len(keys))
	for i, key := range keys {
		named[i] = p.prefix + key
	}
	return p.Store.Read(ctx, named...)
}

func (p prefixed) Commit(ctx context.Context, all ...revision.Put) error {
	named := make([]revision.Put, len(all))
	for i, put := range all {
		named[i] = put
		named[i].Key = p.prefix + put.Key
	}
	return p.Store.Commit(ctx, named...)
}

// model is what the history should be: the rows at each revision, as "revision campaign".
type model struct{ at []map[string]string }

func (m *model) rows() map[string]string { return m.at[len(m.at)-1] }

func (m *model) content(number uint64, id string) (string, bool) {
	stored, ok := m.at[number][id]
	if !ok {
		return "", false
	}
	_, content, _ := strings.Cut(stored, " ")
	return content, true
}

// edit makes a revision, unless nothing changes.
func (m *model) edit(want map[string]*string) (changed bool) {
	number := uint64(len(m.at))
	next := maps.Clone(m.rows())
	for id, content := range want {
		old, there := m.content(number-1, id)
		switch {
		case content == nil && there:
			delete(next, id)
			changed = true
		case content != nil && (!there || old != *content):
			next[id] = fmt.Sprintf("%d %s", number, *content)
			changed = true
		}
	}
	if changed {
		m.at = append(m.at, next)
	}
	return changed
}

func (m *model) revision(id string) (number uint64) {
	_, _ = fmt.Sscan(m.rows()[id], &number) // 0 where it is not there
	return number
}

// bulk are further rows, which are too much for a revision without a batch. bulkRounds are their contents.
var (
	bulk       = []string{"b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9"}
	bulkRounds = [][]revision.RowEdit{wide(0).Edits, wide(1).Edits}
)

// draw makes edits, and what they should make of the rows.
func (m *model) draw(t *rapid.T) ([]revision.RowEdit, map[string]*string) {
	var all []revision.RowEdit
	want := map[string]*string{}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID[string]).Draw(t, "rows") {
		content := rapid.SampledFrom([]string{"-", "", "1", "2", "3"}).Draw(t, "content of "+id)
		e := revision.RowEdit{ID: id}
		want[id] = nil
		if content != "-" {
			e.After, want[id] = row(content), &content
		}
		if rapid.Bool().Draw(t, "match") {
			e = matching(e, uint64(rapid.IntRange(0, 2).Draw(t, "ago")))
			*e.Match = m.revision(id) - min(*e.Match, m.revision(id))
		}
		all = append(all, e)
	}
	if rapid.Bool().Draw(t, "in bulk") {
		round := rapid.SampledFrom(bulkRounds).Draw(t, "round")
		for i, id := range bulk {
			content := string(round[i].After.Campaign)
			all, want[id] = append(all, edit(id, content)), &content
		}
	}
	return all, want
}

// stale reports whether an edit is of a row that its editor has not seen.
func (m *model) stale(all []revision.RowEdit) bool {
	return slices.ContainsFunc(all, func(e revision.RowEdit) bool { return e.Match != nil && *e.Match != m.revision(e.ID) })
}

// apply makes the edits, and checks what is said of them.
func (m *model) apply(t *rapid.T, s *revision.Service, all []revision.RowEdit, want map[string]*string) {
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := s.Apply(c, edits(all...))
	var conflict *revision.ConflictError
	require.Equal(t, m.stale(all), errors.As(err, &conflict), "%v", err)
	if conflict != nil {
		return
	}
	if m.edit(want) {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, revision.ErrUnchanged)
	}
}

var models = suite{
	"two services that meet at random follow the model": func(t *testing.T, s revision.Store) {
		run := 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			store := prefixed{s, fmt.Sprint(run, "/")}
			hook := &commitHook{Store: store}
			services := []*revision.Service{service(t, hook), service(t, store)}
			m := &model{at: []map[string]string{{}}}
			for range rapid.IntRange(1, 6).Draw(t, "steps") {
				who := services[rapid.IntRange(0, 1).Draw(t, "service")]
				var head, chunk func()
				if rapid.Bool().Draw(t, "meet at the head") {
					all, want := m.draw(t)
					head = func() { m.apply(t, services[1], all, want) }
				}
				if rapid.Bool().Draw(t, "meet at a chunk") { // of the same service, too
					other := services[rapid.IntRange(0, 1).Draw(t, "other")]
					all, want := m.draw(t)
					chunk = func() { m.apply(t, other, all, want) }
				}
				hook.set(head, chunk)
				if number := rapid.IntRange(-3, len(m.at)-1).Draw(t, "revert"); number > 0 {
					_, err := who.Revert(context.Background(), uint64(number), "ann", "", nil)
					m.revert(t, uint64(number), err)
				} else {
					all, want := m.draw(t)
					m.apply(t, who, all, want)
				}
				for _, each := range append(services, service(t, store)) {
					require.NoError(t, each.Follow(context.Background()))
					require.EqualValues(t, len(m.at)-1, each.State().Rows.Revision())
					requireRows(t, each, m.rows())
				}
			}
		})
	},
}

// revert checks what a revert said, and does it in the model.
func (m *model) revert(t *rapid.T, number uint64, err error) {
	last := uint64(len(m.at) - 1)
	want, conflicts := map[string]*string{}, false
	for _, id := range append([]string{"a", "b", "c"}, bulk...) {
		before, wasThere := m.content(number-1, id)
		after, isThere := m.content(number, id)
		if before == after && wasThere == isThere {
			continue
		}
		if now, there := m.content(last, id); now != after || there != isThere {
			conflicts = true
		}
		want[id] = nil
		if wasThere {
			want[id] = &before
		}
	}
	var conflict *revision.ConflictError
	require.Equal(t, conflicts, errors.As(err, &conflict), "%v", err)
	if !conflicts {
		require.NoError(t, err)
		require.True(t, m.edit(want))
	}
}
