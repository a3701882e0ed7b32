package publish

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
)

// takeBack makes the sink what it is after proxies refused its present index: back at version, and the refused one quarantined.
func (s *fakeSink) takeBack(version string) {
	refused := s.Published()
	s.setPublished(version)
	s.refuse = func(index *compile.Result) error {
		if index.Version == refused {
			return fmt.Errorf("%s: refused by proxies: %w", refused, ErrQuarantined)
		}
		return nil
	}
}

func TestAnIndexThatProxiesRefuseAfterItWasPublishedIsToldAndNotRepublished(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("a", "b")})
	b.stepAcknowledged(t)
	b.step(t)
	good, bad := b.sink.published[0].Version, b.sink.published[1].Version
	require.Equal(t, bad, b.Status().Index.Version)

	b.sink.takeBack(good)
	require.Equal(t, good, b.Status().Index.Version, "without waiting for a poll")
	require.Equal(t, 1, b.Status().Index.Ads)
	require.True(t, b.Ready())

	b.steps(t, 3)
	require.Len(t, b.sink.published, 2, "nothing is republished")
	s := b.Status()
	require.Equal(t, bad, s.QuarantinedVersion)
	require.Contains(t, s.PublishError, "refused by proxies")
	require.InDelta(t, 1, b.metric(t, "index_ads"), 0)
	require.InDelta(t, 1, b.metric(t, fmt.Sprintf("index_info{version=%q}", good)), 0)
	require.InDelta(t, 1, b.metric(t, "index_quarantined"), 0)

	last, err := LastGood(dir, b.source)
	require.NoError(t, err)
	require.Equal(t, doc("a"), string(last.Data), "the last good document is on disk again")

	b.source.answers = []answer{{text: doc("a", "c")}}
	b.step(t)
	require.Empty(t, b.Status().QuarantinedVersion)
	last, err = LastGood(dir, b.source)
	require.NoError(t, err)
	require.Equal(t, doc("a", "c"), string(last.Data))
}

func TestTheFirstIndexOfAllRefused(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Config{StateDir: dir}, answer{text: doc("a")})
	b.step(t)
	require.True(t, b.Ready())
	b.sink.takeBack("")
	b.step(t)
	require.False(t, b.Ready())
	require.Nil(t, b.Status().Index)
	require.NotEmpty(t, b.Status().QuarantinedVersion)
	require.InDelta(t, 0, b.metric(t, "index_ads"), 0)
	_, err := LastGood(dir, b.source)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestADocumentFromDiskThatProxiesRefuseMakesRoomForTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	first := newBench(t, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("b")})
	first.stepAcknowledged(t)
	first.step(t)

	b := newBench(t, Config{StateDir: dir}, answer{text: doc("b")})
	b.restore()
	require.Len(t, b.sink.published, 1)
	b.sink.takeBack("")
	require.False(t, b.Ready())
	b.step(t)
	requireOnDisk(t, b, doc("a"))
	good := first.sink.published[0].Version
	require.Equal(t, good, b.Status().Index.Version, "proxies are given what is on disk now")
	require.False(t, b.Status().Source.ServedFromDisk, "the source is well")
	require.Zero(t, b.metric(t, "index_from_disk"))
	require.InDelta(t, 1, b.metric(t, fmt.Sprintf("index_info{version=%q}", good)), 0)
	require.NotEmpty(t, b.Status().QuarantinedVersion)
	b.steps(t, 2)
	require.Len(t, b.sink.published, 2, "once")

	b.sink.refuse = func(index *compile.Result) error { return fmt.Errorf("%s: %w", index.Version, ErrQuarantined) }
	b.sink.setPublished("") // that one too is refused
	b.step(t)
	requireOnDisk(t, b, doc("a")) // it was loaded once, and there is none before
	require.False(t, b.Ready())
}

func requireOnDisk(t *testing.T, b *bench, want string) {
	t.Helper()
	last, err := LastGood(b.store.dir, b.source)
	require.NoError(t, err)
	require.Equal(t, want, string(last.Data))
}

func requireNothingOnDisk(t *testing.T, b *bench) {
	t.Helper()
	_, err := LastGood(b.store.dir, b.source)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestARestartWhileTheSourceHasARefusedDocument: the good document is replaced on disk before a proxy is back to acknowledge it.
func TestARestartWhileTheSourceHasARefusedDocument(t *testing.T) {
	dir := t.TempDir()
	good, bad := answer{text: doc("a")}, answer{text: doc("a", "b")}
	first := newBench(t, Config{StateDir: dir}, good, unchanged, bad)
	first.stepAcknowledged(t)
	first.steps(t, 2)
	first.sink.takeBack(first.sink.published[0].Version)
	first.step(t)
	requireOnDisk(t, first, good.text)

	for range 3 { // restarts
		b := newBench(t, Config{StateDir: dir}, bad)
		b.restore()
		b.step(t)
		require.Equal(t, []int{1, 2}, b.sink.ads())
		requireOnDisk(t, b, bad.text)
		b.sink.takeBack(b.sink.published[0].Version)
		b.step(t)
		requireOnDisk(t, b, good.text)
		require.True(t, b.Ready())
	}
}

func TestTheDocumentBeforeIsTheLastAcknowledgedOne(t *testing.T) {
	a, b, c := answer{text: doc("a")}, answer{text: doc("a", "b")}, answer{text: doc("a", "b", "c")}
	tests := map[string]struct {
		answers      []answer
		acknowledged int // of the answers, from the first
		want         string
	}{
		"two refused one after the other":                {answers: []answer{a, b, c}, acknowledged: 1, want: a.text},
		"the same index of other bytes in between":       {answers: []answer{a, b, {text: b.text + " "}}, acknowledged: 1, want: a.text},
		"two acknowledged":                               {answers: []answer{a, b, c}, acknowledged: 2, want: b.text},
		"none acknowledged":                              {answers: []answer{a, b, c}},
		"acknowledged, in other bytes too, and refused":  {answers: []answer{a, b, {text: b.text + " "}}, acknowledged: 2, want: a.text},
		"acknowledged, and again in other bytes":         {answers: []answer{a, {text: a.text + " "}, b}, acknowledged: 2, want: a.text + " "},
		"acknowledged before it came in other bytes too": {answers: []answer{a, {text: a.text + " "}, b}, acknowledged: 1, want: a.text + " "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bench := newBench(t, Config{StateDir: t.TempDir()}, tt.answers...)
			for i := range tt.answers {
				bench.step(t)
				if i < tt.acknowledged {
					bench.sink.acknowledge()
				}
			}
			bench.sink.takeBack("")
			bench.step(t)
			if tt.want == "" {
				requireNothingOnDisk(t, bench)
				return
			}
			requireOnDisk(t, bench, tt.want)
		})
	}
}

