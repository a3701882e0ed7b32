package publish

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

// tellNow tells the other replicas what there is to be told, as a running Loop does beside.
func (b *bench) tellNow(t *testing.T) {
	t.Helper()
	var to teller
	for len(b.toTell) > 0 {
		require.NoError(t, to.tell(t.Context(), b.operators, <-b.toTell))
	}
	b.settle()
}

// seekNow reads what the other replicas publish, as a running Loop does beside.
func (b *bench) seekNow(t *testing.T) {
	t.Helper()
	r, err := b.newestKept(t.Context(), <-b.toSeek)
	b.mu.Lock()
	b.found = &arrival{release: r, err: err}
	b.mu.Unlock()
	b.settle()
}

// shown has a replica poll a document, and tell and keep what it publishes.
func (b *bench) shown(t *testing.T, ids ...string) {
	t.Helper()
	b.followNow(t)
	b.settle()
	b.source.answers = []answer{{text: doc(ids...)}}
	b.step(t)
	b.tellNow(t)
	if len(b.toKeep) > 0 {
		b.keepNow(t)
	}
}

// hearing has a replica follow the store.
func (b *bench) hearing(t *testing.T) {
	t.Helper()
	b.followNow(t)
	b.settle()
	b.tellNow(t)
}

var all = []string{"a", "b", "c", "d"}

// pair are two replicas that publish all.
func pair(t *testing.T) (o *fakeOperators, one, two *bench) {
	t.Helper()
	o = newOperators(t)
	one, two = replica(t, o, unchanged), replica(t, o, unchanged)
	for _, b := range []*bench{one, two} {
		b.heed()
		b.shown(t, all...)
		require.Equal(t, version(t, all...), b.sink.Published())
	}
	return o, one, two
}

func TestARefusalAfterAConfirmationIsNotStored(t *testing.T) {
	_, one, two := pair(t)
	one.shown(t, "d")
	two.shown(t, "d")
	require.NoError(t, one.Confirm(t.Context(), version(t, "d"), "olga", ""))
	for range 3 {
		require.ErrorIs(t, two.Refuse(t.Context(), version(t, "d"), "bob", ""), revision.ErrConflict, "it has not followed the confirmation")
	}
	two.settle()
	require.Equal(t, version(t, "d"), two.sink.Published())
	require.ErrorIs(t, two.Refuse(t.Context(), version(t, "d"), "bob", ""), ErrNotHeld)
}

func TestWhatAnotherReplicaPublishesIsPublishedWhoeverDecidedSince(t *testing.T) {
	_, one, two := pair(t)
	one.shown(t, "d")
	require.NoError(t, one.Confirm(t.Context(), version(t, "d"), "olga", ""))
	one.settle()
	one.tellNow(t)
	one.shown(t, "x")
	require.NoError(t, one.Refuse(t.Context(), version(t, "x"), "olga", "")) // the confirmation is gone
	two.source.answers = []answer{{text: doc("d")}}
	two.step(t)
	requireHeld(t, two, reasonMaxRemovedShare, version(t, "d"), all...)
	two.hearing(t)
	require.Nil(t, two.Status().Held)
	require.Equal(t, version(t, "d"), two.sink.Published())
}

func TestWhatAnotherReplicaPublishedOnceIsNotPublishedForThat(t *testing.T) {
	_, one, two := pair(t)
	for _, b := range []*bench{one, two} {
		b.shown(t, "d")
	}
	require.NoError(t, one.Confirm(t.Context(), version(t, "d"), "olga", ""))
	for _, b := range []*bench{one, two} {
		b.hearing(t)
		require.Equal(t, version(t, "d"), b.sink.Published())
	}
	for _, ids := range [][]string{all, {"d"}} {
		for _, b := range []*bench{one, two, one} {
			b.shown(t, ids...)
		}
	}
	for _, b := range []*bench{one, two} {
		requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), all...)
	}
}

