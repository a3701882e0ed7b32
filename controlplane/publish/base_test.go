package publish

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// keepNow keeps what was published last, as a running Loop does at once.
func (b *bench) keepNow(t *testing.T) {
	t.Helper()
	require.NoError(t, b.keepOne(t.Context(), <-b.toKeep))
}

// restarted is a Loop of a new process with the state of an earlier one: it has restored what is on disk, and not polled yet.
func restarted(t *testing.T, cfg Config, answers ...answer) *bench {
	t.Helper()
	b := newBench(t, cfg, answers...)
	b.heed()
	b.restore()
	return b
}

// reopened is what operators say, for a process that starts.
func (o *fakeOperators) reopened(t *testing.T) *fakeOperators {
	t.Helper()
	service, err := revision.New(revision.Config{Store: o.store})
	require.NoError(t, err)
	require.NoError(t, service.Follow(t.Context()))
	return &fakeOperators{Service: service, store: o.store, revealed: make(chan struct{})}
}

// requireHeld requires that a version is held back from those ads.
func requireHeld(t *testing.T, b *bench, reason, held string, served ...string) {
	t.Helper()
	require.Equal(t, version(t, served...), b.sink.Published())
	h := b.Status().Held
	require.NotNil(t, h)
	require.Equal(t, []string{reason, held, version(t, served...)}, []string{h.Reason, h.Version, h.Base})
	require.EqualValues(t, 1, b.metric(t, `index_held{reason="`+reason+`"}`))
	require.True(t, b.Ready())
}

// Operators' changes that were held are in what the document on disk compiles to: it must not be taken for what was served.
func TestWhatOperatorsChangedIsHeldAlsoAfterARestart(t *testing.T) {
	damage := func(t *testing.T, dir string) {
		t.Helper()
		require.NoError(t, os.Truncate(filepath.Join(dir, stateFile), 60))
	}
	for name, c := range map[string]struct {
		disk   func(t *testing.T, dir string)
		source answer
	}{
		"before the source answers":                {source: answer{err: errDown}},
		"with the same document":                   {source: answer{text: doc("a", "b", "c", "d")}},
		"though the last good document is damaged": {disk: damage, source: answer{text: doc("a", "b", "c", "d")}},
		"though the last good document is not there": {disk: func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, stateFile)))
		}, source: answer{text: doc("a", "b", "c", "d")}},
		"of a document which would remove too much too": {source: answer{text: doc("d", "x", "y", "z")}},
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := newOperators(t), t.TempDir()
			cfg := Config{MaxRemovedShare: &half, StateDir: dir, Operators: o}
			b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")})
			b.step(t)
			b.keepNow(t)
			for _, id := range []string{"a", "b", "c"} {
				o.edit(t, id, &pause)
			}
			b.settle()
			requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d")
			if c.disk != nil {
				c.disk(t, dir)
			}

			for range 2 { // restarts
				cfg.Operators = o.reopened(t)
				b = restarted(t, cfg, c.source)
				b.step(t)
				requireHeld(t, b, reasonMaxRemovedShare, b.candidate.Version, "a", "b", "c", "d")
				b.keepNow(t)
			}
			require.Equal(t, c.source.err != nil, b.Status().Source.ServedFromDisk)
			require.NoError(t, b.Confirm(t.Context(), b.candidate.Version, "olga", ""))
			b.settle()
			require.Equal(t, b.candidate.Version, b.sink.Published())
		})
	}
}

func TestARestartWithADamagedDocumentIsGuardedWithoutOperatorsToo(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Config{MaxRemovedShare: &half, StateDir: dir}, answer{text: doc("a", "b", "c", "d")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a", "b", "c", "d")
	awaitOnDisk(t, b, "a", "b", "c", "d")
	b.await(t, "the document too", func() bool { return !b.Status().State.SavedAt.IsZero() })
	require.NoError(t, os.Truncate(filepath.Join(dir, stateFile), 60))

	b = restarted(t, Config{MaxRemovedShare: &half, StateDir: dir}, answer{text: doc("d")})
	require.NotEmpty(t, b.Status().State.Ignored)
	b.step(t)
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d")
}

// awaitOnDisk waits until the last index on disk is of these ads.
func awaitOnDisk(t *testing.T, b *bench, ids ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, v, err := LastIndex(b.store.dir, b.source)
		return err == nil && v.Hash == version(t, ids...)
	}, 20*time.Second, 5*time.Millisecond)
}

