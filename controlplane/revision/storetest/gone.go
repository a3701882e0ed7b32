package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// impatient is a store whose caller goes away as soon as a key is written. Chunks that are on their way then must not be cut off: they could be
// written after their removal.
type impatient struct {
	revision.Store

	until func(puts []revision.Put) bool
	leave context.CancelFunc
	left  chan struct{}
	cut   atomic.Bool
}

func (i *impatient) Commit(ctx context.Context, all ...revision.Put) error {
	if strings.HasPrefix(all[0].Key, "chunk/") && strings.HasSuffix(all[0].Key, "/0") && i.left != nil {
		<-i.left
		select {
		case <-ctx.Done():
			i.cut.Store(true)
		case <-time.After(50 * time.Millisecond):
		}
	}
	err := i.Store.Commit(ctx, all...)
	if err == nil && i.until(all) {
		i.leave()
		if i.left != nil {
			close(i.left)
		}
	}
	return err
}

// goneAt returns a service and the context of somebody who goes away as soon as a key is written.
func goneAt(t *testing.T, s revision.Store, until func([]revision.Put) bool) (*revision.Service, *impatient, context.Context) {
	t.Helper()
	asking, leave := context.WithCancel(ctx(t))
	t.Cleanup(leave)
	store := &impatient{Store: s, until: until, leave: leave}
	return service(t, store), store, asking
}

func secondChunk(all []revision.Put) bool {
	return strings.HasPrefix(all[0].Key, "chunk/") && strings.HasSuffix(all[0].Key, "/1")
}

var gone = suite{
	"what is stored is made, though who asked for it has gone meanwhile": func(t *testing.T, s revision.Store) {
		for n := range uint64(20) { // a context that has ended and a lock that is free: either may be seen first
			a, _, asking := goneAt(t, s, func(all []revision.Put) bool { return puts(all, "head") })
			r, err := a.Apply(asking, edits(edit(fmt.Sprint(n), "1")))
			require.NoError(t, err)
			require.Equal(t, n+1, r.Number)
			require.Equal(t, n+1, a.State().Rows.Revision())
			require.ErrorIs(t, asking.Err(), context.Canceled)
		}
		a := service(t, s)
		keep(t, a, "v1")
		a, _, asking := goneAt(t, s, func(all []revision.Put) bool { return puts(all, "pin") })
		_, err := a.SetPin(asking, 0, "v1", "kim", "")
		require.NoError(t, err)
		require.Equal(t, "v1", a.State().Pin.Version)
	},
	"what is written for somebody who has gone is removed at once": func(t *testing.T, s revision.Store) {
		for name, write := range map[string]func(context.Context, *revision.Service) error{
			"a revision": func(c context.Context, a *revision.Service) error { _, err := a.Apply(c, wide(0)); return err },
			"a version": func(c context.Context, a *revision.Service) error {
				return a.KeepVersion(c, version("v1"), index(600<<10))
			},
		} {
			seen := &spy{Store: s}
			a, store, asking := goneAt(t, seen, secondChunk)
			store.left = make(chan struct{})
			require.ErrorIs(t, write(asking, a), context.Canceled, name)
			chunks, _ := seen.seen()
			require.NotEmpty(t, chunks, name)
			require.Zero(t, present(t, s, chunks), name)
			require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value), name)
			require.False(t, store.cut.Load(), name)
		}
	},
	"so is what is written whole, but is not wanted any more when its turn comes": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a, store, asking := goneAt(t, seen, func([]revision.Put) bool { return false })
		set := wide(0)
		set.Check = func(c context.Context, _, _ revision.Rows) error {
			store.leave()
			return c.Err()
		}
		_, err := a.Apply(asking, set)
		require.ErrorIs(t, err, context.Canceled)
		chunks, _ := seen.seen()
		require.NotEmpty(t, chunks)
		require.Zero(t, present(t, s, chunks))
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value))
	},
}
