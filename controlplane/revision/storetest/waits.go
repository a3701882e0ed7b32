package storetest

import (
	"context"
	"sync/atomic"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

var told = suite{
	"of few changes it is told that all are written, once they are": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		var all [][2]int
		set := edits(edit("x", "1"), edit("y", "1"))
		set.Progress = func(written, of int) {
			require.EqualValues(t, 1, read(t, s, "head").Version)
			all = append(all, [2]int{written, of})
		}
		_, err := a.Apply(ctx(t), set)
		require.NoError(t, err)
		require.Equal(t, [][2]int{{2, 2}}, all)
		_, err = a.Apply(ctx(t), set)
		require.ErrorIs(t, err, revision.ErrUnchanged)
		require.Len(t, all, 1)
	},
}

// hanging is a store that tells of each commit but that of its identity, and of which one read hangs while it is armed.
type hanging struct {
	revision.Store

	committed func()
	armed     atomic.Bool
	hangs     chan struct{} // closed when it does
	end       chan struct{} // to be closed
}

func (h *hanging) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if h.armed.CompareAndSwap(true, false) {
		close(h.hangs)
		<-h.end
	}
	return h.Store.Read(ctx, keys...)
}

func (h *hanging) Commit(ctx context.Context, all ...revision.Put) error {
	err := h.Store.Commit(ctx, all...)
	if all[0].Key != "store" {
		h.committed()
	}
	return err
}

var waits = suite{
	"what is known already of others is not forgotten": func(t *testing.T, s revision.Store) {
		store := &hanging{Store: s}
		a, b := service(t, store), service(t, s)
		store.committed = func() {
			apply(t, b, edit("y", "1"))
			require.NoError(t, a.Follow(ctx(t)))
		}
		require.EqualValues(t, 1, apply(t, a, edit("x", "1")))
		requireRows(t, a, map[string]string{"x": "1 1", "y": "2 1"})
		requireSame(t, b, a)
	},
	"nobody waits for ever for another's read that hangs": func(t *testing.T, s revision.Store) {
		for name, say := range map[string]func(context.Context, *revision.Service) error{
			"an edit": func(c context.Context, a *revision.Service) error {
				_, err := a.Apply(c, edits(edit("x", "1")))
				return err
			},
			"a decision": func(c context.Context, a *revision.Service) error {
				_, err := a.SetDecision(c, revision.Decision{Version: "v1", Who: "kim"})
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				store := &hanging{Store: s, hangs: make(chan struct{}), end: make(chan struct{})}
				a := service(t, store)
				require.NoError(t, a.Follow(ctx(t)))
				followed, said := make(chan error, 1), make(chan error, 1)
				c, cancel := context.WithCancel(ctx(t))
				defer cancel()
				store.committed = func() {
					store.armed.Store(true)
					go func() { followed <- a.Follow(context.Background()) }()
					<-store.hangs
					cancel()
				}
				go func() { said <- say(c, a) }()
				select {
				case err := <-said:
					require.NoError(t, err, "it is stored")
				case <-time.After(patience):
					require.FailNow(t, "it waits")
				}
				close(store.end)
				require.NoError(t, <-followed)
				b := service(t, s)
				require.NoError(t, b.Follow(ctx(t)))
				requireSame(t, b, a)
			})
		}
	},
}
