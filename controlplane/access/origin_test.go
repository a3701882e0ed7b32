package access

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadsForPagesOfOtherSitesAreRefused, which would not see the answer, but make us work for it.
func TestReadsForPagesOfOtherSitesAreRefused(t *testing.T) {
	const evil = "http://evil.example"
	open := func(c *Config) { c.Address, c.TokensFile = "127.0.0.1:1", "" }
	for mode, f := range map[string]*fixture{"without credentials": start(t, open), "with them": start(t)} {
		for name, tc := range map[string]struct {
			header map[string]string
			taken  bool
		}{
			"no browser":                    {map[string]string{}, true},
			"a page of ours":                {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, true},
			"a page of ours in an old one":  {map[string]string{"Origin": "http://ads.internal"}, true},
			"typed into the address bar":    {map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
			"a link from elsewhere":         {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
			"a link, without what it is to": {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, true},
			"a frame elsewhere":             {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, false},
			"an image elsewhere":            {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, false},
			"a script of a neighbor":        {map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, false},
			"a fetch elsewhere":             {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": evil}, false},
			"a fetch in an old browser":     {map[string]string{"Origin": evil}, false},
			"a page without an origin":      {map[string]string{"Origin": "null"}, false},
			"a browser that says no more":   {map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		} {
			t.Run(mode+", "+name, func(t *testing.T) {
				tc.header["Authorization"] = "Bearer " + viewerToken
				for _, method := range []string{"GET", "HEAD"} {
					for _, path := range []string{"/", "/api/v1/coverage", "/coverage", SessionPath} {
						a := f.do(t, request{method: method, path: path, header: tc.header, host: "ads.internal"})
						require.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
						switch {
						case tc.taken:
							require.Equal(t, 200, a.status)
						case method == "HEAD":
							require.Equal(t, 403, a.status)
						default:
							require.Equal(t, 403, a.status)
							require.Equal(t, "cross_origin", a.code(t))
						}
					}
				}
				require.Equal(t, 200, f.do(t, request{path: "/healthz", header: tc.header}).status, "what is public costs nothing")
			})
		}
	}
}

// TestHSTS is for TLS of our own: elsewhere a proxy knows better, and localhost is every program's of its machine.
func TestHSTS(t *testing.T) {
	f := start(t, func(c *Config) { c.TLS = true })
	plain := start(t)
	for host, want := range map[string]string{"ads.internal": "max-age=31536000", "ads.internal:443": "max-age=31536000", "LOCALHOST:1": "", "localhost": ""} {
		for _, path := range []string{"/healthz", "/", SessionPath} {
			require.Equal(t, want, f.do(t, request{path: path, host: host}).header.Get("Strict-Transport-Security"), host)
			require.Empty(t, plain.do(t, request{path: path, host: host}).header.Get("Strict-Transport-Security"))
		}
	}
	w := httptest.NewRecorder()
	f.guard.Handler(http.NewServeMux(), http.HandlerFunc(echo)).ServeHTTP(w, httptest.NewRequest("GET", "https://evil.example/", nil))
	require.Equal(t, http.StatusMisdirectedRequest, w.Code)
	require.Empty(t, w.Header().Get("Strict-Transport-Security"), "nothing is said of a name that is not ours")
}
