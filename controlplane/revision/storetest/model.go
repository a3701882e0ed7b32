package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it

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

// commitHook calls a function before each commit of a head.
type commitHook struct {
	revision.Store

	before *func()
}

func (h commitHook) Commit(ctx context.Context, all ...revision.Put) error {
	if fn := *h.before; fn != nil && puts(all, "head") {
		*h.before = nil
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
	var by uint64
	var content string
	_, _ = fmt.Sscanf(stored, "%d %s", &by, &content) // a pause has no content
	return content, true
}

// edit makes a revision, unless nothing changes.
func (m *model) edit(want map[string]*string) {
	number := uint64(len(m.at))
	next, changed := maps.Clone(m.rows()), false
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
}

func (m *model) revision(id string) (number uint64) {
	_, _ = fmt.Sscan(m.rows()[id], &number) // 0 where it is not there
	return number
}

var models = suite{
	"two services that meet at random follow the model": func(t *testing.T, s revision.Store) {
		run := 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			store := prefixed{s, fmt.Sprint(run, "/")}
			var hook func()
			services := []*revision.Service{service(t, commitHook{store, &hook}), service(t, store)}
			m := &model{at: []map[string]string{{}}}
			drawEdits := func(label string) ([]revision.RowEdit, map[string]*string) {
				var all []revision.RowEdit
				want := map[string]*string{}
				for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID[string]).Draw(t, label) {
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
				return all, want
			}
			stale := func(all []revision.RowEdit) bool {
				for _, e := range all {
					if e.Match != nil && *e.Match != m.revision(e.ID) {
						return true
					}
				}
				return false
			}
			for range rapid.IntRange(1, 6).Draw(t, "steps") {
				who := services[rapid.IntRange(0, 1).Draw(t, "service")]
				if rapid.Bool().Draw(t, "meet") {
					other, want := drawEdits("of the other")
					hook = func() {
						_, err := services[1].Apply(context.Background(), edits(other...))
						refused := stale(other)
						var conflict *revision.ConflictError
						require.Equal(t, refused, errors.As(err, &conflict))
						if !refused {
							m.edit(want)
						}
					}
				}
				if number := rapid.IntRange(-3, len(m.at)-1).Draw(t, "revert"); number > 0 {
					_, err := who.Revert(context.Background(), uint64(number), "ann", "")
					m.revert(t, uint64(number), err)
				} else {
					all, want := drawEdits("edits")
					_, err := who.Apply(context.Background(), edits(all...))
					var conflict *revision.ConflictError
					require.Equal(t, stale(all), errors.As(err, &conflict), "%v", err)
					if conflict == nil {
						m.edit(want)
					}
				}
				hook = nil
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
	for _, id := range []string{"a", "b", "c"} {
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
		m.edit(want)
	}
}
