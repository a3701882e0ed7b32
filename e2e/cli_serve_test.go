package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"adsidecar/e2e/stack"
)

// bootstrapped is what matters of a bootstrap.
type bootstrapped struct {
	Node    struct{ ID string }
	Dynamic struct {
		LDS any `yaml:"lds_config"`
	} `yaml:"dynamic_resources"`
	Static struct{ Listeners []any } `yaml:"static_resources"`
}

func parseBootstrap(t *testing.T, r result) bootstrapped {
	t.Helper()
	require.Equal(t, 0, r.code, r.stderr)
	var b bootstrapped
	require.NoError(t, yaml.Unmarshal([]byte(r.stdout), &b))
	return b
}

// TestBootstrapCommand: each kind of bootstrap, with the source up and down, and with and without its last good document on disk.
func TestBootstrapCommand(t *testing.T) {
	s := start(t, stack.Options{NoEnvoy: true})
	require.NoError(t, s.ControlPlane().WaitReady(deadline(t, 30*time.Second)))
	var status struct {
		State struct{ Path string }
	}
	require.NoError(t, s.ControlPlane().Status(deadline(t, 10*time.Second), &status))
	eventually(t, 20*time.Second, func(context.Context) error { _, err := os.Stat(status.State.Path); return err })
	config := s.ControlPlane().ConfigFile
	c := command{dir: s.Dir}

	plain := parseBootstrap(t, c.run(t, "bootstrap", "-c", config))
	require.NotNil(t, plain.Dynamic.LDS)
	require.Empty(t, plain.Static.Listeners)
	static := c.run(t, "bootstrap", "-c", config, "--static", "--node-id", "edge-7")
	b := parseBootstrap(t, static)
	require.Nil(t, b.Dynamic.LDS)
	require.Len(t, b.Static.Listeners, 1)
	require.Equal(t, "edge-7", b.Node.ID)
	require.NotContains(t, static.stdout, "google.protobuf.BytesValue")
	withIndex := c.run(t, "bootstrap", "-c", config, "--static", "--with-index")
	require.Len(t, parseBootstrap(t, withIndex).Static.Listeners, 1)
	require.Contains(t, withIndex.stdout, "google.protobuf.BytesValue")
	lastGood := `^adsidecar: index of the document of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d\S*s old\), from the last good one in ` + regexp.QuoteMeta(s.ControlPlane().StateDir) + `\n$`
	require.Regexp(t, lastGood, withIndex.stderr)

	c.run(t, "bootstrap", "-c", config, "--with-index").require(t, 2, "", "adsidecar: --with-index needs --static: without it the listener comes from the control plane\n")
	require.NoError(t, s.ControlPlane().Stop())
	s.Source.SetBody([]byte(goodCampaigns))
	t.Run("the source has a document that was never published: the last good one is used", func(t *testing.T) {
		r := c.run(t, "bootstrap", "-c", config, "--static", "--with-index")
		require.Equal(t, 0, r.code, r.stderr)
		require.Regexp(t, lastGood, r.stderr)
		require.Equal(t, withIndex.stdout, r.stdout, "the same index, source time and all")
	})
	s.Source.SetMode(stack.SourceFails)
	t.Run("the source is down: the last good document is used", func(t *testing.T) {
		r := c.run(t, "bootstrap", "-c", config, "--static", "--with-index")
		require.Equal(t, 0, r.code, r.stderr)
		require.Regexp(t, lastGood, r.stderr)
		require.Equal(t, withIndex.stdout, r.stdout, "the same index, source time and all")
	})
	require.NoError(t, os.RemoveAll(s.ControlPlane().StateDir))
	t.Run("the source is down and there is no last good document", func(t *testing.T) {
		r := c.run(t, "bootstrap", "-c", config, "--static", "--with-index")
		require.Equal(t, 1, r.code)
		require.Empty(t, r.stdout)
		require.Regexp(t, `^adsidecar: no index: no last good document: .*last-good.*; and of the source: .*status 500`, r.stderr)
		require.Equal(t, 0, c.run(t, "bootstrap", "-c", config, "--static").code, "without the index it needs no source")
	})
	s.Source.SetMode(stack.SourceServes)
	t.Run("there is no last good document: the source's is used, and it is said", func(t *testing.T) {
		r := c.run(t, "bootstrap", "-c", config, "--static", "--with-index")
		require.Equal(t, 0, r.code, r.stderr)
		require.Contains(t, r.stdout, "google.protobuf.BytesValue")
		require.NotEqual(t, withIndex.stdout, r.stdout)
		require.Regexp(t, `^adsidecar: index of the document of \d{4}-.* UTC \(\d\S*s old\), from the source http://127\.0\.0\.1:\S+, because no last good document: .*last-good: no such file or directory\n$`, r.stderr)
	})
}

