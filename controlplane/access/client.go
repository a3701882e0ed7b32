package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientOf is the address that a request comes from. Behind proxies it is the one that the outermost of ours has seen: each appends to
// X-Forwarded-For, and what stands before is whatever its sender likes. Where that is missing it is the nearest proxy's.
func (g *Guard) clientOf(r *http.Request) netip.Addr {
	nearest, _ := addressOf(r.RemoteAddr)
	if g.hops == 0 {
		return nearest.Addr()
	}
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if len(chain) < g.hops {
		return nearest.Addr()
	}
	text := strings.TrimSpace(chain[len(chain)-g.hops])
	if a, ok := addressOf(text); ok { // some write the port, too
		return a.Addr()
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return nearest.Addr()
	}
	return a.Unmap().WithZone("")
}

// Headers that proxies, tunnels and content networks add to what they pass on, in canonical form.
var (
	proxyHeaders = []string{
		"Forwarded", "Via", "Client-Ip", "Fastly-Client-Ip", "True-Client-Ip", "X-Amzn-Trace-Id", "X-Client-Ip", "X-Cluster-Client-Ip",
	}
	proxyPrefixes = []string{"X-Forwarded", "X-Envoy-", "X-Original-", "X-Real-", "Cf-"}
)

// proxied reports whether a proxy says that it passed a request on. One that adds nothing cannot be told from a client of this machine.
func proxied(r *http.Request) bool {
	for name := range r.Header {
		if slices.Contains(proxyHeaders, name) ||
			slices.ContainsFunc(proxyPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return true
		}
	}
	return false
}
