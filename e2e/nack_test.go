package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/xds"
	"adsidecar/e2e/stack"
	"adsidecar/envoy"
	"adsidecar/envoy/gateway"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// nackText is what Envoy says of an index that the filter refuses. The reason is in its log alone.
const nackText = "Unable to create Wasm plugin adsidecar"

// refused makes a document one that the control plane compiles and the module with test hooks refuses.
func refused(t *testing.T, ads ...campaign) []byte {
	t.Helper()
	return document(t, append(ads, ad("refused", "zz", "zzz"))...)
}

// TestIndexRejected: an index that the only Envoy rejects is taken back and not published again.
func TestIndexRejected(t *testing.T) {
	s := start(t, stack.Options{
		Module: hooks(t), Campaigns: refused(t, ad("never", "us", "eng")), Concurrency: 2, Gateway: "xds: {verdict_grace: 2s}",
	})
	plane := s.ControlPlane()
	// quarantined waits until n versions are, checks what the status tells and that nothing is sent again, and returns the last of them.
	quarantined := func(t *testing.T, n int, offered string) string {
		t.Helper()
		status := waitStatus(t, plane, func(s planeStatus) error {
			if got := s.index().Quarantined; len(got) != n {
				return fmt.Errorf("quarantined: %+v", got)
			}
			return nil
		})
		last := status.index().Quarantined[n-1]
		require.Equal(t, "envoy", last.Node)
		require.Contains(t, last.Text, nackText)
		held, err := status.holds("envoy")
		require.NoError(t, err)
		require.NotNil(t, held.LastNack)
		require.Contains(t, held.LastNack.Text, nackText)
		require.Equal(t, last.Version, held.LastNack.Version)
		require.Equal(t, offered, held.Acknowledged)
		if offered == "" {
			require.Nil(t, status.index().Offered)
			require.Nil(t, status.Index)
			requireNotReady(t, plane)
		} else {
			require.Equal(t, offered, status.index().Offered.Version)
			require.Equal(t, offered, status.Index.Version)
			require.NoError(t, plane.WaitReady(deadline(t, 20*time.Second)))
		}

		sent, stats := pushes(t, plane), envoyStats(t, s.Envoy())
		polls(t, s, 3)
		require.Equal(t, sent, pushes(t, plane), "the next three polls publish nothing")
		require.Equal(t, stats[ecdsNacked], envoyStats(t, s.Envoy())[ecdsNacked])
		metrics := planeMetrics(t, plane)
		require.EqualValues(t, n, metrics[`adsidecar_xds_rollbacks_total{type="ecds"}`])
		require.EqualValues(t, n, metrics["adsidecar_xds_quarantined_versions"])
		require.EqualValues(t, 1, metrics["adsidecar_index_quarantined"])
		status, err = statusOf(t.Context(), plane)
		require.NoError(t, err)
		require.Equal(t, last.Version, status.QuarantinedVersion)
		require.Contains(t, status.PublishError, nackText)
		return last.Version
	}
	var first string

	t.Run("with nothing acknowledged yet the Envoy goes on with no index, and is sent nothing again", func(t *testing.T) {
		first = quarantined(t, 1, "")
		asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantUnavailable)
		require.EqualValues(t, 1, envoyStats(t, s.Envoy())[ecdsNacked])
		require.Equal(t, 1, pushes(t, plane)["ecds"])
	})
	t.Run("a corrected document is served", func(t *testing.T) {
		began := stack.StartStopwatch()
		s.Source.SetBody(document(t, ad("good", "us", "eng")))
		asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantAd("good"))
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
		waitStatus(t, plane, inSync("envoy"))
	})
	good := publishedIndex(t, plane)
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("good"))})
	t.Run("with a good one acknowledged that one is served on", func(t *testing.T) {
		s.Source.SetBody(refused(t, ad("never", "us", "eng"), ad("nor-this", "us", "eng")))
		quarantined(t, 2, good)
		l.progress(t, 10)
	})
	t.Run("the first bad document again is known to be bad", func(t *testing.T) {
		before := envoyStats(t, s.Envoy())[ecdsNacked]
		s.Source.SetBody(refused(t, ad("never", "us", "eng")))
		waitStatus(t, plane, func(s planeStatus) error {
			if s.QuarantinedVersion != first {
				return fmt.Errorf("quarantined: %q", s.QuarantinedVersion)
			}
			return nil
		})
		polls(t, s, 3)
		require.Equal(t, before, envoyStats(t, s.Envoy())[ecdsNacked])
	})
	t.Run("a restart with the source dead begins with the last good one", func(t *testing.T) {
		plane.Kill()
		s.Source.SetMode(stack.SourceFails)
		require.NoError(t, plane.Start(deadline(t, 60*time.Second)))
		status := waitStatus(t, plane, inSync("envoy"))
		require.Equal(t, good, status.Index.Version)
		polls(t, s, 3)
		require.Zero(t, pushes(t, plane)["ecds"])
	})
	l.unharmed(t)
	t.Run("a corrected document is served after that too", func(t *testing.T) {
		began := stack.StartStopwatch()
		s.Source.SetBody(document(t, ad("better", "us", "eng")))
		asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantAd("better"))
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
		status := waitStatus(t, plane, inSync("envoy"))
		require.Empty(t, status.PublishError)
		require.Empty(t, status.QuarantinedVersion)
	})
}

