package access

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// ours reports whether a request is meant for us by its Host: a name that nobody else can let lead here, or the very address that the
// connection came in on. The port does not count: it may be another one behind a proxy.
func (g *Guard) ours(r *http.Request) bool {
	host, ok := hostOf(r.Host)
	if !ok {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		server, ok := localAddress(r)
		return ok && ip.Zone() == "" && server.Addr() == ip.Unmap()
	}
	return strings.EqualFold(host, "localhost") || g.name != "" && strings.EqualFold(host, g.name)
}

// onLocalhost reports whether a request calls us localhost. What a browser remembers of that name is of every program of its machine.
func onLocalhost(r *http.Request) bool {
	host, _ := hostOf(r.Host)
	return strings.EqualFold(host, "localhost")
}

// hostOf is the Host header without the port and the brackets of IPv6.
func hostOf(header string) (string, bool) {
	// Upper case is folded below, and some letters beyond ASCII fold into it.
	if strings.ContainsFunc(header, func(c rune) bool { return c > '~' }) {
		return "", false
	}
	host, port, err := net.SplitHostPort(header)
	if err != nil {
		host = header
		if inside, found := strings.CutPrefix(header, "["); found {
			host, found = strings.CutSuffix(inside, "]")
			return host, found && strings.Contains(host, ":")
		}
		return host, host != "" && !strings.Contains(host, ":")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false
	}
	// Brackets are for IPv6 and for nothing else; SplitHostPort takes them from anything.
	return host, host != "" && strings.HasPrefix(header, "[") == strings.Contains(host, ":")
}

// localAddress is our end of the connection.
func localAddress(r *http.Request) (netip.AddrPort, bool) {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.AddrPort{}, false
	}
	return addressOf(local.String())
}

// addressOf reads "ip:port". The zone and the IPv4-in-IPv6 form do not count.
func addressOf(text string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), true
}
