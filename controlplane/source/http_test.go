package source

import (
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// quiet swallows what a test server says about refused handshakes.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func certificate(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestNewHTTPRefuses(t *testing.T) {
	good := "http://127.0.0.1/c.json"
	tests := map[string]struct {
		cfg  HTTPConfig
		want string
	}{
		"no URL":                        {HTTPConfig{}, "url: not an absolute http or https URL"},
		"another scheme":                {HTTPConfig{URL: "ftp://h/" + secret}, "url: not an absolute"},
		"no host":                       {HTTPConfig{URL: "http:///" + secret}, "url: not an absolute"},
		"a port alone":                  {HTTPConfig{URL: "http://:80/"}, "url: not an absolute"},
		"a password that breaks it":     {HTTPConfig{URL: "http://user:" + secret + "/x@h/"}, "url: not an absolute"},
		"a header without a file":       {HTTPConfig{URL: good, HeaderName: "X-Key"}, "header: name and file belong together"},
		"a file without a header":       {HTTPConfig{URL: good, HeaderFile: "f"}, "header: name and file belong together"},
		"a header that is none":         {HTTPConfig{URL: good, HeaderName: "X Key", HeaderFile: "f"}, `header: "X Key" is not a header name`},
		"a header of the source's own":  {HTTPConfig{URL: good, HeaderName: "accept-encoding", HeaderFile: "f"}, "header: accept-encoding cannot be set"},
		"a CA file that does not exist": {HTTPConfig{URL: good, CAFile: "/does/not/exist"}, "ca file: open /does/not/exist"},
		"a CA file without certificate": {HTTPConfig{URL: good, CAFile: tempFile(t, "x")}, "ca file: no certificate in"},
		"a negative timeout":            {HTTPConfig{URL: good, Timeout: -time.Second}, "timeout: -1s is negative"},
		"a negative size":               {HTTPConfig{URL: good, MaxBytes: -1}, "max bytes: -1 is negative"},
		"user information":              {HTTPConfig{URL: "http://user:" + secret + "@h/"}, "url: user information is not sent; use a header"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := NewHTTP(tt.cfg)
			require.Nil(t, h)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

func TestNewHTTPNamesAllThatIsWrong(t *testing.T) {
	_, err := NewHTTP(HTTPConfig{Timeout: -1, MaxBytes: -1, HeaderName: "X", CAFile: "/does/not/exist"})
	for _, want := range []string{"url:", "timeout:", "max bytes:", "header:", "ca file:"} {
		require.ErrorContains(t, err, want)
	}
}

func TestHTTPDescribesItselfWithoutSecrets(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: "https://example.com:8443/c.json?token=" + secret + "#x"})
	kind, location := h.Describe()
	require.Equal(t, "http", kind)
	require.Equal(t, "https://example.com:8443/c.json?redacted", location)
	require.NotContains(t, h.Identity(), secret)
	require.Nil(t, h.Changed())
}

func TestHTTPIdentity(t *testing.T) {
	identity := func(url string) string { return newHTTP(t, HTTPConfig{URL: url}).Identity() }
	base := identity("https://h/c.json?env=prod")
	require.Equal(t, base, identity("https://h/c.json?env=prod#part"))
	require.NotEqual(t, base, identity("https://h/c.json?env=test"))
	require.NotEqual(t, base, identity("https://h/d.json?env=prod"))
	require.NotEqual(t, base, identity("http://h/c.json?env=prod"))
}
