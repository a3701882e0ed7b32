package publish

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

// replica is a Loop of its own over the same store, with state of its own.
func replica(t *testing.T, o *fakeOperators, answers ...answer) *bench {
	t.Helper()
	cfg := Config{MaxRemovedShare: &half, Interval: time.Hour, Operators: o.reopened(t), StateDir: t.TempDir()}
	return newBench(t, cfg, answers...)
}

func (b *bench) followNow(t *testing.T) {
	t.Helper()
	require.NoError(t, b.operators.(*fakeOperators).Follow(t.Context()))
}

func TestADecisionIsEveryReplicas(t *testing.T) {
	o := newOperators(t)
	answers := []answer{{text: doc("a", "b", "c", "d")}, {text: doc("x")}, {text: doc("y")}}
	one, two := replica(t, o, answers...), replica(t, o, answers...)
	both := []*bench{one, two}
	for _, b := range both {
		b.start(t)
		<-b.source.asked
		b.awaitServed(t, "a", "b", "c", "d")
		b.pollOnce()
		b.await(t, "held", func() bool { return b.Status().Held != nil })
	}
	require.NoError(t, one.Refuse(t.Context(), version(t, "x"), "olga", "a slip"))
	require.True(t, one.Status().Held.Refused, "at once")
	two.followNow(t)
	for _, b := range both {
		b.await(t, "refused", func() bool { return b.Status().Held.Refused })
		h := b.Status().Held
		require.Equal(t, []string{"olga", "a slip"}, []string{h.RefusedBy, h.Comment})
		require.WithinDuration(t, time.Now(), h.DecidedAt, time.Minute)
		require.Equal(t, version(t, "a", "b", "c", "d"), b.sink.Published())
	}
	require.NoError(t, two.Confirm(t.Context(), version(t, "x"), "bob", "it is right"))
	one.followNow(t)
	for _, b := range both {
		b.awaitServed(t, "x")
		b.await(t, "not held", func() bool { return b.Status().Held == nil })
	}
}

func TestARefusalOutlastsARestart(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Operators: o}
	b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("d")})
	b.step(t)
	b.keepNow(t)
	b.step(t)
	require.NoError(t, b.Refuse(t.Context(), version(t, "d"), "olga", "a slip"))

	cfg.Operators = o.reopened(t)
	b = restarted(t, cfg, answer{text: doc("d")}, answer{text: doc("c", "d")}, answer{text: doc("d")})
	b.step(t)
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d")
	require.Equal(t, "olga", b.Status().Held.RefusedBy)
	b.steps(t, 2) // another one is published, and then it comes again
	require.Nil(t, b.Status().Held, "of two ads it removes one")
	require.Equal(t, version(t, "d"), b.sink.Published())
}

func TestARefusalIsOfOneCandidate(t *testing.T) {
	b := restarted(t, Config{MaxRemovedShare: &half, Operators: newOperators(t)},
		answer{text: doc("a", "b", "c", "d")}, answer{text: doc("x")}, answer{text: doc("y")}, answer{text: doc("x")})
	b.steps(t, 2)
	require.NoError(t, b.Refuse(t.Context(), version(t, "x"), "olga", ""))
	b.settle()
	b.steps(t, 2)
	require.Equal(t, version(t, "x"), b.Status().Held.Version)
	require.False(t, b.Status().Held.Refused, "another came in between: it is asked anew")
}

func TestAConfirmationWaitsForItsVersion(t *testing.T) {
	o := newOperators(t)
	answers := []answer{{text: doc("a", "b", "c", "d")}, {text: doc("a", "b", "c")}, {text: doc("x")}}
	late, early := replica(t, o, answers...), replica(t, o, answers[0], answers[2])
	for _, b := range []*bench{late, early} {
		b.heed()
		b.step(t)
	}
	early.step(t)
	require.NoError(t, early.Confirm(t.Context(), version(t, "x"), "olga", ""))
	late.followNow(t)
	late.settle()
	late.source.answers = []answer{{text: doc("x")}}
	late.step(t)
	require.Equal(t, version(t, "x"), late.sink.Published(), "it has polled later")
}