// TestServeSaysWhyItCannot: what is wrong from the start ends it, with one clear error.
func TestServeSaysWhyItCannot(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	free := func() string {
		p, err := stack.ReservePort()
		require.NoError(t, err)
		t.Cleanup(p.Release)
		return p.Address()
	}
	gateway := func(xds, admin, more string) string {
		return goodGateway + more + "\nxds:\n  address: " + xds + "\nadmin:\n  address: " + admin + "\n"
	}
	tls := func(ca, cert, key string) string {
		return fmt.Sprintf("  tls: {ca_file: %s, cert_file: %s, key_file: %s, client_cert_file: x, client_key_file: x}\n", ca, cert, key)
	}
	ca := newAuthority(t, "xds")
	cert, key := ca.issue(t, "controlplane", 2, "127.0.0.1")
	withTLS := func(block string) string {
		return goodGateway + "admin:\n  address: " + free() + "\nxds:\n  address: " + free() + "\n" + block
	}
	dir := files(t, map[string]string{
		"campaigns.json": goodCampaigns, "file": "a file, no folder", "empty.pem": "",
		"xds-taken.yaml":   gateway(taken.Addr().String(), free(), ""),
		"admin-taken.yaml": gateway(free(), taken.Addr().String(), ""),
		"state.yaml":       gateway(free(), free(), "  state_dir: file/state"),
		"state-file.yaml":  gateway(free(), free(), "  state_dir: file"),
		"world.yaml":       gateway("0.0.0.0:18000", free(), ""),
		"no-cert.yaml":     withTLS(tls(ca.caFile, "no.pem", key)),
		"no-ca.yaml":       withTLS(tls("no.pem", cert, key)),
		"empty-ca.yaml":    withTLS(tls("empty.pem", cert, key)),
		"admin.yaml":       gateway(free(), "0.0.0.0:18001", ""),
		"admin-cert.yaml":  gateway(free(), free(), "") + "  tls: {cert_file: no.pem, key_file: no.key}\n",
		"admin-token.yaml": gateway(free(), free(), "") + "  tokens_file: none\n",
		"good.yaml":        gateway(free(), free(), ""),
	})
	for name, tc := range map[string]struct {
		args   string
		code   int
		stderr string // a pattern
	}{
		"the xds port is taken":         {"-c xds-taken.yaml", 1, `xds\.address: listen tcp 127\.0\.0\.1:\d+: bind: address already in use`},
		"the admin port is taken":       {"-c admin-taken.yaml", 1, `admin\.address: listen tcp 127\.0\.0\.1:\d+: bind: address already in use`},
		"no configuration":              {"-c no.yaml", 1, `open no\.yaml: no such file or directory`},
		"the configuration is a folder": {"-c .", 1, `is a directory`},
		"a configuration with findings": {"-c world.yaml", 1, `world\.yaml:\d+: xds\.address: 0\.0\.0\.0:18000 is not a loopback address`},
		"admin beyond loopback":         {"-c admin.yaml", 1, `admin\.yaml:\d+: admin\.address: 0\.0\.0\.0:18001 is not a loopback address`},
		"no certificate of admin":       {"-c admin-cert.yaml", 1, `admin\.tls: open no\.pem`},
		"no tokens' file":               {"-c admin-token.yaml", 1, `admin: .*none`},
		"a state folder below a file":   {"-c state.yaml", 1, `state.*file.*not a directory`},
		"a state folder that is a file": {"-c state-file.yaml", 1, `state.*file.*not a directory`},
		"no certificate":                {"-c no-cert.yaml", 1, `xds\.tls: .*no\.pem`},
		"no CA":                         {"-c no-ca.yaml", 1, `xds\.tls: .*no\.pem`},
		"a CA file without one":         {"-c empty-ca.yaml", 1, `xds\.tls: empty\.pem: holds no PEM certificate`},
		"an unknown log level":          {"-c good.yaml --log-level loud", 2, `--log-level: "loud" is none of debug, info, warn, error`},
		"an argument":                   {"now", 2, `serve takes no arguments, got \["now"\]`},
	} {
		t.Run(name, func(t *testing.T) {
			r := command{dir: dir}.run(t, append([]string{"serve"}, strings.Fields(tc.args)...)...)
			require.Equal(t, tc.code, r.code, r.stderr)
			require.Empty(t, r.stdout)
			require.Regexp(t, tc.stderr, r.stderr)
			// Its log may stand before; the reason is what an operator sees last.
			lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
			require.Condition(t, func() bool {
				return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "adsidecar: ") }) && !strings.HasPrefix(lines[len(lines)-1], "{")
			}, r.stderr)
		})
	}
}
