package access

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHost(t *testing.T) {
	for name, tc := range map[string]struct {
		host, local string
		ours        bool
	}{
		"our name":                               {"ads.internal", "10.0.0.1:1", true},
		"our name with the port":                 {"ads.internal:18001", "10.0.0.1:18001", true},
		"our name with a proxy's port":           {"ads.internal:443", "10.0.0.1:18001", true},
		"our name in capitals":                   {"ADS.Internal", "10.0.0.1:1", true},
		"localhost":                              {"localhost", "127.0.0.1:1", true},
		"localhost with a port, in capitals":     {"LocalHost:8080", "127.0.0.1:1", true},
		"the address":                            {"10.0.0.1", "10.0.0.1:1", true},
		"the address with a port":                {"10.0.0.1:18001", "10.0.0.1:18001", true},
		"the loopback address":                   {"127.0.0.1:18001", "127.0.0.1:18001", true},
		"the address of a listener on all":       {"10.0.0.1:18001", "[::ffff:10.0.0.1]:18001", true},
		"the IPv6 address":                       {"[::1]:18001", "[::1]:18001", true},
		"the IPv6 address without a port":        {"[2001:db8::1]", "[2001:db8::1]:18001", true},
		"the IPv6 address written in full":       {"[2001:DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:18001", true},
		"the IPv4 address in IPv6":               {"[::ffff:10.0.0.1]:1", "10.0.0.1:18001", true},
		"a link-local address without its zone":  {"[fe80::1]:1", "[fe80::1%eth0]:18001", true},
		"no host":                                {"", "127.0.0.1:1", false},
		"a name of somebody that leads here":     {"evil.example.com:18001", "127.0.0.1:18001", false},
		"a name below ours":                      {"x.ads.internal", "10.0.0.1:1", false},
		"a name above ours":                      {"internal", "10.0.0.1:1", false},
		"a name that ends as ours":               {"evil-ads.internal", "10.0.0.1:1", false},
		"a name that begins as ours":             {"ads.internal.example.com", "10.0.0.1:1", false},
		"a name below localhost":                 {"evil.localhost", "127.0.0.1:1", false},
		"a name that begins as localhost":        {"localhost.example.com", "127.0.0.1:1", false},
		"an address as a name":                   {"127.0.0.1.nip.io:18001", "127.0.0.1:18001", false},
		"our name with a dot at the end":         {"ads.internal.", "10.0.0.1:1", false},
		"localhost with a dot at the end":        {"localhost.:1", "127.0.0.1:1", false},
		"another address":                        {"10.0.0.2:18001", "10.0.0.1:18001", false},
		"another loopback address":               {"127.0.0.2", "127.0.0.1:1", false},
		"the address that stands for all":        {"0.0.0.0:18001", "127.0.0.1:18001", false},
		"the IPv6 address that stands for all":   {"[::]:18001", "[::1]:18001", false},
		"the address as one number":              {"2130706433", "127.0.0.1:1", false},
		"the address shortened":                  {"127.1:18001", "127.0.0.1:1", false},
		"the address with zeros":                 {"127.0.0.01", "127.0.0.1:1", false},
		"the address in hexadecimal":             {"0x7f000001", "127.0.0.1:1", false},
		"an IPv6 address with a zone":            {"[fe80::1%eth0]:1", "[fe80::1%eth0]:18001", false},
		"an IPv6 address without brackets":       {"::1", "[::1]:18001", false},
		"an IPv4 address in brackets":            {"[127.0.0.1]:1", "127.0.0.1:18001", false},
		"a name in brackets":                     {"[localhost]", "127.0.0.1:1", false},
		"a name in brackets with a port":         {"[localhost]:1", "127.0.0.1:1", false},
		"a port alone":                           {":18001", "127.0.0.1:18001", false},
		"a port that is none":                    {"localhost:http", "127.0.0.1:1", false},
		"a port that is too large":               {"localhost:65536", "127.0.0.1:1", false},
		"two ports":                              {"localhost:1:2", "127.0.0.1:1", false},
		"a user before it":                       {"localhost@evil.example.com", "127.0.0.1:1", false},
		"a space before it":                      {" localhost", "127.0.0.1:1", false},
		"two names":                              {"localhost,evil.example.com", "127.0.0.1:1", false},
		"a connection whose end is not known":    {"127.0.0.1", "", false},
		"a connection that has no IP address":    {"127.0.0.1", "pipe", false},
		"a name that folds to ours beyond ASCII": {"localho\u017ft", "10.0.0.1:1", false},
	} {
		t.Run(name, func(t *testing.T) {
			g := &Guard{name: "ads.internal"}
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = tc.host
			if tc.local != "" {
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, address(tc.local)))
			}
			require.Equal(t, tc.ours, g.ours(r))
		})
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "ads.internal"
	require.False(t, (&Guard{}).ours(r), "no name is configured")
}

// address is a net.Addr.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

var _ net.Addr = address("")

// TestAnotherHostIsMisdirected: whatever is asked for, with whatever credentials.
func TestAnotherHostIsMisdirected(t *testing.T) {
	f := start(t)
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", SignInPath, SessionPath, "/api/v1/campaigns"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			q := bearerOf(method, path, "Bearer "+operatorToken)
			q.host = "evil.example.com"
			a := f.do(t, q)
			require.Equal(t, http.StatusMisdirectedRequest, a.status, path)
			require.Equal(t, "unknown_host", a.code(t))
			require.Nil(t, a.cookie)
		}
	}
	require.Equal(t, 200, f.do(t, request{path: "/healthz"}).status, "by its address")
	require.Equal(t, 200, f.do(t, request{path: "/healthz", host: "localhost"}).status)
	require.Equal(t, 200, f.do(t, request{path: "/healthz", host: "ads.internal:18001"}).status)
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost", "ads.internal:1", "127.0.0.1:1", "[::1]:1", "[localhost]", "::1", "a:b:c", "]", "[", ":", "%", "127.0.0.1:+1"} {
		f.Add(host)
	}
	g := &Guard{name: "ads.internal"}
	ctx := context.WithValue(f.Context(), http.LocalAddrContextKey, address("127.0.0.1:1"))
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
		r.Host = host
		if !g.ours(r) {
			return
		}
		// What is left without a port is one of the three.
		name := host
		if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
			name = host[:i]
		}
		if strings.EqualFold(name, "localhost") || strings.EqualFold(name, "ads.internal") {
			return
		}
		ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
		require.NoError(t, err)
		require.Equal(t, netip.MustParseAddr("127.0.0.1"), ip.Unmap())
	})
}
