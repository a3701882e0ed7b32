package access

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientOf(t *testing.T) {
	for name, tc := range map[string]struct {
		hops   int
		remote string
		header []string // X-Forwarded-For
		want   string
	}{
		"no proxy": {0, "10.0.0.9:1", nil, "10.0.0.9"},
		"no proxy, and a header of the client's own":      {0, "10.0.0.9:1", []string{"127.0.0.1"}, "10.0.0.9"},
		"an IPv4 client of a listener on IPv6":            {0, "[::ffff:10.0.0.9]:1", nil, "10.0.0.9"},
		"one proxy":                                       {1, "10.0.0.9:1", []string{"203.0.113.7"}, "203.0.113.7"},
		"one proxy, and what the client wrote":            {1, "10.0.0.9:1", []string{"127.0.0.1, 203.0.113.7"}, "203.0.113.7"},
		"one proxy, and a header beside it":               {1, "10.0.0.9:1", []string{"127.0.0.1", "203.0.113.7"}, "203.0.113.7"},
		"two proxies":                                     {2, "10.0.0.9:1", []string{"127.0.0.1, 203.0.113.7 , 10.0.0.8"}, "203.0.113.7"},
		"two proxies, one passed by":                      {2, "10.0.0.9:1", []string{"203.0.113.7"}, "10.0.0.9"},
		"a proxy that says nothing":                       {1, "10.0.0.9:1", nil, "10.0.0.9"},
		"a proxy that says no address":                    {1, "10.0.0.9:1", []string{"203.0.113.7, unknown"}, "10.0.0.9"},
		"a proxy that writes the port":                    {1, "10.0.0.9:1", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		"IPv6":                                            {1, "10.0.0.9:1", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 with a port":                                {1, "10.0.0.9:1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv4 in IPv6":                                    {1, "10.0.0.9:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"a zone, of which there are as many as one likes": {1, "10.0.0.9:1", []string{"fe80::1%x"}, "fe80::1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tc.remote
			r.Header["X-Forwarded-For"] = tc.header
			require.Equal(t, tc.want, (&Guard{hops: tc.hops}).clientOf(r).String())
		})
	}
}

// TestWithoutCredentialsNoProxyIsLet: it makes all the world local.
func TestWithoutCredentialsNoProxyIsLet(t *testing.T) {
	f := start(t, func(c *Config) { c.Address, c.TokensFile = "127.0.0.1:1", "" })
	for name, value := range map[string]string{
		"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-IP": "127.0.0.1", "Via": "1.1 squid", "X-Forwarded": "for=x",
		"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ads.internal", "X-Forwarded-Port": "443", "X-Forwarded-Server": "front",
		"X-Envoy-External-Address": "203.0.113.7", "X-Original-Forwarded-For": "203.0.113.7", "CF-Connecting-IP": "203.0.113.7", "CF-Ray": "1",
		"True-Client-IP": "203.0.113.7", "X-Client-IP": "203.0.113.7", "X-Cluster-Client-IP": "203.0.113.7", "Client-IP": "203.0.113.7",
		"Fastly-Client-IP": "203.0.113.7", "X-Amzn-Trace-Id": "Root=1-1-1",
	} {
		for _, q := range []request{{path: "/"}, {method: "POST", path: "/"}, {path: SessionPath}} {
			q.header = map[string]string{name: value}
			a := f.do(t, q)
			require.Equal(t, 403, a.status, name)
			require.Equal(t, "not_local", a.code(t))
		}
		require.Equal(t, 200, f.do(t, request{path: "/healthz", header: map[string]string{name: value}}).status)
	}
	browser := map[string]string{
		"Accept": "*/*", "Accept-Language": "en", "Connection": "close", "DNT": "1", "Priority": "u=0", "Sec-CH-UA": `"x"`, "Sec-Fetch-Site": "none",
		"Upgrade-Insecure-Requests": "1", "User-Agent": "x", "X-Requested-With": "x",
	}
	require.Equal(t, 200, f.do(t, request{path: "/", header: browser}).status, "what browsers send by themselves says nothing")
	with := start(t)
	q := bearerOf("GET", "/", "Bearer "+viewerToken)
	q.header["X-Forwarded-For"] = "203.0.113.7"
	require.Equal(t, 200, with.do(t, q).status, "with credentials it does not matter")
}

func FuzzClientOf(f *testing.F) {
	for _, header := range []string{"", "1.2.3.4", "1.2.3.4, 5.6.7.8:9", "[::1]:2,", ",,,", "fe80::1%x"} {
		f.Add(header, 1)
	}
	f.Fuzz(func(t *testing.T, header string, hops int) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.9:1"
		r.Header.Set("X-Forwarded-For", header)
		a := (&Guard{hops: hops & 0xff}).clientOf(r)
		require.True(t, a.IsValid())
		require.Empty(t, a.Zone())
		require.False(t, a.Is4In6())
	})
}
