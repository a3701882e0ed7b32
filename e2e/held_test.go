package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/e2e/stack"
)

// heldBy waits until the control plane holds a version for this reason, and returns what its API says of it.
func heldBy(t *testing.T, o operator, reason string) apiv1.Held {
	t.Helper()
	var held apiv1.Held
	waitStatus(t, o.plane, func(s planeStatus) error {
		if s.Held == nil || s.Held.Reason != reason {
			return fmt.Errorf("held: %+v", s.Held)
		}
		return nil
	})
	o.ask(t, "GET", "/held", nil, http.StatusOK, &held)
	require.NotEmpty(t, held.Message)
	return held
}

// nothingHeld waits until the control plane publishes this version and holds none.
func nothingHeld(t *testing.T, o operator, version string) {
	t.Helper()
	waitStatus(t, o.plane, func(s planeStatus) error {
		if s.Held != nil || s.Index == nil || s.Index.Version != version {
			return fmt.Errorf("held: %+v, published: %+v", s.Held, s.Index)
		}
		return nil
	})
	o.ask(t, "GET", "/held", nil, http.StatusNotFound, nil)
}

// restarted is a control plane that was killed in the midst of everything and runs again.
func restarted(t *testing.T, c *stack.ControlPlane) {
	t.Helper()
	c.Kill()
	require.NoError(t, c.Start(deadline(t, 30*time.Second)))
	require.NoError(t, c.WaitReady(deadline(t, 30*time.Second)))
}

// TestHeldOverARestart: a version that a guard holds stays held over a control plane's death. Envoys go on with what they have, one that is
// new is given that, too, and a confirmation publishes what was held.
func TestHeldOverARestart(t *testing.T) {
	s := served(t, stack.Options{
		Campaigns: document(t, ad("a", "us", "eng"), ad("b", "us", "eng"), ad("c", "us", "eng"), ad("d", "us", "eng")), Concurrency: 2,
		Gateway: "guards: {max_removed_share: 0.5}",
	})
	o := operator{s.ControlPlane()}
	t.Setenv("ADSIDECAR_SERVER", o.plane.URL)
	run := func(t *testing.T, code int, line string) result {
		t.Helper()
		r := command{dir: t.TempDir()}.run(t, strings.Fields(line)...)
		require.Equal(t, code, r.code, "%s: %s%s", line, r.stdout, r.stderr)
		return r
	}
	require.Contains(t, run(t, 0, "held").stdout, "Nothing is held.")
	before := publishedIndex(t, o.plane)
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("a", "b", "c", "d"))})

	s.Source.SetBody(document(t, ad("a", "us", "eng")))
	held := heldBy(t, o, "max_removed_share")
	require.Equal(t, before, held.Base)
	require.NotEqual(t, before, held.Version)
	require.Equal(t, 3, held.Removed)
	require.Equal(t, 4, held.Served)
	polls(t, s, 3)
	require.Equal(t, before, publishedIndex(t, o.plane))
	servedWithin(t, s, "d", true)

	t.Run("after kill -9 it is held as before", func(t *testing.T) {
		taken := envoyStats(t, s.Envoy())[ecdsTaken]
		restarted(t, o.plane)
		again := heldBy(t, o, "max_removed_share")
		require.Equal(t, held.Version, again.Version)
		require.Equal(t, held.Base, again.Base)
		require.Equal(t, held.Removed, again.Removed)
		require.Equal(t, before, publishedIndex(t, o.plane))
		waitStatus(t, o.plane, inSync("envoy"))
		polls(t, s, 3)
		require.Equal(t, before, publishedIndex(t, o.plane), "polls change nothing")
		require.EqualValues(t, 1, planeMetrics(t, o.plane)[`adsidecar_index_held{reason="max_removed_share"}`])
		require.Equal(t, taken, envoyStats(t, s.Envoy())[ecdsTaken], "the Envoy has it and is sent nothing")
		servedWithin(t, s, "d", true)
	})
	further, err := s.AddEnvoy(t.Context(), stack.EnvoyOptions{Static: true})
	require.NoError(t, err)
	t.Run("an Envoy that is new meanwhile serves what the others do", func(t *testing.T) {
		require.NoError(t, further.WaitIndex(deadline(t, 30*time.Second), "Bearer "+s.Token()))
		for _, id := range []string{"a", "b", "c", "d"} {
			servedBy(t, further, s.Token(), 5*time.Second, id, true)
		}
	})
	t.Run("another version cannot be confirmed", func(t *testing.T) {
		require.Contains(t, run(t, 3, "held confirm "+before).stderr, "not_held")
		require.Contains(t, run(t, 0, "held").stdout, held.Version[:12])
	})
	l.unharmed(t)
	t.Run("a confirmation publishes it, for good", func(t *testing.T) {
		run(t, 0, "held confirm "+held.Version+" --comment season's-end")
		for _, e := range []*stack.Envoy{s.Envoy(), further} {
			servedBy(t, e, s.Token(), 2*time.Second, "d", false)
			servedBy(t, e, s.Token(), 2*time.Second, "a", true)
		}
		nothingHeld(t, o, held.Version)
		restarted(t, o.plane)
		polls(t, s, 3)
		nothingHeld(t, o, held.Version)
	})
	t.Run("and counts for that time alone", func(t *testing.T) {
		s.Source.SetBody(document(t, ad("a", "us", "eng"), ad("b", "us", "eng"), ad("c", "us", "eng"), ad("d", "us", "eng")))
		servedWithin(t, s, "d", true)
		s.Source.SetBody(document(t, ad("a", "us", "eng")))
		again := heldBy(t, o, "max_removed_share")
		require.Equal(t, held.Version, again.Version, "the same ads")
		require.False(t, again.Refused)
		restarted(t, o.plane)
		require.Equal(t, again.Version, heldBy(t, o, "max_removed_share").Version)
		servedWithin(t, s, "d", true)
	})
}