func TestALastIndexThatIsOfNoUseIsNoBase(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(t *testing.T, b *bench)
		stateError float64
	}{
		"none":    {change: func(t *testing.T, b *bench) { t.Helper(); require.NoError(t, os.Remove(b.store.indexPath())) }},
		"damaged": {change: func(t *testing.T, b *bench) { t.Helper(); require.NoError(t, os.Truncate(b.store.indexPath(), 200)) }, stateError: 1},
		"of another source": {change: func(t *testing.T, b *bench) {
			t.Helper()
			i, err := b.store.loadIndex()
			require.NoError(t, err)
			i.Source = "another"
			require.NoError(t, b.store.saveIndex(i, never))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir()}
			b := newBench(t, cfg, answer{text: doc("a", "b", "c", "d")})
			b.step(t)
			b.keepNow(t)
			c.change(t, b)
			b = restarted(t, cfg, answer{text: doc("d")})
			require.Equal(t, c.stateError, b.metric(t, "state_errors_total"))
			b.step(t)
			requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d") // by the document on disk
		})
	}
}

func TestARestartWithAnIndexThatProxiesRefuse(t *testing.T) {
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Operators: newOperators(t)}
	b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("a", "b")})
	b.stepAcknowledged(t)
	b.keepNow(t)
	b.step(t)
	b.keepNow(t)

	b = restarted(t, cfg, unchanged, answer{text: doc("a")}, unchanged)
	require.Equal(t, version(t, "a", "b"), b.sink.Published())
	require.NoError(t, os.Remove(b.store.before())) // the document before would do as well
	b.sink.takeBack("")
	b.steps(t, 3)
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "a"), "a", "b", "c", "d")
}

func TestTheDocumentOnDiskIsTheBaseWhateverProxiesSayOfIt(t *testing.T) {
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir()}
	b := newBench(t, cfg, answer{text: doc("a", "b", "c", "d")})
	b.step(t) // and there is no index on disk
	b = restarted(t, cfg, answer{text: doc("d")})
	b.sink.takeBack("")
	b.step(t)
	require.Empty(t, b.sink.Published())
	require.Equal(t, []string{version(t, "d"), version(t, "a", "b", "c", "d")}, []string{b.Status().Held.Version, b.Status().Held.Base})
}

// A process that is killed between publishing and noting it on disk has the version before there.
func TestAKillBeforeTheIndexIsOnDisk(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Operators: o}
	b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("d")})
	b.step(t)
	b.keepNow(t)
	b.step(t)
	require.NoError(t, b.Confirm(t.Context(), version(t, "d"), "olga", ""))
	b.settle()
	require.Equal(t, version(t, "d"), b.sink.Published())
	requireOnDisk(t, b, doc("d"))

	cfg.Operators = o.reopened(t)
	b = restarted(t, cfg, unchanged)
	require.Equal(t, version(t, "d"), b.sink.Published(), "it was confirmed in the place of the one on disk")
	require.Len(t, b.sink.published, 1)
	require.Nil(t, b.Status().Held)
}

func TestWhatProxiesRefusedIsNoBase(t *testing.T) {
	b := newBench(t, Config{MaxRemovedShare: &half}, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("a", "b")}, unchanged, answer{text: doc("a")})
	b.stepAcknowledged(t)
	b.step(t)
	require.Equal(t, version(t, "a", "b"), b.sink.Published())
	b.sink.takeBack(version(t, "a", "b", "c", "d"))
	b.step(t)
	require.Equal(t, version(t, "a", "b"), b.Status().QuarantinedVersion, "it is not held: the sink holds it back")
	require.Nil(t, b.Status().Held)
	b.step(t)
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "a"), "a", "b", "c", "d")
	require.Empty(t, b.Status().QuarantinedVersion)
}

