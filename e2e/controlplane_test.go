package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestControlPlaneDown kills and pauses the control plane while requests run. No request of any kind notices.
func TestControlPlaneDown(t *testing.T) {
	game, err := stack.StartUpstream()
	require.NoError(t, err)
	t.Cleanup(game.Close)
	e := newEditions("e0")
	s := served(t, stack.Options{Campaigns: e.document(t), Concurrency: 2, Gateway: fmt.Sprintf(`
routes: [{prefix: /game, upstream: game, token: none}]
upstreams: [{name: game, endpoints: ["%s"]}]`, game.Address())})
	plane := s.ControlPlane()
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: e.ask})
	e.connections(len(l.conns))
	slow := 20 * time.Millisecond
	health := startLoad(t, s.Envoy(), loadOptions{Path: "/health", Pause: slow})
	pass := startLoad(t, s.Envoy(), loadOptions{Path: "/game/x", Pause: slow})
	loads := []*load{l, health, pass}
	progress := func(t *testing.T) {
		t.Helper()
		for _, l := range loads {
			l.progress(t, 10)
		}
	}
	// update sets a new document and checks that it is served in time.
	update := func(t *testing.T, id string) {
		t.Helper()
		e.announce(id)
		began := stack.StartStopwatch()
		s.Source.SetBody(e.document(t))
		require.NoError(t, e.wait(deadline(t, 60*time.Second)), l)
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
		t.Logf("a new document was served everywhere %s after the source had it", began.Took().Round(time.Millisecond))
	}
	// restart starts the killed control plane and waits for its Envoy.
	restart := func(t *testing.T, back func(planeStatus) error) planeStatus {
		t.Helper()
		require.NoError(t, plane.Start(deadline(t, 60*time.Second)))
		up := stack.StartStopwatch()
		status := waitStatus(t, plane, back)
		t.Logf("the Envoy was back %s after the control plane", up.Took().Round(time.Millisecond))
		require.LessOrEqual(t, up.Took(), backoffAllowance)
		return status
	}
	silent := map[string]int{"lds": 0, "cds": 0, "ecds": 0}

	t.Run("killed and back with its disk: nothing is pushed while the content is unchanged, then updates flow", func(t *testing.T) {
		before := envoyStats(t, s.Envoy())
		version := publishedIndex(t, plane)
		plane.Kill()
		progress(t)
		status := restart(t, inSync("envoy"))
		require.Equal(t, version, status.Index.Version)
		polls(t, s, 3)
		require.Equal(t, silent, pushes(t, plane))
		after := envoyStats(t, s.Envoy())
		require.Equal(t, before[ecdsTaken], after[ecdsTaken], "Envoy has taken no index")
		require.Zero(t, after[ecdsNacked])
		update(t, "after-the-kill")
		require.Equal(t, map[string]int{"lds": 0, "cds": 0, "ecds": 1}, pushes(t, plane))
		require.Equal(t, before[ecdsTaken]+1, envoyStats(t, s.Envoy())[ecdsTaken])
	})
	t.Run("killed and back with an empty disk and a dead source: connected Envoys serve on, and updates flow once the source is back", func(t *testing.T) {
		before := envoyStats(t, s.Envoy())
		version := publishedIndex(t, plane)
		plane.Kill()
		s.Source.SetMode(stack.SourceFails)
		require.NoError(t, os.RemoveAll(plane.StateDir))
		status := restart(t, func(s planeStatus) error { _, err := s.holds("envoy"); return err })
		require.Nil(t, status.Index)
		held, err := status.holds("envoy")
		require.NoError(t, err)
		require.Equal(t, version, held.Acknowledged, "the Envoy says what it holds")
		polls(t, s, 3)
		progress(t)
		ready, err := s.ControlPlane().Metrics(t.Context())
		require.NoError(t, err)
		require.Zero(t, ready["adsidecar_index_publishes_total"])
		requireNotReady(t, plane)
		require.Equal(t, silent, pushes(t, plane))
		require.Equal(t, before[ecdsTaken], envoyStats(t, s.Envoy())[ecdsTaken])

		s.Source.SetMode(stack.SourceServes) // the document that the Envoy holds
		waitStatus(t, plane, inSync("envoy"))
		polls(t, s, 3)
		require.Equal(t, silent, pushes(t, plane), "the source's document is what the Envoy holds")
		update(t, "after-the-empty-disk")
	})
	t.Run("paused: Envoys serve on, and the newest document is served when it goes on", func(t *testing.T) {
		require.NoError(t, plane.Process().Pause())
		progress(t)
		e.announce("while-paused")
		s.Source.SetBody(e.document(t))
		progress(t)
		began := stack.StartStopwatch()
		require.NoError(t, plane.Process().Continue())
		require.NoError(t, e.wait(deadline(t, 60*time.Second)), l)
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
	})
	t.Run("killed and back with its disk and a dead source: a new Envoy serves", func(t *testing.T) {
		version := waitStatus(t, plane, func(s planeStatus) error {
			if s.Index == nil || s.State.SavedAt.Before(s.Index.PublishedAt) {
				return errors.New("not on disk yet")
			}
			return nil
		}).Index.Version
		plane.Kill()
		s.Source.SetMode(stack.SourceFails)
		status := restart(t, inSync("envoy"))
		require.True(t, status.Source.ServedFromDisk)
		require.Equal(t, version, status.Index.Version)
		require.EqualValues(t, 1, planeMetrics(t, plane)["adsidecar_index_from_disk"])
		require.NoError(t, plane.WaitReady(deadline(t, 20*time.Second)))
		fresh, err := s.AddEnvoy(deadline(t, 2*time.Minute), stack.EnvoyOptions{Static: true, Concurrency: 1})
		require.NoError(t, err)
		asked(t, fresh, s.Token(), stack.AdPath("us", "eng"), wantAd("while-paused"))
		require.Equal(t, map[string]int{"lds": 0, "cds": 0, "ecds": 1}, pushes(t, plane), "the new Envoy alone is sent the index")
		s.Source.SetMode(stack.SourceServes)
		waitStatus(t, plane, func(s planeStatus) error {
			if s.Source.ServedFromDisk {
				return errors.New("served from disk still")
			}
			return nil
		})
		require.Equal(t, 1, pushes(t, plane)["ecds"], "the source confirms what is served")
	})
	for _, l := range loads {
		l.unharmed(t)
	}
}

