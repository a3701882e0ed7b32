package stack

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/envoy/gateway"
)

func TestGatewayFile(t *testing.T) {
	s := &Stack{
		module: "/m.wasm", sourceURL: "http://127.0.0.1:9/campaigns.json",
		issuers: []TrustedIssuer{{Issuer: "https://i", JWKSURL: "http://127.0.0.1:8/k", ClientIDs: []string{"c"}, JWKSCache: "6s"}},
	}
	a := addresses{listener: "127.0.0.1:1", envoyAdmin: "127.0.0.1:2", xds: "127.0.0.1:3", admin: "127.0.0.1:4"}
	path := filepath.Join(t.TempDir(), "gateway.yaml")

	t.Run("what the stack knows, and the test's on top", func(t *testing.T) {
		s.opts = Options{PollInterval: time.Second, Gateway: `
campaigns: {timeout: 2s, poll_interval: 500ms}
upstreams: [{name: game, endpoints: ["127.0.0.1:7"]}]
routes: [{prefix: /game, upstream: game}]
`}
		require.NoError(t, s.gatewayFile(path, a, "/state"))
		got, err := gateway.Load(path)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:1", got.Listener.Address)
		require.Equal(t, "127.0.0.1:2", got.Envoy.AdminAddress)
		require.Equal(t, "127.0.0.1:3", got.XDS.Address)
		require.Equal(t, "127.0.0.1:4", got.Admin.Address)
		require.Equal(t, "/m.wasm", got.Ads.Module)
		require.Equal(t, "http://127.0.0.1:9/campaigns.json", got.Campaigns.URL)
		require.Equal(t, "/state", got.Campaigns.StateDir)
		require.Equal(t, 500*time.Millisecond, got.Campaigns.PollInterval.D())
		require.Equal(t, 2*time.Second, got.Campaigns.Timeout.D())
		require.Equal(t, 6*time.Second, got.Issuers[0].JWKSCache.D())
		require.Len(t, got.Routes, 1)
	})
	t.Run("null takes a key out", func(t *testing.T) {
		s.opts = Options{PollInterval: time.Second, Gateway: "campaigns: {url: null, file: /c.json}"}
		require.NoError(t, s.gatewayFile(path, a, "/state"))
		got, err := gateway.Load(path)
		require.NoError(t, err)
		require.Empty(t, got.Campaigns.URL)
		require.Equal(t, "/c.json", got.Campaigns.File)
	})
	t.Run("what is no YAML is refused", func(t *testing.T) {
		s.opts = Options{Gateway: "a: ["}
		require.ErrorContains(t, s.gatewayFile(path, a, "/state"), "Options.Gateway")
	})
	t.Run("the file is the owner's alone", func(t *testing.T) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	})
}
