package stack

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

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

// withUsers is a stack that is configured, without a process of it.
func withUsers(t *testing.T, o UsersOptions, gatewayYAML string) *Stack {
	t.Helper()
	dir := t.TempDir()
	issuer := TrustedIssuer{Issuer: issuerPrefix + "us-east-1_x", JWKSURL: "http://127.0.0.1:8/k", ClientIDs: []string{"public", "users"}}
	s := &Stack{
		Dir: dir, module: "/m.wasm", sourceURL: "http://127.0.0.1:9/campaigns.json", issuers: []TrustedIssuer{issuer},
		Moto: &Moto{Cognito: Cognito{Endpoint: "http://127.0.0.1:7"}}, Pool: &Pool{ID: "us-east-1_x", Issuer: issuer.Issuer},
		ClientID: "public", UsersClientID: "users", secretFile: filepath.Join(dir, "secret"),
		opts: Options{PollInterval: time.Second, Users: &o, Gateway: gatewayYAML},
	}
	require.NoError(t, s.reserveUsers())
	for _, u := range s.AllUsers() {
		t.Cleanup(func() { require.NoError(t, u.close()) })
	}
	return s
}

// load writes the gateway file of a process and reads it again.
func load(t *testing.T, s *Stack, own string) *gateway.Config {
	t.Helper()
	path := filepath.Join(s.Dir, "gateway.yaml")
	a := addresses{listener: "127.0.0.1:1", envoyAdmin: "127.0.0.1:2", xds: "127.0.0.1:3", admin: "127.0.0.1:4", users: own}
	require.NoError(t, s.gatewayFile(path, a, "/state"))
	c, err := gateway.Load(path)
	require.NoError(t, err)
	return c
}

func TestGatewayFileOfUsers(t *testing.T) {
	at := func(s *Stack, i int) string { return hostPort(s.AllUsers()[i].URL) }

	t.Run("one process on a file", func(t *testing.T) {
		s := withUsers(t, UsersOptions{}, "")
		c := load(t, s, "")
		require.Equal(t, at(s, 0), c.Users.Address)
		require.Equal(t, []string{at(s, 0)}, c.Users.Connect)
		require.Equal(t, gateway.AccessOwner, c.Users.Access)
		require.Equal(t, gateway.Cognito{
			Issuer: s.Pool.Issuer, ClientID: "users", ClientSecretFile: s.secretFile, Endpoint: "http://127.0.0.1:7",
		}, c.Users.Cognito)
		require.Equal(t, s.UsersFile(), c.Users.Store.File)
		require.Empty(t, s.UsersTable)
		require.Greater(t, c.Users.SignInRate.Requests, uint32(10_000))
	})
	t.Run("each process has its own address, and Envoy those of all", func(t *testing.T) {
		s := withUsers(t, UsersOptions{Store: DynamoDB, Replicas: 2, Access: gateway.AccessAnySignedIn}, "")
		c := load(t, s, at(s, 1))
		require.Equal(t, at(s, 1), c.Users.Address)
		require.Equal(t, []string{at(s, 0), at(s, 1)}, c.Users.Connect)
		require.Equal(t, gateway.AccessAnySignedIn, c.Users.Access)
		require.Equal(t, &gateway.DynamoDBStore{Table: "unouserdb", Region: "us-east-1", Endpoint: "http://127.0.0.1:7"}, c.Users.Store.DynamoDB)
		require.Equal(t, "unouserdb", s.UsersTable)
	})
	t.Run("Envoy finds an endpoint at the processes that serve it", func(t *testing.T) {
		s := withUsers(t, UsersOptions{Store: DynamoDB, Serve: [][]gateway.Endpoint{
			{gateway.Authenticate}, {gateway.Create, gateway.Read}, {gateway.Read, gateway.Update},
		}}, "")
		c := load(t, s, "")
		require.Equal(t, []string{at(s, 0)}, c.UsersEndpoints(gateway.Authenticate))
		require.Equal(t, []string{at(s, 1)}, c.UsersEndpoints(gateway.Create))
		require.Equal(t, []string{at(s, 1), at(s, 2)}, c.UsersEndpoints(gateway.Read))
		require.Equal(t, []string{at(s, 2)}, c.UsersEndpoints(gateway.Update))
	})
	t.Run("the test's keys are put over them", func(t *testing.T) {
		s := withUsers(t, UsersOptions{}, "users: {sign_in_rate: {requests: 3, per: 60s}, operators_group: admins}")
		c := load(t, s, "")
		require.Equal(t, uint32(3), c.Users.SignInRate.Requests)
		require.Equal(t, time.Minute, c.Users.SignInRate.Per.D())
		require.Equal(t, "admins", c.Users.OperatorsGroup)
		require.Equal(t, "users", c.Users.Cognito.ClientID)
	})
}

func TestGatewayFileIsUsedItselfUnlessSomethingIsPutOverIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
campaigns: {url: "${SOURCE_URL}"}
users: {operators_group: admins, store: {file: "${USERS_FILE:-x.db}"}}
`), 0o600))
	for name, c := range map[string]struct {
		store, over string
		want        map[string]any // nil: the file itself
	}{
		"nothing": {},
		"a table instead of the file": {store: DynamoDB, want: map[string]any{
			"campaigns": map[string]any{"url": "${SOURCE_URL}"},
			"users": map[string]any{"operators_group": "admins", "store": map[string]any{
				"dynamodb": map[string]any{"table": "unouserdb", "region": "us-east-1", "endpoint": "http://127.0.0.1:7"},
			}},
		}},
		"the test's keys": {over: "campaigns: {timeout: 2s}", want: map[string]any{
			"campaigns": map[string]any{"url": "${SOURCE_URL}", "timeout": "2s"},
			"users":     map[string]any{"operators_group": "admins", "store": map[string]any{"file": "${USERS_FILE:-x.db}"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withUsers(t, UsersOptions{Store: c.store}, c.over)
			s.opts.GatewayFile = file
			require.NoError(t, s.overlayGatewayFile())
			if c.want == nil {
				require.Equal(t, file, s.config)
				return
			}
			require.Equal(t, filepath.Join(s.Dir, "gateway.yaml"), s.config)
			text, err := os.ReadFile(s.config)
			require.NoError(t, err)
			got := map[string]any{}
			require.NoError(t, yaml.Unmarshal(text, &got))
			require.Equal(t, c.want, got)
		})
	}
}
