package publish

import (
	"fmt"
	"os"
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
	b.steps(t, 2)
	good, bad := b.sink.published[0].Version, b.sink.published[1].Version
	require.Equal(t, bad, b.Status().Index.Version)

	b.sink.takeBack(good)
	require.Equal(t, good, b.Status().Index.Version, "without waiting for a poll")
	require.Equal(t, 1, b.Status().Index.Ads)
	require.True(t, b.Ready())

	b.steps(t, 3)
	require.Len(t, b.sink.published, 2, "nothing is republished")
	require.Equal(t, 3, b.sink.offered, "and the refused version is offered once, to learn why")
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
	first.steps(t, 2)

	b := newBench(t, Config{StateDir: dir}, answer{text: doc("b")})
	b.restore()
	require.Len(t, b.sink.published, 1)
	b.sink.takeBack("")
	b.step(t)
	last, err := LastGood(dir, b.source)
	require.NoError(t, err)
	require.Equal(t, doc("a"), string(last.Data))
}
