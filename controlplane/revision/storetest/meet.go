package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// meeting is a store on which something happens before one of the things that are asked of it. It reads each key by itself, as the contract
// of a store allows.
type meeting struct {
	revision.Store

	left      int // until then
	happens   func()
	backwards bool // the last key first
}

func (m *meeting) step() {
	if m.left == 0 {
		m.happens()
	}
	m.left--
}

func (m *meeting) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	entries := make([]revision.Entry, len(keys))
	for i := range keys {
		if m.backwards {
			i = len(keys) - 1 - i
		}
		m.step()
		e, err := m.Store.Read(ctx, keys[i])
		if err != nil {
			return nil, err
		}
		entries[i] = e[0]
	}
	return entries, nil
}

func (m *meeting) Commit(ctx context.Context, all ...revision.Put) error {
	m.step()
	return m.Store.Commit(ctx, all...)
}

var meetings = suite{
	"a version that is pinned stays, whenever its keeping ends": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		for i := range revision.MaxVersions {
			keep(t, a, fmt.Sprint("first-", i))
		}
		var (
			oldest, newest string
			refused        error
		)
		evict := func(s revision.Store) { keep(t, service(t, s), newest) }
		pin := func(s revision.Store) {
			_, refused = service(t, s).SetPin(ctx(t), a.State().Pin.Counter, oldest, "kim", "")
		}
		for name, both := range map[string][2]func(revision.Store){"pinned meanwhile": {evict, pin}, "evicted meanwhile": {pin, evict}} {
			for _, backwards := range []bool{false, true} {
				for left, met := 0, true; met; left++ {
					_, err := a.SetPin(ctx(t), a.State().Pin.Counter, "", "kim", "")
					require.NoError(t, err)
					kept := hashes(t, a)
					oldest, newest = kept[len(kept)-1], fmt.Sprint(name, backwards, left)
					met = false
					both[0](&meeting{Store: s, left: left, backwards: backwards, happens: func() { met = true; both[1](s) }})
					if !met {
						both[1](s)
					}
					kept = hashes(t, a)
					require.Equal(t, newest, kept[0])
					require.Len(t, kept, revision.MaxVersions)
					require.NoError(t, a.Follow(ctx(t)))
					if refused == nil {
						require.Equal(t, oldest, a.State().Pin.Version)
						require.Contains(t, kept, oldest, "%s, before step %d", name, left)
						continue
					}
					require.ErrorIs(t, refused, revision.ErrNoVersion)
					require.Empty(t, a.State().Pin.Version)
					require.False(t, slices.Contains(kept, oldest))
				}
			}
		}
		cleaned(t, s, now.Add(2*time.Hour))
	},
}