// TestReplicas: any control plane will do.
func TestReplicas(t *testing.T) {
	e := newEditions("e0")
	relay := startRelay(t)
	s := start(t, stack.Options{Campaigns: e.document(t), Concurrency: 2, NoEnvoy: true, Gateway: "xds: {connect: " + relay.address + "}"})
	first := s.ControlPlane()
	known := waitStatus(t, first, func(s planeStatus) error {
		if s.Index == nil {
			return errors.New("no index")
		}
		return nil
	})
	// The same content with a later date, which the second alone sees: dates have seconds.
	eventually(t, 10*time.Second, func(context.Context) error {
		if !time.Now().Truncate(time.Second).After(known.Index.SourceTime) {
			return errors.New("the same second")
		}
		return nil
	})
	s.Source.SetBody(e.document(t))
	second, err := s.AddControlPlane(deadline(t, 60*time.Second))
	require.NoError(t, err)
	relay.to(first.XDSAddress)
	_, err = s.AddEnvoy(deadline(t, 2*time.Minute), stack.EnvoyOptions{})
	require.NoError(t, err)
	require.NoError(t, s.WaitServed(deadline(t, 60*time.Second)))
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: e.ask})
	e.connections(len(l.conns))

	t.Run("two replicas have the same version, though the document has another date for each", func(t *testing.T) {
		require.Equal(t, publishedIndex(t, first), publishedIndex(t, second))
		one, err := statusOf(t.Context(), first)
		require.NoError(t, err)
		other, err := statusOf(t.Context(), second)
		require.NoError(t, err)
		require.True(t, one.Index.SourceTime.Before(other.Index.SourceTime), "%s, %s", one.Index.SourceTime, other.Index.SourceTime)
	})
	t.Run("an Envoy that moves to the other replica is sent nothing", func(t *testing.T) {
		before := envoyStats(t, s.Envoy())
		relay.to(second.XDSAddress)
		waitStatus(t, second, inSync("envoy"))
		polls(t, s, 3)
		require.Equal(t, map[string]int{"lds": 0, "cds": 0, "ecds": 0}, pushes(t, second))
		require.Equal(t, before[ecdsTaken], envoyStats(t, s.Envoy())[ecdsTaken])
	})
	t.Run("the other replica's updates are served while the first is dead", func(t *testing.T) {
		first.Kill()
		e.announce("of-the-second")
		began := stack.StartStopwatch()
		s.Source.SetBody(e.document(t))
		require.NoError(t, e.wait(deadline(t, 60*time.Second)), l)
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
	})
	t.Run("back on the first replica, restarted: it has the same version by then, and nothing is sent", func(t *testing.T) {
		require.NoError(t, first.Start(deadline(t, 60*time.Second)))
		waitStatus(t, first, func(p planeStatus) error {
			if want := publishedIndex(t, second); p.Index == nil || p.Index.Version != want {
				return fmt.Errorf("want %s, got %+v", want, p.Index)
			}
			return nil
		})
		relay.to(first.XDSAddress)
		waitStatus(t, first, inSync("envoy"))
		polls(t, s, 3)
		require.Equal(t, map[string]int{"lds": 0, "cds": 0, "ecds": 0}, pushes(t, first))
	})
	l.unharmed(t)
}
