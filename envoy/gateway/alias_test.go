package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnchorsInThemselves: the check ends, whatever the decoder says then.
func TestAnchorsInThemselves(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"a list":             {"routes: &r [{prefix: /a}, *r]\n" + minimal, "found a list, want a map of keys"},
		"a map":              {"listener: &l {access_log: *l}\n" + minimal, "listener.access_log.access_log: unknown key"},
		"a free map":         {"tokens: {claim_headers: &c {x-a: *c}}\n" + minimal, "found map, want text"},
		"a key that is one":  {"listener: &l\n  idle_timeout: 1s\n  *l : 2s\n" + minimal, "listener.l: a key must be plain text"},
		"a key of its value": {"listener: {idle_timeout: &listener 5s}\n*listener : {}\n" + minimal, "listener: a key must be plain text"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("gateway.yaml", []byte(tc.text), env())
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestManyAliasesOfALargeMap: a small file must not make findings without end.
func TestManyAliasesOfALargeMap(t *testing.T) {
	const n = 300
	var text strings.Builder
	text.WriteString(minimal + "routes:\n- &r\n")
	for i := range n {
		fmt.Fprintf(&text, "  k%d: 1\n", i)
	}
	text.WriteString(strings.Repeat("- *r\n", n))
	text.WriteString("upstreams:\n" + strings.Repeat("- *r\n", n))
	_, err := Parse("gateway.yaml", []byte(text.String()), env())
	var findings Findings
	require.ErrorAs(t, err, &findings)
	require.Len(t, findings, 2*n, "once as routes, once as upstreams")
}
