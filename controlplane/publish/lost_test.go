package publish

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// edited is a Loop without a share to guard, whose operators have paused a and added c: b and c are served, and on disk.
func edited(t *testing.T, cfg Config) (*bench, *fakeOperators) {
	t.Helper()
	o := newOperators(t)
	o.edit(t, "a", &pause)
	o.edit(t, "c", path("c"))
	cfg.Operators = o
	b := restarted(t, cfg, answer{text: doc("a", "b")}, unchanged)
	b.step(t)
	require.Equal(t, version(t, "b", "c"), b.sink.Published())
	b.keepNow(t)
	return b, o
}

func TestAnEmptiedStoreTakesNothingFromWhatIsServed(t *testing.T) {
	cfg := Config{StateDir: t.TempDir()}
	edited(t, cfg)
	file := filepath.Join(t.TempDir(), "operators.db") // the old one is gone
	o := openOperators(t, file)
	for range 2 { // restarts
		cfg.Operators = o.reopened(t)
		b := restarted(t, cfg, answer{text: doc("a", "b")})
		b.step(t)
		requireHeld(t, b, reasonRevisionLost, version(t, "a", "b"), "b", "c")
		require.Contains(t, b.Status().Held.Message, "made of revision 2 of the operators' changes")
		require.EqualValues(t, 1, b.metric(t, `index_holds_total{reason="revision_lost"}`))
		require.Zero(t, b.metric(t, "operators_compiled_revision"))
		b.keepNow(t)
	}
	cfg.Operators = o
	b := restarted(t, cfg, answer{text: doc("a", "b")}, answer{text: doc("a")})
	b.step(t)
	require.NoError(t, b.Refuse(t.Context(), version(t, "a", "b"), "olga", ""))
	b.settle()
	requireHeld(t, b, reasonRevisionLost, version(t, "a", "b"), "b", "c")
	requireKnownOnceConfirmed(t, b, cfg, o, version(t, "a", "b"))
}

// requireKnownOnceConfirmed has a version confirmed that was held because the operators' store knows less: the next process holds nothing.
func requireKnownOnceConfirmed(t *testing.T, b *bench, cfg Config, o *fakeOperators, held string) {
	t.Helper()
	require.NoError(t, b.Confirm(t.Context(), held, "olga", ""))
	b.settle()
	require.Equal(t, held, b.sink.Published())
	b.keepNow(t)

	cfg.Operators = o.reopened(t)
	b = restarted(t, cfg, answer{text: doc("a")})
	b.step(t)
	require.Nil(t, b.Status().Held, "it is known by now, also to the next process")
	require.Equal(t, version(t, "a"), b.sink.Published())
}

func TestABackupOfTheStoreUnderARunningProcess(t *testing.T) {
	b, o := edited(t, Config{})
	whole := o.Service
	backup := newOperators(t)
	backup.edit(t, "a", &pause)
	o.Service = backup.Service
	b.settle()
	requireHeld(t, b, reasonRevisionLost, version(t, "b"), "b", "c")
	require.EqualValues(t, 1, b.metric(t, "operators_compiled_revision"))

	for _, id := range []string{"x", "y"} { // counts on, beyond what was published
		backup.edit(t, id, path(id))
	}
	b.settle()
	requireHeld(t, b, reasonRevisionLost, version(t, "b", "x", "y"), "b", "c")
	o.Service = whole // put right
	b.settle()
	require.Nil(t, b.Status().Held)
	o.edit(t, "d", path("d"))
	b.settle()
	require.Equal(t, version(t, "b", "c", "d"), b.sink.Published())
}

func TestAnOlderRevisionOfTheSameAds(t *testing.T) {
	b, o := edited(t, Config{})
	for _, id := range []string{"y", "z"} {
		o.edit(t, id, &pause) // of nothing
	}
	b.settle()
	backup := newOperators(t)
	backup.edit(t, "a", &pause)
	backup.edit(t, "c", path("c"))
	o.Service = backup.Service
	b.settle()
	require.Nil(t, b.Status().Held, "nothing would change")
	backup.edit(t, "b", &pause)
	b.settle()
	requireHeld(t, b, reasonRevisionLost, version(t, "c"), "b", "c")
}

func TestAPinToAnOlderRevisionLosesNothing(t *testing.T) {
	cfg := Config{StateDir: t.TempDir()}
	b, o := edited(t, cfg)
	o.edit(t, "d", path("d"))
	b.settle()
	b.keepNow(t)
	o.pin(t, version(t, "b", "c"))
	b.settle()
	b.fetchNow(t)
	b.keepNow(t)
	require.Equal(t, version(t, "b", "c"), b.sink.Published())

	cfg.Operators = o.reopened(t)
	pinned := restarted(t, cfg, answer{text: doc("a", "b")})
	pinned.fetchNow(t)
	pinned.step(t)
	require.Equal(t, version(t, "b", "c"), pinned.sink.Published())
	require.Nil(t, pinned.Status().Held)
	pinned.keepNow(t)
	o = cfg.Operators.(*fakeOperators)
	o.pin(t, "")
	pinned.settle()
	require.Equal(t, version(t, "b", "c", "d"), pinned.sink.Published())

	t.Run("but a store that knows the pinned one alone does", func(t *testing.T) {
		o.pin(t, version(t, "b", "c"))
		pinned.settle()
		pinned.fetchNow(t)
		pinned.keepNow(t)
		backup := newOperators(t)
		backup.edit(t, "a", &pause)
		backup.edit(t, "x", path("x"))
		cfg.Operators = backup
		b := restarted(t, cfg, answer{text: doc("a", "b")})
		b.step(t)
		requireHeld(t, b, reasonRevisionLost, version(t, "b", "x"), "b", "c")
	})
}

func TestALostRevisionIsToldAlsoWhereTheGuardWouldHoldIt(t *testing.T) {
	cfg := Config{StateDir: t.TempDir(), MaxRemovedShare: &half}
	edited(t, cfg)
	cfg.Operators = newOperators(t)
	b := restarted(t, cfg, answer{text: doc("x")})
	b.step(t)
	requireHeld(t, b, reasonRevisionLost, version(t, "x"), "b", "c")
	h := b.Status().Held
	require.Equal(t, []int{2, 2}, []int{h.Removed, h.Served})
	require.NoError(t, b.Confirm(t.Context(), h.Version, "olga", ""))
	b.settle()
	require.Equal(t, version(t, "x"), b.sink.Published(), "one word is enough")
}

func TestWithoutOperatorsNoRevisionIsLost(t *testing.T) {
	dir := t.TempDir()
	edited(t, Config{StateDir: dir})
	b := restarted(t, Config{StateDir: dir}, answer{text: doc("a", "b")})
	b.step(t)
	require.Nil(t, b.Status().Held)
	require.Equal(t, version(t, "a", "b"), b.sink.Published())
}
