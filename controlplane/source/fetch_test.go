package source

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

const secret = "s3cr3t"

func TestHTTPErrorStatus(t *testing.T) {
	for _, status := range []int{201, 204, 206, 300, 400, 401, 403, 404, 429, 500, 503} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			base := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			h := newHTTP(t, HTTPConfig{URL: base + "/c.json?token=" + secret})
			require.EqualError(t, pollError(t, h), "get "+base+"/c.json?redacted: status "+strconv.Itoa(status))
		})
	}
}

func TestHTTPSendsWhatItIsConfiguredToSend(t *testing.T) {
	var got *http.Request
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		send(t, w, document)
	})
	h := newHTTP(t, HTTPConfig{
		URL:        base + "/c.json?env=prod",
		HeaderName: "x-api-key", HeaderFile: tempFile(t, secret),
	})
	require.Equal(t, document, pollText(t, h))
	require.Equal(t, "/c.json?env=prod", got.URL.String())
	require.Equal(t, secret, got.Header.Get("X-Api-Key"))
	require.Equal(t, "adsidecar", got.UserAgent())
}

func TestHTTPSecretIsReadForEachPoll(t *testing.T) {
	path := tempFile(t, "one\r\n")
	var got string
	h := newHTTP(t, HTTPConfig{HeaderName: "Authorization", HeaderFile: path, URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		send(t, w, document)
	})})

	require.Equal(t, document, pollText(t, h))
	require.Equal(t, "one", got)
	writeFile(t, path, "two\n")
	pollUnchanged(t, h)
	require.Equal(t, "two", got)
}

func TestHTTPSecretFileThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct{ text, want string }{
		"is empty":                  {text: "\n", want: "empty"},
		"has a line end inside":     {text: secret + "\nX-Injected: 1", want: "holds a byte that a header cannot carry"},
		"is too long for a header":  {text: strings.Repeat("s", maxSecretBytes+1), want: "larger than 16384 bytes"},
		"does not exist (any more)": {want: "no such file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "secret")
			_ = os.Remove(path) // of the case before
			if tt.text != "" {
				writeFile(t, path, tt.text)
			}
			var asked atomic.Bool
			h := newHTTP(t, HTTPConfig{HeaderName: "X-Key", HeaderFile: path, URL: serve(t, func(http.ResponseWriter, *http.Request) {
				asked.Store(true)
			})})
			err := pollError(t, h)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), secret)
			require.False(t, asked.Load())
		})
	}
}

// hop is one request of a redirect chain.
type hop struct{ path, key, referer string }

func record(hops *[]hop, r *http.Request) {
	*hops = append(*hops, hop{r.URL.Path, r.Header.Get("X-Key"), r.Referer()})
}

func TestHTTPRedirectsKeepTheSecretOnItsHost(t *testing.T) {
	var hops []hop
	var home, foreign string
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		record(&hops, r)
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/moved", http.StatusFound)
		case "/moved":
			http.Redirect(w, r, foreign+"/away", http.StatusTemporaryRedirect)
		default:
			send(t, w, document)
		}
	})
	foreign = serve(t, func(w http.ResponseWriter, r *http.Request) {
		record(&hops, r)
		http.Redirect(w, r, home+"/back", http.StatusPermanentRedirect)
	})
	h := newHTTP(t, HTTPConfig{
		URL:        home + "/start?token=" + secret,
		HeaderName: "X-Key", HeaderFile: tempFile(t, secret),
	})

	require.Equal(t, document, pollText(t, h))
	require.Equal(t, []hop{
		{path: "/start", key: secret},
		{path: "/moved", key: secret},
		{path: "/away"},
		{path: "/back"},
	}, hops)
}

func TestHTTPRedirectsThatAreRefused(t *testing.T) {
	tests := map[string]struct{ location, want string }{
		"without a target":   {want: "status 302 without a Location"},
		"to a file":          {location: "file:///etc/passwd", want: "status 302 to what is not an http or https URL"},
		"to no URL":          {location: "http://[", want: "status 302 to what is not an http or https URL"},
		"in a circle":        {location: "/?token=" + secret, want: "more than 5 redirects"},
		"to an error status": {location: "/404?token=" + secret, want: "/404?redacted: status 404"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests := 0
			h := newHTTP(t, HTTPConfig{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				if r.URL.Path == "/404" {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				if tt.location != "" {
					w.Header().Set("Location", tt.location)
				}
				w.WriteHeader(http.StatusFound)
			})})
			err := pollError(t, h)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), secret)
			require.LessOrEqual(t, requests, 1+maxRedirects)
		})
	}
}

func TestHTTPFollowsAsManyRedirectsAsAllowed(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) <= maxRedirects {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusSeeOther)
			return
		}
		send(t, w, document)
	})})
	require.Equal(t, document, pollText(t, h))
}

// serveTLS starts a TLS server and returns its URL and a file with its certificate.
func serveTLS(t *testing.T, handler http.HandlerFunc) (string, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, tempFile(t, certificate(server))
}

func TestHTTPRedirectFromHTTPSToHTTPIsRefused(t *testing.T) {
	asked := false
	plain := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain+"/c.json", http.StatusFound)
	})
	h := newHTTP(t, HTTPConfig{URL: url, CAFile: ca})
	require.EqualError(t, pollError(t, h), "get "+url+": redirect from https to "+plain+"/c.json refused")
	require.False(t, asked)
}

func TestHTTPTrustsTheConfiguredAuthorityOnly(t *testing.T) {
	url, ca := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { send(t, w, document) })
	require.Equal(t, document, pollText(t, newHTTP(t, HTTPConfig{URL: url, CAFile: ca})))
	require.ErrorContains(t, pollError(t, newHTTP(t, HTTPConfig{URL: url})), "certificate")
}

func TestSameHost(t *testing.T) {
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"another path":                       {"http://h/a", "http://h/b", true},
		"the default port in words":          {"http://h", "http://h:80", true},
		"an upgrade to https":                {"http://h", "https://h", true},
		"an upgrade to https elsewhere":      {"http://h", "https://h:8443", false},
		"port 443 without TLS":               {"http://h", "http://h:443", false},
		"another port":                       {"http://h:1", "http://h:2", false},
		"a subdomain":                        {"http://h", "http://a.h", false},
		"the same IPv6 address":              {"http://[::1]:8", "http://[::1]:8/x", true},
		"an upgrade from a port of its own":  {"http://h:8080", "https://h", false},
		"a downgrade, which is refused also": {"https://h", "http://h", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := url.Parse(tt.a)
			require.NoError(t, err)
			b, err := url.Parse(tt.b)
			require.NoError(t, err)
			require.Equal(t, tt.want, sameHost(a, b))
		})
	}
}

func TestHTTPKeepsItsConnection(t *testing.T) {
	var connections atomic.Int32
	status := http.StatusOK
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") != "" && status == http.StatusOK {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.Repeat("x", 10_000)))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	h := newHTTP(t, HTTPConfig{URL: server.URL})

	require.Len(t, pollText(t, h), 10_000)
	pollUnchanged(t, h)
	status = http.StatusInternalServerError
	require.ErrorContains(t, pollError(t, h), "status 500")
	status = http.StatusOK
	pollUnchanged(t, h)
	require.EqualValues(t, 1, connections.Load())
}

func TestHTTPConnectionRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	h := newHTTP(t, HTTPConfig{URL: server.URL + "/c.json?token=" + secret})
	err := pollError(t, h)
	require.ErrorContains(t, err, "get "+server.URL+"/c.json?redacted: dial tcp")
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), secret)
}
