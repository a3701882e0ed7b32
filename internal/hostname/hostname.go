// Package hostname judges the hosts of addresses: by one rule, whoever configures an address, serves it or asks it.
package hostname

import (
	"net/netip"
	"regexp"
)

// maxName is the most that DNS takes (RFC 1035, 2.3.4); each of its labels has 63 at most.
const maxName = 253

var pattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// Valid reports whether a text is a host's name: no IP address, no port, no dot at the end.
func Valid(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return len(name) <= maxName && pattern.MatchString(name)
}

// Loopback reports whether a host, without a port and brackets, is an IP address that only its own machine reaches. A name is none: what
// it leads to is not known.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
