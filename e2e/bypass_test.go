package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestNoWayAroundTheToken: a public route and one that needs a token lead to the same upstream, and no spelling of a path below the public
// one reaches what the other protects, even for an upstream that reads "..;" as "..".
func TestNoWayAroundTheToken(t *testing.T) {
	upstream, err := stack.StartUpstream()
	require.NoError(t, err)
	t.Cleanup(upstream.Close)
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), Gateway: `
routes:
- {prefix: /pub, upstream: game, token: none}
- {prefix: /game, upstream: game}
upstreams:
- {name: game, endpoints: ["` + upstream.Address() + `"]}
`})
	send := func(path string) *stack.Answer {
		return raw(t, s, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	require.Equal(t, 200, send("/pub/x;v=1").Status, "a parameter alone is no dot segment")
	require.Equal(t, 200, send("/pub/..x;v=1").Status)
	before := len(upstream.Counts())
	for _, path := range []string{
		"/pub/%2e%2e;/game/s", "/pub/..;/game/s", "/pub/.%2e;/game/s", "/pub/%2E%2E;x=1/game/s", "/pub/x;/%2e%2e;/game/s",
		"/pub/%2e%2e;", "/pub/../game/s", "/pub/%2e%2e/game/s", "/prod/pub/%2e%2e;/game/s", "/pub%2f..%2fgame/s", `/pub\..\game/s`,
	} {
		t.Run(path, func(t *testing.T) {
			require.Contains(t, []int{400, 401}, send(path).Status)
		})
	}
	require.Len(t, upstream.Counts(), before, "nothing of it reached the upstream: %v", upstream.Counts())
}
