package stack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oneAd is served to country us, lang eng at every hour.
const oneAd = `{"ads":[{"id":"a1","video_url":"https://v.example/a1","country":"us","lang":"eng","start_hour":0,"end_hour":24}]}`

func TestStackServesAndItsPartsStartAgain(t *testing.T) {
	ctx := within(t, 5*time.Minute) // the first run makes the Python environment and builds the programs
	s, err := Start(ctx, Options{Dir: t.TempDir(), Campaigns: []byte(oneAd)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	served := func(t *testing.T) {
		t.Helper()
		require.NoError(t, s.WaitServed(ctx))
		answer, err := s.Get(ctx, "us", "eng")
		require.NoError(t, err)
		ad, err := answer.Ad()
		require.NoError(t, err)
		require.Equal(t, Ad{ID: "a1", URL: "https://v.example/a1", VideoURL: "https://v.example/a1"}, ad)
	}
	served(t)

	t.Run("a killed Envoy comes back at the same address", func(t *testing.T) {
		url, pid := s.BaseURL(), s.Envoy().Process().PID()
		s.Envoy().Kill()
		_, err := s.Get(ctx, "us", "eng")
		require.Error(t, err)
		require.NoError(t, s.Envoy().Start(ctx))
		require.Equal(t, url, s.BaseURL())
		require.NotEqual(t, pid, s.Envoy().Process().PID())
		served(t)
	})
	t.Run("a stopped control plane comes back with its state", func(t *testing.T) {
		c := s.ControlPlane()
		require.NoError(t, c.WaitReady(ctx))
		require.NoError(t, c.Stop())
		served(t)
		require.NoError(t, c.Start(ctx))
		require.NoError(t, c.WaitReady(ctx))
		var status map[string]any
		require.NoError(t, c.Status(ctx, &status))
		require.NotEmpty(t, status)
		metrics, err := c.Metrics(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, metrics)
	})
	t.Run("further Envoys and control planes stand beside the first", func(t *testing.T) {
		replica, err := s.AddControlPlane(ctx)
		require.NoError(t, err)
		e, err := s.AddEnvoy(ctx, EnvoyOptions{Static: true, ControlPlane: replica})
		require.NoError(t, err)
		require.NoError(t, e.WaitIndex(ctx, s.Token()))
		require.NotEqual(t, s.BaseURL(), e.BaseURL)
		stats, err := e.Stats(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, stats)
		_, err = s.AddEnvoy(ctx, EnvoyOptions{})
		require.ErrorContains(t, err, "must be static")
	})
}

func TestTwoStacksShareAMoto(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	first, err := Start(ctx, Options{Dir: t.TempDir(), Campaigns: []byte(oneAd)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, first.Close()) })
	second, err := Start(ctx, Options{Campaigns: []byte(`{"ads":[]}`), Moto: first.Moto, Tools: first.tools, Programs: first.programs})
	require.NoError(t, err)
	require.NoError(t, first.WaitServed(ctx))
	require.NoError(t, second.WaitServed(ctx))
	answer, err := second.Get(ctx, "us", "eng")
	require.NoError(t, err)
	require.Equal(t, "no_ad_available", answer.Code())
	require.NoError(t, second.Close())
	require.NoError(t, second.Close())
	require.NoDirExists(t, second.Dir, "its own folder is gone")
	require.True(t, first.Moto.Process.Running(), "a shared moto is its owner's")
	answer, err = first.Get(ctx, "us", "eng")
	require.NoError(t, err)
	require.Equal(t, 200, answer.Status)
}

func TestFailedStartNamesThePartAndLeavesNothing(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	_, err := Start(ctx, Options{
		NoMoto: true, Issuers: []TrustedIssuer{{Issuer: "https://i", JWKSURL: "http://127.0.0.1:9/k", ClientIDs: []string{"c"}}},
		Campaigns: []byte(oneAd), Gateway: "listner: {}",
	})
	require.ErrorContains(t, err, "wait for controlplane to be healthy")
	require.ErrorContains(t, err, "listner", "its last lines are shown")
}
