package storetest

import (
	"strings"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

var pins = suite{
	"the pin is set and cleared by its counter, and every service sees it": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		keep(t, a, "v1", "v2")
		p, err := a.SetPin(ctx(t), 0, "v1", "kim", "a bad source")
		require.NoError(t, err)
		want := revision.Pin{Counter: 1, Version: "v1", Who: "kim", Comment: "a bad source", At: now}
		require.Equal(t, want, p)
		_, err = b.SetPin(ctx(t), 0, "v2", "ann", "")
		require.ErrorIs(t, err, revision.ErrConflict)
		require.Equal(t, want, b.State().Pin, "it has seen what was in the way")
		_, err = b.SetPin(ctx(t), 1, "", "ann", "")
		require.NoError(t, err)
		require.NoError(t, a.Follow(ctx(t)))
		require.Equal(t, revision.Pin{Counter: 2, Who: "ann", At: now}, a.State().Pin)
		requireSame(t, a, b)
	},
	"what is said is checked": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		_, err := a.SetPin(ctx(t), 0, "v1", "", "")
		require.ErrorContains(t, err, "who must")
		_, err = a.SetPin(ctx(t), 0, strings.Repeat("v", revision.MaxVersionBytes+1), "ann", "")
		require.ErrorContains(t, err, "version must")
		_, err = a.SetPin(ctx(t), 0, "v1", "ann", "")
		require.ErrorIs(t, err, revision.ErrNoVersion)
		require.Zero(t, a.State().Pin)

		for field, d := range map[string]revision.Decision{
			"who must":     {Version: "v1"},
			"version must": {Who: "ann"},
			"base must":    {Who: "ann", Version: "v1", Base: strings.Repeat("v", revision.MaxVersionBytes+1)},
			"comment must": {Who: "ann", Version: "v1", Comment: strings.Repeat("x", revision.MaxCommentRunes+1)},
		} {
			_, err = a.SetDecision(ctx(t), d)
			var invalid *revision.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.ErrorContains(t, err, field)
		}
		_, err = a.SetDecision(ctx(t), revision.Decision{Who: "ann", Version: strings.Repeat("v", revision.MaxVersionBytes+1)})
		require.ErrorContains(t, err, "version must")
		require.Zero(t, a.State().Decision)
	},
	"what is published replaces what it knows, and every service sees it": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		want := revision.Published{Version: "v1", Spent: 2}
		p, err := a.SetPublished(ctx(t), want)
		require.NoError(t, err)
		want.Counter = 1
		require.Equal(t, want, p)
		_, err = b.SetPublished(ctx(t), revision.Published{Version: "v2"})
		require.ErrorIs(t, err, revision.ErrConflict)
		require.Equal(t, want, b.State().Published, "it has seen what was in the way")
		_, err = b.SetPublished(ctx(t), revision.Published{Counter: 1})
		require.ErrorContains(t, err, "version must")
		requireSame(t, a, b)
	},
	"a decision replaces the one that it knows, and every service sees it": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		_, changed := a.Watch()
		want := revision.Decision{Version: "v2", Base: "v1", Publish: true, Who: "kim", Comment: "a sale", At: now.Add(time.Hour)}
		d, err := a.SetDecision(ctx(t), want)
		require.NoError(t, err)
		want.Counter, want.At = 1, now
		require.Equal(t, want, d)
		require.Equal(t, want, a.State().Decision)
		await(t, changed)
		_, changed = b.Watch()
		_, err = b.SetDecision(ctx(t), revision.Decision{Version: "v3", Who: "ann"})
		require.ErrorIs(t, err, revision.ErrConflict)
		require.Equal(t, want, b.State().Decision, "it has seen what was in the way")
		await(t, changed)
		_, err = b.SetDecision(ctx(t), revision.Decision{Version: "v3", Who: "ann"})
		require.ErrorIs(t, err, revision.ErrConflict, "who decides has not seen it")
		keep(t, a, "v1")
		_, err = a.SetPin(ctx(t), 0, "v1", "kim", "")
		require.NoError(t, err, "it has a counter of its own")
		apply(t, a, edit("x", "1"))
		require.Equal(t, want, a.State().Decision)
		_, err = b.SetDecision(ctx(t), revision.Decision{Counter: 1, Version: "v3", Who: "ann"})
		require.NoError(t, err)
		require.NoError(t, a.Follow(ctx(t)))
		require.Equal(t, revision.Decision{Counter: 2, Version: "v3", Who: "ann", At: now}, a.State().Decision)
		requireSame(t, a, b)
	},
}
