package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// printed is a bootstrap as the gateway's builders print it.
func printed(t *testing.T) *bootstrap {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "envoy", "testdata", "out", "minimal.static.yaml"))
	require.NoError(t, err)
	b, err := parseBootstrap(text)
	require.NoError(t, err)
	return b
}

func TestContendersDifferInTheAdRouteAlone(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*bootstrap)
		differs []string // what only the changed one has, and nothing else
		lacks   []string
	}{
		"nothing is changed": {func(*bootstrap) {}, nil, nil},
		"direct_response": {
			func(b *bootstrap) { b.direct("BODY") },
			[]string{"inline_string: BODY", "direct_response:", "value: application/json"},
			[]string{"config: {}", "cluster: none", "timeout: 15s"},
		},
		"a service": {
			func(b *bootstrap) { b.upstream(4711) },
			[]string{"cluster: service", "cluster_name: service", "port_value: 4711"},
			[]string{"config: {}", "cluster: none"},
		},
		"Lua": {
			func(b *bootstrap) { b.lua("/x/ads.lua") },
			[]string{"filename: /x/ads.lua", "'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute", "expression: response.code_details != 'lua_response'"},
			[]string{"config: {}", "envoy.extensions.filters.http.wasm.v3.Wasm", "expression: response.code_details != ''"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := printed(t).text()
			require.NoError(t, err)
			b := printed(t)
			c.change(b)
			after, err := b.text()
			require.NoError(t, err)
			for _, line := range c.differs {
				require.Greater(t, count(after, line), count(before, line), line)
			}
			for _, line := range c.lacks {
				require.Positive(t, count(before, line), line)
				require.Less(t, count(after, line), count(before, line), line)
			}
			if c.differs == nil {
				require.Equal(t, string(before), string(after))
			}
			for _, kept := range []string{"name: envoy.filters.http.jwt_authn", "name: envoy.filters.http.rbac", "json_format:", "requires_any:"} {
				require.Equal(t, count(before, kept), count(after, kept), kept)
			}
		})
	}
}

// count is how often a line is in the text, whatever stands before it.
func count(text []byte, line string) int {
	n := 0
	for each := range strings.Lines(string(text)) {
		if strings.HasSuffix(strings.TrimSuffix(each, "\n"), line) {
			n++
		}
	}
	return n
}

func TestPortsAreTheEnvoysOwn(t *testing.T) {
	b := printed(t)
	b.ports(1234, 5678)
	text, err := b.text()
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "port_value: 1234"))
	require.Equal(t, 1, strings.Count(string(text), "port_value: 5678"))
	require.NotContains(t, string(text), "port_value: 9901")
}

func TestABootstrapOfAnotherFormIsAnError(t *testing.T) {
	for name, change := range map[string]func(*bootstrap){
		"direct": func(b *bootstrap) { b.direct("x") },
		"lua":    func(b *bootstrap) { b.lua("x") },
		"ports":  func(b *bootstrap) { b.ports(1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := parseBootstrap([]byte("static_resources: {listeners: []}"))
			require.NoError(t, err)
			change(b)
			_, err = b.text()
			require.Error(t, err)
		})
	}
}
