package access

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw sends a request as it is written: clients of the library mend what an attacker would not.
func (f *fixture) raw(t *testing.T, text string) *http.Response {
	t.Helper()
	method, _, _ := strings.Cut(text, " ")
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")+"Connection: close\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// TestNoWayAround: requests without credentials that are written to look like what needs none.
func TestNoWayAround(t *testing.T) {
	f := start(t)
	for line, status := range map[string]int{
		"GET /api/v1/status":                 401,
		"GET //api/v1/status":                401,
		"GET /api/v1/../../metrics":          401,
		"GET /healthz/../api/v1/status":      401,
		"GET /healthz/%2e%2e/api/v1/status":  401,
		"GET /healthz%2f..%2fapi":            401,
		"GET /healthz/":                      401,
		"GET /healthz;/api/v1/status":        401,
		"GET /healthz/..;/api":               401,
		"GET /HEALTHZ":                       401,
		"GET /healthz%00":                    401,
		"GET /%68ealthz":                     200, // it is the same path, and public
		"GET //healthz":                      307, // to the public path
		"GET /x/../healthz":                  307,
		"GET /assets/../api/v1/status":       401,
		"GET /assets/..%2fapi/v1/status":     200, // a name of a file, which the assets look up as one
		"GET /.":                             401,
		"GET http://localhost/api/v1/status": 401,
		"GET http://localhost/healthz":       200,
		"GET http://evil.example/healthz":    421, // which counts, and not the Host beside it
		"POST /healthz":                      401,
		"POST /sign-in":                      401,
		"HEAD /metrics":                      401,
		"OPTIONS /api/v1/status":             401,
		"TRACE /api/v1/status":               401,
		"CONNECT localhost:80":               401,
		"get /api/v1/status":                 401,
		"PROPFIND /":                         401,
		"GET " + SessionPath + "/":           401,
		"GET /api/v1/%73ession":              401,
		"POST " + SessionPath + "/../status": 401,
		"GET /api/v1/status?next=/healthz":   401,
		"GET /api/v1/status#/healthz":        401,
		"GET /healthz?/api/v1/status":        200,
		"DELETE /assets/icon.svg":            401,
		"OPTIONS /assets/icon.svg":           401,
		"HEAD /assets/icon.svg":              200,
		"GET /assets/":                       200,
		"GET /assets":                        307,
		"GET /api/v1/status\nX-Original-URL: /healthz\nX-Rewrite-URL": 401,
	} {
		t.Run(line, func(t *testing.T) {
			line, more, _ := strings.Cut(line, "\n")
			if more != "" {
				more += ": /healthz\n"
			}
			resp := f.raw(t, line+" HTTP/1.1\nHost: localhost\n"+more)
			require.Equal(t, status, resp.StatusCode)
			require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NotContains(t, string(body), `"via"`, "nobody is behind the guard")
			if status == 307 {
				require.Contains(t, []string{"/healthz", "/assets/"}, resp.Header.Get("Location"))
			}
		})
	}
}

func TestHostsThatAreSmuggled(t *testing.T) {
	f := start(t)
	for name, tc := range map[string]struct {
		text   string
		status int
	}{
		"two hosts":                       {"GET /healthz HTTP/1.1\nHost: localhost\nHost: evil.example\n", 400},
		"no host":                         {"GET /healthz HTTP/1.1\n", 400},
		"no host in the old protocol":     {"GET /healthz HTTP/1.0\n", 421},
		"a host that a proxy would know":  {"GET /healthz HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: localhost\nForwarded: host=localhost\n", 421},
		"ours, and another of a proxy's":  {"GET /healthz HTTP/1.1\nHost: localhost\nX-Forwarded-Host: evil.example\n", 200},
		"a method that is not the method": {"GET /x HTTP/1.1\nHost: localhost\nX-HTTP-Method-Override: POST\nAuthorization: Bearer " + viewerToken + "\n", 200},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.status, f.raw(t, tc.text).StatusCode) })
	}
}

// TestTheAuthorityOfHTTP2IsTheHost: as :authority takes its place.
func TestTheAuthorityOfHTTP2IsTheHost(t *testing.T) {
	f := start(t)
	server := httptest.NewUnstartedServer(f.guard.Handler(public(), http.HandlerFunc(echo)))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	for host, status := range map[string]int{"localhost": 200, "ads.internal": 200, "evil.example": 421, "localhost:1:2": 421} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/", http.NoBody)
		require.NoError(t, err)
		req.Host = host
		req.Header.Set("Authorization", "Bearer "+viewerToken)
		resp, err := server.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "HTTP/2.0", resp.Proto)
		require.Equal(t, status, resp.StatusCode, host)
	}
}

