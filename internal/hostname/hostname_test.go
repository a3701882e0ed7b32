package hostname

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValid(t *testing.T) {
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, label[:61]}, ".")
	for name, tc := range map[string]struct {
		host  string
		valid bool
	}{
		"a name":                      {"ads.example.com", true},
		"one label":                   {"localhost", true},
		"capitals and digits":         {"Ads-1.Example.COM", true},
		"a label of 63":               {label + ".com", true},
		"a label of 64":               {label + "a.com", false},
		"253 characters":              {long, true},
		"254 characters":              {long + "a", false},
		"nothing":                     {"", false},
		"an IPv4 address":             {"10.0.0.1", false},
		"an IPv6 address":             {"::1", false},
		"a port":                      {"ads.example.com:80", false},
		"a dot at the end":            {"ads.example.com.", false},
		"an empty label":              {"ads..example.com", false},
		"a hyphen at the end":         {"ads-.example.com", false},
		"a hyphen at the start":       {"-ads.example.com", false},
		"a name that stands for many": {"*.example.com", false},
		"an underscore":               {"ads_1", false},
		"letters beyond ASCII":        {"ädß.example.com", false},
		"a line end":                  {"ads\n", false},
		"a scheme":                    {"https://ads", false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.valid, Valid(tc.host)) })
	}
}

func TestLoopback(t *testing.T) {
	for host, loopback := range map[string]bool{
		"127.0.0.1": true, "127.255.0.9": true, "::1": true, "::ffff:127.0.0.1": true, "0:0:0:0:0:0:0:1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "::ffff:10.0.0.1": false, "128.0.0.1": false, "localhost": false,
		"127.1": false, "[::1]": false, "127.0.0.1:80": false, "2130706433": false, "fe80::1%lo": false,
	} {
		require.Equal(t, loopback, Loopback(host), host)
	}
}

func FuzzHostname(f *testing.F) {
	for _, host := range []string{"a.b", "127.0.0.1", "::1", "::ffff:127.0.0.1", "a..b", "-", "::1%x", "1.2.3"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		valid, loopback := Valid(host), Loopback(host)
		require.False(t, valid && loopback)
		if valid {
			u, err := url.Parse("https://" + host + ":1/")
			require.NoError(t, err)
			require.Equal(t, host, u.Hostname())
		}
		if loopback {
			zoneless, _, _ := strings.Cut(host, "%")
			require.True(t, net.ParseIP(zoneless).IsLoopback())
		}
	})
}