// TestADocumentWhoseQuarantineEndsIsOnDiskAgain: it was taken off when its index was refused.
func TestADocumentWhoseQuarantineEndsIsOnDiskAgain(t *testing.T) {
	b := newBench(t, Config{StateDir: t.TempDir()}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged)
	b.stepAcknowledged(t)
	b.step(t)
	b.sink.takeBack(b.sink.published[0].Version)
	b.step(t)
	requireOnDisk(t, b, doc("a"))
	b.sink.refuse = nil
	b.step(t)
	require.Equal(t, []int{1, 2, 2}, b.sink.ads())
	requireOnDisk(t, b, doc("a", "b"))
}

func TestARefusedDocumentThatCannotBeTakenOffTheDiskIsTriedAgain(t *testing.T) {
	b := newBench(t, Config{StateDir: t.TempDir()}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged)
	b.stepAcknowledged(t)
	b.step(t)
	b.sink.takeBack(b.sink.published[0].Version)
	require.NoError(t, os.Remove(b.store.path))
	require.NoError(t, os.MkdirAll(filepath.Join(b.store.path, "in the way"), 0o700))
	b.steps(t, 2)
	require.NotEmpty(t, b.Status().State.Error)
	require.EqualValues(t, 2, b.metric(t, "state_errors_total"))

	require.NoError(t, os.RemoveAll(b.store.path))
	b.step(t)
	require.Empty(t, b.Status().State.Error)
	requireOnDisk(t, b, doc("a"))
}

// TestWithoutHardLinks: some filesystems have none.
func TestWithoutHardLinks(t *testing.T) {
	setUp := func(t *testing.T) *bench {
		t.Helper()
		b := newBench(t, Config{StateDir: t.TempDir()}, answer{text: doc("a")}, answer{text: doc("a", "b")})
		b.store.link = func(string, string) error { return errors.New("operation not supported") }
		b.stepAcknowledged(t)
		return b
	}
	t.Run("the document before is copied", func(t *testing.T) {
		b := setUp(t)
		b.step(t)
		require.Empty(t, b.Status().State.Error)
		b.sink.takeBack("")
		b.step(t)
		requireOnDisk(t, b, doc("a"))
		left, err := filepath.Glob(b.store.path + ".*.tmp")
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("where that fails too the new one is saved without", func(t *testing.T) {
		b := setUp(t)
		require.NoError(t, os.MkdirAll(filepath.Join(b.store.before(), "in the way"), 0o700))
		b.step(t)
		require.Empty(t, b.Status().State.Error)
		requireOnDisk(t, b, doc("a", "b"))
		left, err := filepath.Glob(b.store.path + ".*.tmp")
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// TestADocumentThatIsPutBackCountsAsAcknowledged, for the next process too.
func TestADocumentThatIsPutBackCountsAsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	first := newBench(t, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged)
	first.stepAcknowledged(t)
	first.stepAcknowledged(t)
	first.step(t) // notes it
	require.NoError(t, os.Remove(first.store.acknowledged()))
	first.step(t)
	require.NoFileExists(t, first.store.acknowledged(), "once")
	require.NoError(t, first.store.mark())

	second := newBench(t, Config{StateDir: dir}, answer{err: errDown})
	second.restore()
	second.sink.takeBack("") // what was loaded once is refused after a change of the filter
	second.step(t)
	requireOnDisk(t, second, doc("a"))

	third := newBench(t, Config{StateDir: dir}, answer{text: doc("c")})
	third.restore()
	third.step(t)
	requireOnDisk(t, third, doc("c"))
	third.sink.takeBack("")
	third.step(t)
	requireOnDisk(t, third, doc("a"))
}

// TestASlowDiskDelaysNoMetrics looks at them while a document is being saved.
func TestASlowDiskDelaysNoMetrics(t *testing.T) {
	b := newBench(t, Config{StateDir: t.TempDir()}, answer{text: doc("a")}, answer{text: doc("a", "b")})
	b.stepAcknowledged(t)
	looked := false
	b.store.link = func(from, to string) error {
		looked = true
		require.InDelta(t, 2, b.metric(t, "index_ads"), 0)
		return os.Link(from, to)
	}
	b.step(t)
	require.True(t, looked)
}
