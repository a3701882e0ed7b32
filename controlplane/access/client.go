package access

import (
	"net/http"
	"net/netip"
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

// proxied reports whether a proxy says that it passed a request on.
func proxied(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if len(r.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}