// TestHeldChangeOverARestart: of operators, who have paused what the source's document on disk has, no more is served after a restart than
// before it, and no less.
func TestHeldChangeOverARestart(t *testing.T) {
	s := served(t, stack.Options{
		Campaigns: document(t, ad("a", "us", "eng"), ad("b", "us", "eng"), ad("c", "us", "eng")), Gateway: "guards: {max_removed_share: 0.5}",
	})
	o := operator{s.ControlPlane()}
	pause := map[string]any{"enabled": false}
	o.ask(t, "PATCH", "/campaigns/a", pause, 200, nil)
	servedWithin(t, s, "a", false)
	before := publishedIndex(t, o.plane)
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("b", "c"))})
	var imported apiv1.Imported
	o.ask(t, "POST", "/document", map[string]any{"ads": []any{
		map[string]any{"id": "b", "video_url": "https://v/b", "country": "ca", "lang": "eng", "start_hour": 0, "end_hour": 0, "enabled": false},
		map[string]any{"id": "c", "video_url": "https://v/c", "country": "ca", "lang": "eng", "start_hour": 0, "end_hour": 0, "enabled": false},
	}}, 200, &imported)
	held := heldBy(t, o, "max_removed_share")
	require.Equal(t, before, held.Base)

	restarted(t, o.plane)
	require.Equal(t, held.Version, heldBy(t, o, "max_removed_share").Version)
	require.Equal(t, before, publishedIndex(t, o.plane))
	further, err := s.AddEnvoy(t.Context(), stack.EnvoyOptions{Static: true})
	require.NoError(t, err)
	require.NoError(t, further.WaitIndex(deadline(t, 30*time.Second), "Bearer "+s.Token()))
	for id, there := range map[string]bool{"a": false, "b": true, "c": true} {
		servedBy(t, further, s.Token(), 5*time.Second, id, there)
	}
	o.ask(t, "POST", fmt.Sprintf("/revisions/%d/revert", imported.Revision), nil, 200, nil)
	nothingHeld(t, o, before)
	l.unharmed(t)
}