// TestRestartWithARejectedDocument: the good document is on disk, the source has one that Envoys reject, and it is published before one
// of them is back. No restart loses the good one.
func TestRestartWithARejectedDocument(t *testing.T) {
	s := served(t, stack.Options{Module: hooks(t), Campaigns: document(t, ad("good", "us", "eng")), Gateway: "xds: {verdict_grace: 3s}"})
	plane := s.ControlPlane()
	waitStatus(t, plane, inSync("envoy"))
	good := publishedIndex(t, plane)
	// back waits until the source's document is quarantined and the good one is on offer.
	back := func(t *testing.T) {
		t.Helper()
		status := waitStatus(t, plane, func(s planeStatus) error {
			if o := s.index().Offered; len(s.index().Quarantined) != 1 || o == nil || o.Version != good || s.QuarantinedVersion == "" {
				return fmt.Errorf("offered: %+v, quarantined: %+v", o, s.index().Quarantined)
			}
			return nil
		})
		require.Equal(t, good, status.Index.Version)
		waitStatus(t, plane, inSync("envoy"))
		require.NoError(t, plane.WaitReady(deadline(t, 20*time.Second)))
		polls(t, s, 2)
		last, err := os.ReadFile(filepath.Join(plane.StateDir, "last-good"))
		require.NoError(t, err)
		require.NotContains(t, string(last), "refused")
	}
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("good"))})
	s.Source.SetBody(refused(t, ad("never", "us", "eng")))
	back(t)
	for range 2 {
		plane.Kill()
		require.NoError(t, plane.Start(deadline(t, 60*time.Second)))
		back(t)
	}
	t.Run("a new Envoy serves the good one", func(t *testing.T) {
		fresh, err := s.AddEnvoy(deadline(t, 2*time.Minute), stack.EnvoyOptions{Static: true})
		require.NoError(t, err)
		asked(t, fresh, s.Token(), stack.AdPath("us", "eng"), wantAd("good"))
	})
	t.Run("SIGHUP offers the rejected one again", func(t *testing.T) {
		const rollbacks = `adsidecar_xds_rollbacks_total{type="ecds"}`
		require.EqualValues(t, 1, planeMetrics(t, plane)[rollbacks])
		nacked := envoyStats(t, s.Envoy())[ecdsNacked]
		require.NoError(t, syscall.Kill(plane.Process().PID(), syscall.SIGHUP))
		eventually(t, 30*time.Second, func(context.Context) error {
			if n := planeMetrics(t, plane)[rollbacks]; n != 2 {
				return fmt.Errorf("%v rollbacks", n)
			}
			return nil
		})
		require.Equal(t, nacked+1, envoyStats(t, s.Envoy())[ecdsNacked])
		back(t)
	})
	l.unharmed(t)
}