func TestAConfirmationIsSpentForAReplicaThatWasDown(t *testing.T) {
	o, one, two := pair(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: two.store.dir, Operators: o} // it is killed
	one.shown(t, "d")
	require.NoError(t, one.Confirm(t.Context(), version(t, "d"), "olga", ""))
	one.hearing(t)
	one.shown(t, all...)
	require.Equal(t, version(t, all...), one.sink.Published())

	cfg.Operators = o.reopened(t)
	two = restarted(t, cfg, answer{text: doc("d")})
	two.step(t)
	requireHeld(t, two, reasonMaxRemovedShare, version(t, "d"), all...)
}

func TestAReplicaWithoutAStateHoldsAsTheOthersDo(t *testing.T) {
	o, one, _ := pair(t)
	one.shown(t, "d")
	fresh := replica(t, o, answer{text: doc("d")})
	fresh.heed()
	fresh.step(t)
	require.Empty(t, fresh.sink.Published(), "it waits for what the others publish")
	fresh.seekNow(t)
	requireHeld(t, fresh, reasonMaxRemovedShare, version(t, "d"), all...)
	require.NoError(t, fresh.Confirm(t.Context(), version(t, "d"), "olga", ""))
	for _, b := range []*bench{fresh, one} {
		b.hearing(t)
		require.Equal(t, version(t, "d"), b.sink.Published())
	}
}

func TestAReplicaThatWasDownComparesWithWhatTheOthersPublish(t *testing.T) {
	o, one, two := pair(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: two.store.dir, Operators: o}
	more := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	one.shown(t, more...)
	cfg.Operators = o.reopened(t)
	two = restarted(t, cfg, answer{text: doc("a", "b", "c")})
	two.seekNow(t)
	two.step(t)
	require.Equal(t, version(t, more...), one.sink.Published())
	requireHeld(t, two, reasonMaxRemovedShare, version(t, "a", "b", "c"), more...)
}

func TestAReplicaWithoutAStatePublishesWhatTheOthersDoAtOnce(t *testing.T) {
	o, _, _ := pair(t)
	o.breakReading(errStoreDown)
	fresh := replica(t, o, answer{text: doc(all...)})
	fresh.heed()
	fresh.step(t)
	require.Equal(t, version(t, all...), fresh.sink.Published(), "without reading it")
}

func TestAReplicaThatCannotReadWhatTheOthersPublishPublishesWhatItHas(t *testing.T) {
	o, _, _ := pair(t)
	fresh := replica(t, o, answer{text: doc("d")})
	fresh.operators.(*fakeOperators).breakReading(errStoreDown)
	fresh.heed()
	fresh.step(t)
	fresh.seekNow(t)
	require.Equal(t, version(t, "d"), fresh.sink.Published())
}

func TestWhatTheOthersPublishMayBeRefused(t *testing.T) {
	o, one, _ := pair(t)
	more := []string{"a", "b", "c", "d", "e"}
	one.shown(t, more...)
	fresh := replica(t, o, answer{text: doc("x")})
	fresh.heed()
	fresh.step(t)
	fresh.seekNow(t)
	requireHeld(t, fresh, reasonMaxRemovedShare, version(t, "x"), more...)
	fresh.sink.takeBack("")
	fresh.step(t)
	fresh.settle()
	fresh.seekNow(t)
	requireHeld(t, fresh, reasonMaxRemovedShare, version(t, "x"), all...)
}

func TestWhatIsOvertakenHereIsNotPublishedForThat(t *testing.T) {
	_, one, _ := pair(t)
	one.shown(t, "d")
	require.NoError(t, one.Confirm(t.Context(), version(t, "d"), "olga", ""))
	one.hearing(t)
	one.source.answers = []answer{{text: doc(all...)}, {text: doc("d")}}
	one.steps(t, 2) // and the others are not told of the first yet
	requireHeld(t, one, reasonMaxRemovedShare, version(t, "d"), all...)
}
