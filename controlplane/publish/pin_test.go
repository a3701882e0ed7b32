package publish

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// served runs a Loop until the first document is published and kept.
func served(t *testing.T, o *fakeOperators, cfg Config, answers ...answer) *bench {
	t.Helper()
	b := hourly(t, o, cfg, answers...)
	b.start(t)
	<-b.source.asked
	b.await(t, "kept", func() bool { return len(o.keptVersions()) == 1 })
	return b
}

func TestAPinHoldsItsVersionUntilResume(t *testing.T) {
	o := newOperators(t)
	b := served(t, o, Config{}, answer{text: doc("a")}, answer{text: doc("a", "b")}, answer{text: doc("a", "b", "c")})
	b.pollOnce()
	b.awaitServed(t, "a", "b")
	o.pin(t, version(t, "a"))
	b.awaitServed(t, "a")
	b.await(t, "told", func() bool { return b.Status().Pin != nil && b.Status().Pin.Waiting == version(t, "a", "b") })
	pin := b.Status().Pin
	require.Equal(t, "test", pin.Who)
	require.Equal(t, "why", pin.Comment)
	require.Empty(t, pin.Error)
	require.EqualValues(t, 1, b.metric(t, "index_pinned"))

	b.pollOnce() // polls and edits go on, and show what waits
	b.await(t, "waits", func() bool { return b.Status().Pin.Waiting == version(t, "a", "b", "c") })
	o.edit(t, "d", path("d"))
	b.await(t, "waits", func() bool { return b.Status().Pin.Waiting == version(t, "a", "b", "c", "d") })
	require.Equal(t, version(t, "a"), b.sink.Published())

	o.pin(t, "")
	b.awaitServed(t, "a", "b", "c", "d")
	b.await(t, "told", func() bool { return b.Status().Pin == nil })
	require.Zero(t, b.metric(t, "index_pinned"))
}

func TestAPinIsReplacedByAnother(t *testing.T) {
	o := newOperators(t)
	b := served(t, o, Config{}, answer{text: doc("a")}, answer{text: doc("b")}, answer{text: doc("c")})
	for _, id := range []string{"b", "c"} {
		b.pollOnce()
		b.awaitServed(t, id)
		b.await(t, "kept", func() bool { return slices.Contains(o.keptVersions(), version(t, id)) })
	}
	for _, id := range []string{"a", "b", "c", "a"} {
		o.pin(t, version(t, id))
		b.awaitServed(t, id)
	}
}

func TestAPinHoldsOverARestart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "operators.db")
	o := openOperators(t, file)
	b := served(t, o, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("b")})
	b.pollOnce()
	b.awaitServed(t, "b")
	b.await(t, "kept", func() bool { return len(o.keptVersions()) == 2 })
	o.pin(t, version(t, "a"))

	second, err := revision.New(revision.Config{Store: o.store})
	require.NoError(t, err)
	require.NoError(t, second.Follow(t.Context()))
	again := &fakeOperators{Service: second, store: o.store}
	b = hourly(t, again, Config{StateDir: dir}, answer{text: doc("c")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a")
	b.await(t, "waits", func() bool { p := b.Status().Pin; return p != nil && p.Waiting == version(t, "c") })
	require.Len(t, b.sink.published, 1, "nothing else was published before or after it")
	again.pin(t, "")
	b.awaitServed(t, "c")
}

func TestAPinThatCannotBeReadKeepsWhatIsPublished(t *testing.T) {
	for name, err := range map[string]error{"the store is down": errStoreDown, "the version is not kept any more": revision.ErrNoVersion} {
		t.Run(name, func(t *testing.T) {
			o := newOperators(t)
			b := served(t, o, Config{}, answer{text: doc("a")}, answer{text: doc("b")}, answer{text: doc("c")}, unchanged)
			b.pollOnce()
			b.awaitServed(t, "b")
			o.breakReading(err)
			o.pin(t, version(t, "a"))
			b.await(t, "told", func() bool { p := b.Status().Pin; return p != nil && p.Error != "" })
			require.Contains(t, b.Status().Pin.Error, err.Error())
			b.pollOnce()
			b.await(t, "waits", func() bool { return b.Status().Pin.Waiting == version(t, "c") })
			require.Equal(t, version(t, "b"), b.sink.Published(), "neither the pinned one nor a newer one")

			o.breakReading(nil)
			b.pollOnce() // another try
			b.awaitServed(t, "a")
			b.await(t, "no error", func() bool { return b.Status().Pin.Error == "" })
		})
	}
}

func TestAPinThatTheSourceGivesNeedsNoStore(t *testing.T) {
	o := newOperators(t)
	b := served(t, o, Config{}, answer{text: doc("a")}, answer{text: doc("b")}, answer{text: doc("a")})
	b.pollOnce()
	b.awaitServed(t, "b")
	o.breakReading(errStoreDown)
	o.pin(t, version(t, "a"))
	b.await(t, "told", func() bool { p := b.Status().Pin; return p != nil && p.Error != "" })
	b.pollOnce()
	b.awaitServed(t, "a")
	b.await(t, "no error, and nothing waits", func() bool { p := b.Status().Pin; return p.Error == "" && p.Waiting == "" })
}

func TestAPinOfOtherBytesIsNotPublished(t *testing.T) {
	o := newOperators(t)
	b := served(t, o, Config{}, answer{text: doc("a")})
	other := decodedIndex(t, doc("x"))
	require.NoError(t, o.Service.KeepVersion(t.Context(), revision.Version{Hash: "0123", Report: reportOf(other)}, other.Bytes))
	o.pin(t, "0123")
	b.await(t, "told", func() bool { p := b.Status().Pin; return p != nil && p.Error != "" })
	require.Contains(t, b.Status().Pin.Error, "its bytes are those of "+other.Version)
	require.Equal(t, version(t, "a"), b.sink.Published())
}

func TestARefusedPinIsTold(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a")})
	b.heed()
	b.step(t)
	pinned := decodedIndex(t, doc("x"))
	require.NoError(t, o.Service.KeepVersion(t.Context(), revision.Version{Hash: pinned.Version, Report: reportOf(pinned)}, pinned.Bytes))
	o.pin(t, pinned.Version)
	b.settle()
	r, err := b.readVersion(t.Context(), <-b.toFetch)
	require.NoError(t, err)
	b.arrived = &arrival{version: pinned.Version, release: r}
	b.sink.refuse = func(*compile.Result) error { return ErrQuarantined }
	b.settle()
	require.Equal(t, version(t, "a"), b.sink.Published())
	require.Equal(t, pinned.Version, b.Status().QuarantinedVersion)
}

// A pin that cannot be read must not be an outage for proxies that start after this program: they get what was published last.
func TestAPinThatCannotBeReadAfterARestart(t *testing.T) {
	dir := t.TempDir()
	o := newOperators(t)
	b := served(t, o, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("b")}, unchanged)
	b.pollOnce()
	b.awaitServed(t, "b")
	b.await(t, "on disk", func() bool {
		_, v, err := LastIndex(dir, b.source)
		return err == nil && v.Hash == version(t, "b")
	})
	o.breakReading(errStoreDown)
	o.pin(t, version(t, "a"))
	b.await(t, "told", func() bool { p := b.Status().Pin; return p != nil && p.Error != "" })

	again := hourly(t, o, Config{StateDir: dir}, answer{text: doc("c")})
	again.start(t)
	again.awaitServed(t, "b")
	again.await(t, "told", func() bool { p := again.Status().Pin; return p != nil && p.Error != "" })
	o.breakReading(nil)
	<-again.source.asked
	again.pollOnce()
	again.awaitServed(t, "a")
}