// TestIndexRejectedByOneOfThree: an index that others run stays, and the one that rejects it is told of.
func TestIndexRejectedByOneOfThree(t *testing.T) {
	// Every Envoy is told the same relative path of the module; where that leads depends on where it runs.
	folder := func(module string) string {
		dir := t.TempDir()
		code, err := os.ReadFile(module)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "module.wasm"), code, 0o600))
		return dir
	}
	normal, hooked := folder(programs.Module), folder(hooks(t))
	s := start(t, stack.Options{
		Campaigns: document(t, ad("good", "us", "eng")), Gateway: "ads: {module: module.wasm}",
		Envoy: stack.EnvoyOptions{Dir: normal, NoWait: true},
	})
	fleet := []*stack.Envoy{s.Envoy()}
	for _, dir := range []string{normal, hooked} {
		e, err := s.AddEnvoy(t.Context(), stack.EnvoyOptions{Static: true, Dir: dir, NoWait: true})
		require.NoError(t, err)
		fleet = append(fleet, e)
	}
	for _, e := range fleet {
		asked(t, e, s.Token(), stack.AdPath("us", "eng"), wantAd("good"))
		waitStatus(t, s.ControlPlane(), inSync(e.Name))
	}
	odd := fleet[2]
	l := startLoad(t, odd, loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("good")), Connections: 2})
	good := publishedIndex(t, s.ControlPlane())

	t.Run("the others serve it, the one serves the last good one and is shown with its text", func(t *testing.T) {
		s.Source.SetBody(refused(t, ad("new", "us", "eng")))
		for _, e := range fleet[:2] {
			asked(t, e, s.Token(), stack.AdPath("us", "eng"), wantAd("new"))
			waitStatus(t, s.ControlPlane(), inSync(e.Name))
		}
		status := waitStatus(t, s.ControlPlane(), func(s planeStatus) error {
			if o := s.index().Offered; o == nil || o.Acknowledged != 2 || o.Rejected != 1 || o.Pending != 0 {
				return fmt.Errorf("offered: %+v", o)
			}
			return nil
		})
		require.Empty(t, status.index().Quarantined)
		held, err := status.holds(odd.Name)
		require.NoError(t, err)
		require.False(t, held.InSync)
		require.Equal(t, good, held.Acknowledged)
		require.NotNil(t, held.LastNack)
		require.True(t, held.LastNack.Current)
		require.Contains(t, held.LastNack.Text, nackText)
		require.Equal(t, status.index().Offered.Version, held.LastNack.Version)
		require.EqualValues(t, 1, planeMetrics(t, s.ControlPlane())[`adsidecar_xds_envoys{state="out_of_sync"}`])
	})
	t.Run("it is not sent again by the next three polls", func(t *testing.T) {
		sent := pushes(t, s.ControlPlane())
		polls(t, s, 3)
		require.Equal(t, sent, pushes(t, s.ControlPlane()))
		require.EqualValues(t, 1, envoyStats(t, odd)[ecdsNacked])
		l.progress(t, 5)
	})
	l.unharmed(t)
	t.Run("a corrected document is served by all", func(t *testing.T) {
		began := stack.StartStopwatch()
		s.Source.SetBody(document(t, ad("corrected", "us", "eng")))
		for _, e := range fleet {
			asked(t, e, s.Token(), stack.AdPath("us", "eng"), wantAd("corrected"))
		}
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
		for _, e := range fleet {
			waitStatus(t, s.ControlPlane(), inSync(e.Name))
		}
	})
}

