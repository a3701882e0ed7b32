package publish

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/compile"
)

// guardModel drives Loops, one process after the other, and knows of each version which ads it has.
type guardModel struct {
	t   *testing.T
	o   *fakeOperators
	cfg Config
	ads map[string][]string // by version, of all that there can be

	b         *bench
	seen      int                // publishes of this process that were looked at
	before    string             // what proxies are given, as far as that was looked at
	recalled  string             // what the process before published last, as far as the disk knows
	refused   map[string]bool    // by proxies, in this process
	acked     []string           // in this process
	confirmed map[[2]string]bool // version and base
}

var modelIDs = []string{"a", "b", "c", "d", "e"}

func newGuardModel(t *testing.T) *guardModel {
	t.Helper()
	m := &guardModel{t: t, o: newOperators(t), ads: map[string][]string{}, confirmed: map[[2]string]bool{}}
	m.cfg = Config{MaxRemovedShare: &half, StateDir: t.TempDir()}
	for set := range 1 << len(modelIDs) {
		ids := []string{}
		for i, id := range modelIDs {
			if set&(1<<i) != 0 {
				ids = append(ids, id)
			}
		}
		m.ads[version(t, ids...)] = ids
	}
	m.restart(nil)
	return m
}

// restart kills the process and starts one, which has not polled yet.
func (m *guardModel) restart(*rapid.T) {
	m.recalled = m.onDisk()
	m.o = m.o.reopened(m.t)
	m.cfg.Operators = m.o
	m.seen, m.before, m.refused, m.acked = 0, "", map[string]bool{}, nil
	m.b = newBench(m.t, m.cfg, unchanged)
	m.b.heed()
	m.b.restore()
	m.b.settle() // as Run does at once
	m.fetch()
}

func (m *guardModel) onDisk() string {
	_, v, err := LastIndex(m.cfg.StateDir, newSource())
	if err != nil {
		return ""
	}
	return v.Hash
}

func (m *guardModel) poll(t *rapid.T) {
	ids := rapid.SliceOfDistinct(rapid.SampledFrom(modelIDs), rapid.ID).Draw(t, "ads")
	m.b.source.answers = []answer{{text: doc(ids...)}}
	m.b.step(m.t)
}

func (m *guardModel) edit(t *rapid.T) {
	id, paused := rapid.SampledFrom(modelIDs).Draw(t, "id"), rapid.Bool().Draw(t, "paused")
	rows := m.o.State().Rows
	if _, there := rows.Get(id); there == paused {
		t.Skip("nothing would change")
	}
	if paused {
		m.o.edit(m.t, id, &pause)
	} else {
		m.o.edit(m.t, id, nil)
	}
	m.b.settle()
}

func (m *guardModel) decide(t *rapid.T) {
	h := m.b.Status().Held
	if h == nil {
		t.Skip("nothing is held")
	}
	if rapid.Bool().Draw(t, "publish") {
		m.confirmed[[2]string{h.Version, h.Base}] = true
		require.NoError(t, m.b.Confirm(m.t.Context(), h.Version, "olga", ""))
	} else {
		require.NoError(t, m.b.Refuse(m.t.Context(), h.Version, "olga", ""))
	}
	if rapid.Bool().Draw(t, "killed") {
		m.restart(t)
	}
	m.b.settle()
}

func (m *guardModel) pin(t *rapid.T) {
	kept, err := m.o.Versions(m.t.Context())
	require.NoError(t, err)
	choices := []string{""}
	for _, v := range kept {
		choices = append(choices, v.Hash)
	}
	m.o.pin(m.t, rapid.SampledFrom(choices).Draw(t, "pin"))
	m.b.settle()
	m.fetch()
}

func (m *guardModel) fetch() {
	if m.b.fetching != "" {
		m.b.fetchNow(m.t)
	}
}

func (m *guardModel) keep(t *rapid.T) {
	if len(m.b.toKeep) == 0 {
		t.Skip("nothing to keep")
	}
	m.b.keepNow(m.t)
}

func (m *guardModel) acknowledge(*rapid.T) {
	if published := m.b.sink.Published(); published != "" {
		m.b.sink.acknowledge()
		m.acked = append(m.acked, published)
	}
}

// reject has proxies refuse what they have not loaded: they are given again what they loaded last.
func (m *guardModel) reject(t *rapid.T) {
	now := m.b.sink.Published()
	if now == "" || slices.Contains(m.acked, now) {
		t.Skip("it was loaded")
	}
	last := ""
	if len(m.acked) > 0 {
		last = m.acked[len(m.acked)-1]
	}
	m.refused[now] = true
	m.b.sink.takeBack(last)
	m.b.sink.refuse = m.refuse
	m.before = last
	m.b.step(m.t)
}

func (m *guardModel) refuse(index *compile.Result) error {
	if m.refused[index.Version] {
		return fmt.Errorf("%s: %w", index.Version, ErrQuarantined)
	}
	return nil
}

// look requires of each publish that it removes few ads, was confirmed, or is pinned.
func (m *guardModel) look(t *rapid.T) {
	pin := m.o.State().Pin.Version
	for ; m.seen < len(m.b.sink.published); m.seen++ {
		now := m.b.sink.published[m.seen].Version
		base := m.before
		if base == "" {
			base = m.recalled
		}
		if m.before == "" && m.refused[m.recalled] {
			base = "" // one of those before it, as far as the disk has them
		}
		m.before = now
		if now == base || now == pin || base == "" || m.confirmed[[2]string{now, base}] {
			continue
		}
		require.False(t, m.guards(base, now), "%v in the place of %v", m.ads[now], m.ads[base])
	}
	s := m.b.Status()
	if m.b.candidate == nil || pin != "" {
		return
	}
	if s.Held != nil {
		require.Equal(t, reasonMaxRemovedShare, s.Held.Reason, "the store has lost nothing")
		require.NotEqual(t, m.b.candidate.Version, m.b.sink.Published())
		last := m.onDisk()
		require.False(t, m.b.sink.Published() == "" && last != "" && !m.refused[last] && !m.guards(s.Held.Base, last),
			"proxies are given what was served")
	} else if s.QuarantinedVersion == "" && !m.refused[m.b.candidate.Version] {
		require.Equal(t, m.b.candidate.Version, m.b.sink.Published())
	}
}

// guards tells whether a version removes more than half of the ads of another one.
func (m *guardModel) guards(base, version string) bool {
	removed := 0
	for _, id := range m.ads[base] {
		if !slices.Contains(m.ads[version], id) {
			removed++
		}
	}
	return 2*removed > len(m.ads[base])
}

func TestWhateverHappensNothingIsRemovedUnasked(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newGuardModel(t)
		rt.Repeat(map[string]func(*rapid.T){
			"poll": m.poll, "poll again": m.poll, "edit": m.edit, "decide": m.decide, "pin": m.pin, "keep": m.keep, "restart": m.restart,
			"acknowledge": m.acknowledge, "reject": m.reject, "": m.look,
		})
	})
}