func TestADecisionDoesNotCount(t *testing.T) {
	first, held := []string{"a", "b", "c", "d"}, "x"
	for name, c := range map[string]struct {
		decision func(t *testing.T) revision.Decision
	}{
		"of another version": {func(t *testing.T) revision.Decision {
			t.Helper()
			return revision.Decision{Version: version(t, "y"), Base: version(t, first...), Publish: true}
		}},
		"to replace another": {func(t *testing.T) revision.Decision {
			t.Helper()
			return revision.Decision{Version: version(t, held), Base: version(t, "y"), Publish: true}
		}},
		"to replace nothing": {func(t *testing.T) revision.Decision {
			t.Helper()
			return revision.Decision{Version: version(t, held), Publish: true}
		}},
		"not to replace another": {func(t *testing.T) revision.Decision {
			t.Helper()
			return revision.Decision{Version: version(t, held), Base: version(t, "y")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperators(t)
			b := restarted(t, Config{MaxRemovedShare: &half, Operators: o}, answer{text: doc(first...)}, answer{text: doc(held)}, unchanged)
			b.steps(t, 2)
			d := c.decision(t)
			d.Who = "olga"
			_, err := o.Service.SetDecision(t.Context(), d)
			require.NoError(t, err)
			b.settle()
			b.step(t)
			requireHeld(t, b, reasonMaxRemovedShare, version(t, held), first...)
			require.False(t, b.Status().Held.Refused)
			require.NoError(t, b.Confirm(t.Context(), version(t, held), "olga", ""))
			b.settle()
			require.Equal(t, version(t, held), b.sink.Published())
		})
	}
}

func TestAConfirmationCountsOnceOverRestarts(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Operators: o}
	all := answer{text: doc("a", "b", "c", "d")}
	b := restarted(t, cfg, all, answer{text: doc("d")}, all)
	b.step(t)
	b.keepNow(t)
	b.step(t)
	require.NoError(t, b.Confirm(t.Context(), version(t, "d"), "olga", ""))
	b.settle()
	require.Equal(t, version(t, "d"), b.sink.Published())
	b.step(t)
	require.Equal(t, version(t, "a", "b", "c", "d"), b.sink.Published())
	b.keepNow(t)

	cfg.Operators = o.reopened(t)
	b = restarted(t, cfg, answer{text: doc("d")})
	b.step(t)
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d")
}

func TestAConfirmationIsSpentByAPin(t *testing.T) {
	o := newOperators(t)
	b := restarted(t, Config{MaxRemovedShare: &half, Operators: o}, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("d")})
	b.step(t)
	b.keepNow(t)
	b.step(t)
	require.NoError(t, b.Confirm(t.Context(), version(t, "d"), "olga", ""))
	b.settle()
	o.pin(t, version(t, "a", "b", "c", "d"))
	b.settle()
	b.fetchNow(t)
	o.pin(t, "")
	b.settle()
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d")
}

func TestADecisionThatIsNotStoredDoesNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		before func(o *fakeOperators) error
		want   error
	}{
		"the store is down": {func(*fakeOperators) error { return errStoreDown }, errStoreDown},
		"somebody else has decided meanwhile": {func(o *fakeOperators) error {
			_, err := o.Service.SetDecision(context.Background(), revision.Decision{Version: "other", Who: "bob"})
			return err
		}, revision.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperators(t)
			b := guardBench(t, o, answer{text: doc("x")}, unchanged)
			b.step(t)
			o.decide = func() error { return c.before(o) }
			require.ErrorIs(t, b.Confirm(t.Context(), version(t, "x"), "olga", ""), c.want)
			require.ErrorIs(t, b.Refuse(t.Context(), version(t, "x"), "olga", ""), c.want)
			b.step(t)
			requireHeld(t, b, reasonMaxRemovedShare, version(t, "x"), "a", "b", "c", "d")
			require.False(t, b.Status().Held.Refused)
		})
	}
}