// TestMalformedIndex sends bytes that are no index to a real Envoy. The control plane's program never would: it opens what it compiles.
func TestMalformedIndex(t *testing.T) {
	s := start(t, stack.Options{Campaigns: document(t), NoControlPlane: true, NoEnvoy: true, Concurrency: 2})
	config, err := gateway.Load(s.ControlPlane().ConfigFile)
	require.NoError(t, err)
	plane, err := xds.New(xds.Config{VerdictGrace: 2 * time.Second})
	require.NoError(t, err)
	require.NoError(t, plane.SetGateway(envoy.Listeners(config, nil), envoy.Clusters(config)))
	serveXDS(t, plane, s.ControlPlane().XDSAddress)
	publish := func(version string, index []byte) error {
		return plane.Publish(xds.Index{Version: version, Name: envoy.FilterName, Resource: envoy.AdsResource(config, index)})
	}
	good := indexOf(t, "good")
	damaged := func(damage func(b []byte) []byte) []byte { return damage(append([]byte(nil), good...)) }
	// Each damage is another: Envoy remembers which bytes were refused, and does not ask the filter twice.
	last := damaged(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })

	// rejected publishes bytes and checks that this Envoy's rejection has put offered back.
	rejected := func(t *testing.T, version string, index []byte, offered *string) {
		t.Helper()
		require.NoError(t, publish(version, index))
		var status planeStatus
		eventually(t, 30*time.Second, func(context.Context) error {
			status.XDS = plane.Status()
			if q := status.index().Quarantined; len(q) == 0 || q[len(q)-1].Version != version {
				return fmt.Errorf("quarantined: %+v", q)
			}
			return nil
		})
		q := status.index().Quarantined
		require.Equal(t, "envoy", q[len(q)-1].Node)
		require.Contains(t, q[len(q)-1].Text, nackText)
		if offered == nil {
			require.Nil(t, status.index().Offered)
		} else {
			require.Equal(t, *offered, status.index().Offered.Version)
		}
		err := publish(version, index)
		require.ErrorIs(t, err, xds.ErrQuarantined)
		require.ErrorContains(t, err, nackText)
	}

	_, err = s.AddEnvoy(deadline(t, 2*time.Minute), stack.EnvoyOptions{})
	require.NoError(t, err)
	asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantUnavailable)
	t.Run("as the first index: the answer stays 503", func(t *testing.T) {
		rejected(t, "first", last, nil)
		for range 10 {
			requireError(t, get(t, s, "?country=us&lang=eng"), 503, "campaigns_unavailable", "")
		}
	})
	version := "good"
	require.NoError(t, publish(version, good))
	asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantAd("good"))
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("good"))})
	malformed := map[string]struct {
		index []byte
		says  string // Envoy's log
	}{
		"one bit of an ad":         {damaged(func(b []byte) []byte { b[120] ^= 1; return b }), "checksum"},
		"the end is missing":       {damaged(func(b []byte) []byte { return b[:len(b)-1] }), "length"},
		"something follows":        {damaged(func(b []byte) []byte { return append(b, 0) }), "length"},
		"a single byte":            {good[:1], "index refused"},
		"JSON":                     {[]byte(`{"ads":[]}`), "index refused"},
		"the format of the future": {damaged(func(b []byte) []byte { b[4]++; return b }), "format"},
	}
	for name, m := range malformed {
		t.Run("after a good index, "+name, func(t *testing.T) {
			began := time.Now()
			rejected(t, name, m.index, &version)
			logTime(t, s.Envoy(), began, m.says)
			l.progress(t, 3)
		})
	}
	l.unharmed(t)
	t.Run("the next good index is served", func(t *testing.T) {
		require.NoError(t, publish("better", indexOf(t, "better")))
		asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantAd("better"))
	})
}

// serveXDS serves until the test ends.
func serveXDS(t *testing.T, plane *xds.Server, address string) {
	t.Helper()
	l, err := stack.Listen(address)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- plane.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

// indexOf is an index with one ad for us/eng, all day.
func indexOf(t *testing.T, id string) []byte {
	t.Helper()
	b := adindex.NewBuilder()
	held, err := adrequest.AppendAd(nil, id, ad(id, "us", "eng").VideoURL)
	require.NoError(t, err)
	cycle, err := b.AddCycle([]adindex.AdRef{b.AddAd(held)})
	require.NoError(t, err)
	schedule, err := b.AddSchedule(adindex.Schedule{Clock: adindex.Day, Segments: []adindex.Segment{{Cycle: cycle}}})
	require.NoError(t, err)
	key, ok := adindex.MakeKey("us", "eng")
	require.True(t, ok)
	require.NoError(t, b.AddKey(key, key, schedule))
	data, err := b.Build(1)
	require.NoError(t, err)
	return data
}
