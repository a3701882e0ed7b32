package publish

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
)

// Without a document anywhere, the index that was published last is better than none: for proxies that have none.
func TestTheLastIndexStandsInForADocumentThatIsNowhere(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"the document on disk is gone": os.Remove,
		"it is damaged":                func(path string) error { return os.WriteFile(path, []byte("nonsense"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := newOperators(t)
			b := served(t, o, Config{StateDir: dir}, answer{text: doc("a", "b")}, unchanged)
			b.await(t, "on disk", func() bool {
				_, v, err := LastIndex(dir, b.source)
				return err == nil && v.Hash == version(t, "a", "b")
			})
			b.await(t, "the document too", func() bool { return !b.Status().State.SavedAt.IsZero() })
			require.NoError(t, damage(filepath.Join(dir, filepath.Base(b.Status().State.Path))))

			away := answer{err: errors.New("connection refused")}
			again := hourly(t, o, Config{StateDir: dir}, away, answer{text: doc("c")})
			again.start(t)
			<-again.source.asked
			again.awaitServed(t, "a", "b")
			require.True(t, again.Ready())
			again.await(t, "said to be from the disk", func() bool { return again.Status().Source.ServedFromDisk })
			again.pollOnce()
			again.awaitServed(t, "c")
		})
	}
}

// Whoever asks while the sink is given an index is told all of it, or of the one before.
func TestStatusDescribesAnIndexAsSoonAsProxiesHaveIt(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a", "b")})
	b.heed()
	asked := false
	b.sink.refuse = func(index *compile.Result) error {
		asked = true
		b.mu.Lock()
		defer b.mu.Unlock()
		require.Equal(t, 2, b.describe(index.Version).Ads)
		return nil
	}
	b.step(t)
	require.True(t, asked)
	require.Equal(t, 2, b.Status().Index.Ads)
}