// TestAPreflightIsRefused: no page of another origin is told that it may write, or read what it is answered.
func TestAPreflightIsRefused(t *testing.T) {
	f := start(t)
	session := f.signIn(t, map[string]string{"token": operatorToken}).cookie
	for name, header := range map[string]map[string]string{
		"without credentials": {},
		"with a session":      {"Cookie": session.Name + "=" + session.Value},
	} {
		t.Run(name, func(t *testing.T) {
			header["Origin"], header["Access-Control-Request-Method"] = "http://evil.example", "POST"
			for _, path := range []string{"/", SessionPath, SignOutPath, "/healthz"} {
				a := f.do(t, request{method: "OPTIONS", path: path, header: header})
				for field := range a.header {
					require.False(t, strings.HasPrefix(field, "Access-Control-"), field)
				}
				if name == "without credentials" {
					require.Contains(t, []int{401, 405}, a.status)
				}
			}
		})
	}
}

// TestASessionIsNotOneThatWasPlanted: signing in with a cookie that somebody knows makes another.
func TestASessionIsNotOneThatWasPlanted(t *testing.T) {
	f := start(t)
	planted := strings.Repeat("A", 43)
	header := map[string]string{"Cookie": f.guard.cookie + "=" + planted, "Content-Type": "application/json"}
	a := f.do(t, request{method: "POST", path: SessionPath, header: header, body: `{"token":"` + operatorToken + `"}`})
	require.Equal(t, 200, a.status)
	require.NotEqual(t, planted, a.cookie.Value)
	require.Equal(t, 401, f.do(t, request{path: "/", header: header}).status)

	mallory := f.signIn(t, map[string]string{"token": viewerToken}).cookie
	header["Cookie"] = mallory.Name + "=" + mallory.Value
	f.do(t, request{method: "POST", path: SessionPath, header: header, body: `{"token":"` + operatorToken + `"}`})
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", mallory)).status, "one that was good is none any more")
}

// FuzzNobodyPassesTheGuard: whatever is asked for without credentials does not arrive, and of a viewer's only what reads.
func FuzzNobodyPassesTheGuard(f *testing.F) {
	for _, target := range []string{"/", "//", "/healthz", "/healthz/..", "/%2e%2e/api", "*", "http://localhost/x", "/a?b#c", "/assets/..%5c..", SessionPath} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "TRACE", "CONNECT", "get"} {
			f.Add(method, target, "X-Forwarded-Host", "localhost")
		}
	}
	f.Add("GET", "/", "Authorization", "Bearer ")
	f.Add("GET", "/", "Cookie", "__Host-adsidecar_session=")
	x := start(f)
	arrived := false
	h := x.guard.Handler(public(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived = true }))
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, address("127.0.0.1:1"))
	f.Fuzz(func(t *testing.T, method, target, name, value string) {
		text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s: %s\r\n\r\n", method, target, name, value)
		for _, authorization := range []string{"", "Bearer " + viewerToken} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
			if err != nil {
				return
			}
			r.RemoteAddr = "10.0.0.9:1"
			r.Body = http.NoBody
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			arrived = false
			h.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
			require.False(t, arrived && authorization == "", "without credentials")
			require.False(t, arrived && r.Method != "GET" && r.Method != "HEAD", "of a viewer")
		}
	})
}

// FuzzWhereASignInLeads: as a browser reads the redirect.
func FuzzWhereASignInLeads(f *testing.F) {
	for _, next := range []string{"", "/", "/a?b=c#d", "//x", "/\\x", "/.//x", "/..//x", "/%2f%2fx", "/%5cx", "///x", "https:x", "/\t/x", "/./\\x", "/?//x", "/#//x"} {
		f.Add(next)
	}
	x := start(f)
	h := x.guard.Handler(public(), http.HandlerFunc(echo))
	page, err := url.Parse("https://ads.internal/api/v1/session")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, next string) {
		for _, token := range []string{viewerToken, strangerToken} {
			x.advance(time.Minute)
			body := url.Values{"token": {token}, "next": {next}}.Encode()
			r := httptest.NewRequest("POST", "https://ads.internal"+SessionPath, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, 303, w.Code)
			location := w.Header().Get("Location")
			require.True(t, strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") && !strings.ContainsAny(location, "\\\t\r\n"), location)
			if target, err := url.Parse(location); err == nil {
				require.Equal(t, "ads.internal", page.ResolveReference(target).Host)
			}
		}
	})
}