func TestAConfirmedVersionThatProxiesRefuseIsNotHeldAgain(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half, Operators: o, StateDir: t.TempDir()}
	b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("d")}, unchanged)
	b.stepAcknowledged(t)
	b.keepNow(t)
	b.step(t)
	require.NoError(t, b.Confirm(t.Context(), version(t, "d"), "olga", ""))
	b.settle()
	b.keepNow(t)
	b.sink.takeBack(version(t, "a", "b", "c", "d"))
	b.step(t)
	require.Nil(t, b.Status().Held)
	require.Equal(t, version(t, "d"), b.Status().QuarantinedVersion)
	index, _, err := LastIndex(cfg.StateDir, b.source)
	require.NoError(t, err)
	require.Equal(t, decodedIndex(t, doc("a", "b", "c", "d")).Bytes, index, "what is served again is what a restart begins with")
	b.sink.refuse = nil // proxies are asked once more
	b.step(t)
	require.Equal(t, version(t, "d"), b.sink.Published())
}

// What the disk has after proxies refused the last index is what a restart compares with.
func TestARestartAfterProxiesRefused(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Operators: o}
	b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("a", "b")}, unchanged)
	b.stepAcknowledged(t)
	b.keepNow(t)
	b.step(t)
	b.keepNow(t)
	b.sink.takeBack(version(t, "a", "b", "c", "d"))
	b.step(t)
	for _, id := range []string{"a", "b", "c"} {
		o.edit(t, id, &pause)
	}
	b.settle()

	cfg.Operators = o.reopened(t)
	b = restarted(t, cfg, answer{text: doc("a", "b", "c", "d")})
	b.step(t)
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "d"), "a", "b", "c", "d")
}

func TestAPinnedVersionIsTheBaseAfterResume(t *testing.T) {
	o := newOperators(t)
	b := restarted(t, Config{MaxRemovedShare: &half, Operators: o}, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("a", "b")}, answer{text: doc("a")})
	b.step(t)
	b.keepNow(t)
	b.step(t)
	require.Equal(t, version(t, "a", "b"), b.sink.Published())
	o.pin(t, version(t, "a", "b", "c", "d"))
	b.settle()
	b.fetchNow(t)
	require.Equal(t, version(t, "a", "b", "c", "d"), b.sink.Published())
	b.step(t)
	o.pin(t, "")
	b.settle()
	requireHeld(t, b, reasonMaxRemovedShare, version(t, "a"), "a", "b", "c", "d")
}

// fetchNow reads the pinned version, as a running Loop does beside.
func (b *bench) fetchNow(t *testing.T) {
	t.Helper()
	version := <-b.toFetch
	r, err := b.readVersion(t.Context(), version)
	b.mu.Lock()
	b.arrived = &arrival{version, r, err}
	b.mu.Unlock()
	b.settle()
}

func TestALastIndexThatProxiesRefuseIsNotPublishedInPlaceOfAHeldOne(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Operators: o}
	b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")})
	b.step(t)
	b.keepNow(t)
	for _, id := range []string{"a", "b", "c"} {
		o.edit(t, id, &pause)
	}
	cfg.Operators = o.reopened(t)
	b = newBench(t, cfg, answer{text: doc("a", "b", "d")})
	b.sink.refuse = func(index *compile.Result) error {
		if index.Version == version(t, "a", "b", "c", "d") {
			return ErrQuarantined
		}
		return nil
	}
	b.heed()
	b.restore()
	b.step(t)
	require.Empty(t, b.sink.Published(), "neither what is held, nor the document on disk under the same changes")
	require.Equal(t, version(t, "d"), b.Status().Held.Version)
}

func TestBasesAreForgotten(t *testing.T) {
	texts := []answer{}
	for _, id := range []string{"b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		texts = append(texts, answer{text: doc("a", id)})
	}
	b := newBench(t, Config{MaxRemovedShare: &half}, texts...)
	b.steps(t, len(texts)-1)
	require.Len(t, b.guard.bases, maxBases, "while no proxy loads any")
	b.sink.acknowledge()
	b.step(t)
	require.Len(t, b.guard.bases, 2, "the one that a proxy has loaded, and the one after it")

	off := newBench(t, Config{}, texts...)
	off.steps(t, 3)
	require.Empty(t, off.guard.bases, "nothing is read where nothing is guarded")
	require.Zero(t, off.guard.tried)
}

func TestAVersionThatIsNotRememberedIsComparedWithTheNewest(t *testing.T) {
	b := guardBench(t, nil, answer{text: doc("a")})
	b.sink.setPublished("older")
	b.step(t)
	require.Equal(t, "older", b.Status().Held.Base)
	require.Equal(t, 3, b.Status().Held.Removed)
}
