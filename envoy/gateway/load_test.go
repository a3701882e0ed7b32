package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const minimal = `
issuers:
- issuer: https://issuer.example.com
  client_ids: [web]
campaigns:
  url: https://campaigns.example.com/ads.json
`

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestDefaultsComplete(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(minimal), env("HOSTNAME", "edge-1"))
	require.NoError(t, err)

	require.Equal(t, "127.0.0.1:8080", c.Listener.Address)
	require.Equal(t, []string{"/prod", "/development"}, c.Listener.StagePrefixes)
	require.Equal(t, "https://issuer.example.com/.well-known/jwks.json", c.Issuers[0].JWKSURL)
	require.Equal(t, []string{"access", "id"}, c.Issuers[0].TokenUses)
	require.Equal(t, time.Minute, c.Issuers[0].JWKSCache.D())
	require.Equal(t, 10*time.Second, c.Campaigns.PollInterval.D())
	require.Equal(t, 96, c.Campaigns.MaxIndexMiB)
	require.Equal(t, "127.0.0.1:18000", c.XDS.Connect)
	require.Equal(t, "edge-1", c.Envoy.NodeID)
}

func TestZeroIsAValueWhereItMeansSomething(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(minimal+`
listener:
  max_connection_age: 0s
  request_timeout: 0s
  stage_prefixes: []
routes:
- {prefix: /a, upstream: u, timeout: 0s, forward_token: false}
- {prefix: /b, upstream: u}
- {prefix: /c, upstream: u, websocket: true}
- {prefix: /d, upstream: g}
upstreams:
- {name: u, endpoints: ["127.0.0.1:1"]}
- {name: g, endpoints: ["127.0.0.1:2"], protocol: grpc}
`), env())
	require.NoError(t, err)
	require.Zero(t, c.Listener.MaxConnectionAge)
	require.Zero(t, c.Listener.RequestTimeout)
	require.Empty(t, c.Listener.StagePrefixes)
	require.Zero(t, *c.Routes[0].Timeout)
	require.False(t, *c.Routes[0].ForwardToken)
	require.Equal(t, TokenRequired, c.Routes[1].Token, "deny by default")
	require.True(t, *c.Routes[1].ForwardToken)
	require.Equal(t, 15*time.Second, c.Routes[1].Timeout.D())
	require.Zero(t, *c.Routes[2].Timeout, "a WebSocket stays")
	require.Equal(t, time.Hour, c.Routes[2].IdleTimeout.D())
	require.Zero(t, *c.Routes[3].Timeout, "a gRPC stream stays")
}

func TestEnvironment(t *testing.T) {
	text := `
listener:
  max_connections: ${LIMIT}
  address: 127.0.0.1:${PORT:-8080}
issuers:
- issuer: ${ISSUER}
  client_ids: ["${CLIENT}"]
campaigns:
  url: ${SOURCE}
`
	t.Run("values and defaults", func(t *testing.T) {
		c, err := Parse("gateway.yaml", []byte(text), env("ISSUER", "https://i", "CLIENT", "1234", "SOURCE", "http://s/a?x=1&y={}", "LIMIT", "7"))
		require.NoError(t, err)
		require.Equal(t, []string{"1234"}, c.Issuers[0].ClientIDs)
		require.Equal(t, "http://s/a?x=1&y={}", c.Campaigns.URL)
		require.Equal(t, uint32(7), c.Listener.MaxConnections)
		require.Equal(t, "127.0.0.1:8080", c.Listener.Address)
	})
	t.Run("a value cannot change the structure", func(t *testing.T) {
		c, err := Parse("gateway.yaml", []byte(text), env("ISSUER", "https://i", "CLIENT", "x\nadmin: {insecure: true}", "SOURCE", "http://s/", "LIMIT", "7"))
		require.NoError(t, err)
		require.False(t, c.Admin.Insecure)
	})
	t.Run("one that is not text is refused, and not shown", func(t *testing.T) {
		_, err := Parse("gateway.yaml", []byte(text), env("ISSUER", "https://i/\xff", "CLIENT", "x", "SOURCE", "http://s/", "LIMIT", "7"))
		require.EqualError(t, err, "gateway.yaml:6: the value is not UTF-8 text")
		_, err = Parse("gateway.yaml", []byte(strings.Replace(minimal, "https://issuer.example.com", "!!binary /w==", 1)), env())
		require.EqualError(t, err, "gateway.yaml:3: the value is not UTF-8 text")
	})
	t.Run("one that is not set is named with its line", func(t *testing.T) {
		_, err := Parse("gateway.yaml", []byte(text), env("ISSUER", "https://i", "CLIENT", "x", "LIMIT", "7"))
		require.EqualError(t, err, "gateway.yaml:9: environment variable SOURCE is not set (a default is written ${SOURCE:-value})")
	})
}

// TestFixtures loads testdata/*.good.yaml, and compares what is wrong with each testdata/*.bad.yaml with the "# want: " lines in it.
func TestFixtures(t *testing.T) {
	good, err := filepath.Glob("testdata/*.good.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, good)
	for _, path := range good {
		_, err := Load(path)
		require.NoError(t, err, path)
	}

	bad, err := filepath.Glob("testdata/*.bad.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, bad)
	for _, path := range bad {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			var want []string
			for line := range strings.SplitSeq(string(data), "\n") {
				if w, ok := strings.CutPrefix(line, "# want: "); ok {
					want = append(want, w)
				}
			}
			_, err = Parse(filepath.Base(path), data, env())
			require.Error(t, err)
			require.Equal(t, strings.Join(want, "\n"), err.Error())
		})
	}
}

// TestReferenceHasEveryKey loads the documented gateway and checks that no key is missing from it.
func TestReferenceHasEveryKey(t *testing.T) {
	const path = "../../docs/gateway.yaml"
	_, err := Load(path)
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for name := range names(knownKeys(&Config{})) {
		require.Contains(t, string(data), name+":", "docs/gateway.yaml does not document %s", name)
	}
}

func names(k *keys) map[string]bool {
	all := map[string]bool{}
	var walk func(*keys)
	walk = func(k *keys) {
		if k.elem != nil {
			walk(k.elem)
		}
		for n, sub := range k.names {
			all[n] = true
			walk(sub)
		}
	}
	walk(k)
	return all
}

func TestFileLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	_, err := Load(path)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = Load(path)
	require.EqualError(t, err, path+": the file is empty")

	require.NoError(t, os.WriteFile(path, make([]byte, maxFileBytes+1), 0o600))
	_, err = Load(path)
	require.EqualError(t, err, path+": the file is larger than 4194304 bytes")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	for _, glob := range []string{"testdata/*.yaml", "../testdata/in/*.yaml", "../../docs/*.yaml"} {
		paths, err := filepath.Glob(glob)
		require.NoError(f, err)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("gateway.yaml", data, env("HOSTNAME", "h"))
		if err == nil {
			require.NotEmpty(t, c.Issuers, "no gateway lets anyone in")
			for _, is := range c.Issuers {
				require.NotEmpty(t, is.ClientIDs)
			}
			require.True(t, loopback(c.Envoy.AdminAddress))
		} else {
			require.NotEmpty(t, err.Error())
		}
	})
}
