package storetest

import (
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

var identities = suite{
	"a store has one identity, from its first write on, whatever that is": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		require.NoError(t, a.Follow(ctx(t)))
		require.Empty(t, a.State().Store)
		_, err := a.SetPublished(ctx(t), revision.Published{Version: "v1"})
		require.NoError(t, err)
		id := a.State().Store
		require.NotEmpty(t, id)
		apply(t, b, edit("x", "1"))
		keep(t, b, "v1")
		for _, other := range []*revision.Service{a, b, service(t, s)} {
			require.NoError(t, other.Follow(ctx(t)))
			require.Equal(t, id, other.State().Store)
		}
	},
	"an older store, and one that was emptied while it is followed, gets one with its next write": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		apply(t, a, edit("x", "1"))
		require.NoError(t, a.Follow(ctx(t)))
		first := a.State().Store
		require.NotEmpty(t, first)
		require.NoError(t, s.Remove(ctx(t), "store"))
		require.NoError(t, a.Follow(ctx(t)))
		require.Empty(t, a.State().Store)
		apply(t, a, edit("x", "2"))
		require.NoError(t, a.Follow(ctx(t)))
		require.NotEmpty(t, a.State().Store)
		require.NotEqual(t, first, a.State().Store)
		requireRows(t, a, map[string]string{"x": "2 2"})
	},
}
