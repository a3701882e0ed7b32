package access

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
)

// known is a verifier and a user pool that nobody asks.
type known struct{}

func (known) Verify(context.Context, string) (token.Claims, error) { return token.Claims{}, nil }
func (known) Authenticate(context.Context, string, string) (account.Session, error) {
	return account.Session{}, nil
}

func TestNewRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"nobody's credentials, on loopback":               {Config{Address: "127.0.0.1:1"}, ""},
		"nobody's credentials, on IPv6's loopback":        {Config{Address: "[::1]:1"}, ""},
		"nobody's credentials beyond it":                  {Config{Address: "10.0.0.1:1"}, "address: 10.0.0.1:1 is not a loopback address, and nobody's credentials are configured"},
		"nobody's credentials on all addresses":           {Config{Address: "0.0.0.0:1"}, "address: 0.0.0.0:1 is not a loopback address, and nobody's credentials are configured"},
		"nobody's credentials on all of IPv6":             {Config{Address: "[::]:1"}, "address: [::]:1 is not a loopback address, and nobody's credentials are configured"},
		"a user pool beyond loopback":                     {Config{Address: "10.0.0.1:1", Tokens: known{}, ViewersGroup: "v", OperatorsGroup: "o", Passwords: known{}}, ""},
		"no address":                                      {Config{Tokens: known{}, ViewersGroup: "v", OperatorsGroup: "o"}, "address: is not ip:port"},
		"no groups":                                       {Config{Address: "127.0.0.1:1", Tokens: known{}}, "groups: there must be two, for viewers and for operators"},
		"no viewers":                                      {Config{Address: "127.0.0.1:1", Tokens: known{}, OperatorsGroup: "o"}, "groups: there must be two, for viewers and for operators"},
		"one group for both":                              {Config{Address: "127.0.0.1:1", Tokens: known{}, ViewersGroup: "o", OperatorsGroup: "o"}, "groups: there must be two, for viewers and for operators"},
		"passwords without what verifies their tokens":    {Config{Address: "127.0.0.1:1", Passwords: known{}}, "passwords: need a verifier of the tokens that they lead to"},
		"a name with a port":                              {Config{Address: "127.0.0.1:1", Name: "a:1"}, "name: is not a host's name"},
		"a name that is an address":                       {Config{Address: "127.0.0.1:1", Name: "10.0.0.1"}, "name: is not a host's name"},
		"a name that stands for many":                     {Config{Address: "127.0.0.1:1", Name: "*.internal"}, "name: is not a host's name"},
		"all that is wrong, and a file that is not there": {Config{Address: "x", Name: "*", TokensFile: "none"}, "address: is not ip:port\nname: is not a host's name\ntoken file: stat none: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := New(tc.config)
			if tc.want == "" {
				require.NoError(t, err)
				require.NotNil(t, g)
				return
			}
			require.EqualError(t, err, tc.want)
			require.Nil(t, g)
		})
	}
}

// TestRoles: who may do what, by method and path, with the tokens of a file and of a user pool, and the sessions of both.
func TestRoles(t *testing.T) {
	clock := newClock()
	pool := startPool(t, clock, "us-east-1_Operators")
	f := start(t, pool.configure(t, clock))
	cookie := func(body map[string]string) map[string]string {
		a := f.signIn(t, body)
		require.Equal(t, 200, a.status, a.body)
		return map[string]string{"Cookie": a.cookie.Name + "=" + a.cookie.Value}
	}
	header := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	credentials := map[string]struct {
		header map[string]string
		role   Role
		id     Identity
		denied string // the code, for nobody
	}{
		"a viewer's token":              {header(viewerToken), Viewer, Identity{Name: "vera", Via: ViaToken}, ""},
		"an operator's token":           {header(operatorToken), Operator, Identity{Name: "olaf", Via: ViaToken}, ""},
		"bearer in small letters":       {map[string]string{"Authorization": "bearer " + operatorToken}, Operator, Identity{Name: "olaf", Via: ViaToken}, ""},
		"a viewer of the pool":          {header(pool.token(t, consoleClient, "viewers")), Viewer, Identity{Name: "viewers", Via: ViaCognito}, ""},
		"an operator of the pool":       {header(pool.token(t, consoleClient, "operators")), Operator, Identity{Name: "operators", Via: ViaCognito}, ""},
		"a member of both groups":       {header(pool.token(t, consoleClient, "both")), Operator, Identity{Name: "both", Via: ViaCognito}, ""},
		"a viewer's session":            {cookie(map[string]string{"token": viewerToken}), Viewer, Identity{Name: "vera", Via: ViaToken}, ""},
		"an operator's session":         {cookie(map[string]string{"token": operatorToken}), Operator, Identity{Name: "olaf", Via: ViaToken}, ""},
		"a session of a viewer":         {cookie(map[string]string{"username": "viewers", "password": password}), Viewer, Identity{Name: "viewers", Via: ViaCognito}, ""},
		"a session of an operator":      {cookie(map[string]string{"username": "operators", "password": password}), Operator, Identity{Name: "operators", Via: ViaCognito}, ""},
		"nothing":                       {nil, Nobody, Identity{}, "unauthorized"},
		"a token of nobody":             {header(strangerToken), Nobody, Identity{}, "unauthorized"},
		"a token that is cut":           {header(operatorToken[:len(operatorToken)-1]), Nobody, Identity{}, "unauthorized"},
		"a token with more":             {header(operatorToken + "x"), Nobody, Identity{}, "unauthorized"},
		"no token":                      {map[string]string{"Authorization": "Bearer "}, Nobody, Identity{}, "unauthorized"},
		"a token without its scheme":    {map[string]string{"Authorization": operatorToken}, Nobody, Identity{}, "unauthorized"},
		"another scheme":                {map[string]string{"Authorization": "Basic " + operatorToken}, Nobody, Identity{}, "unauthorized"},
		"a scheme as long as ours":      {map[string]string{"Authorization": "Secret " + operatorToken}, Nobody, Identity{}, "unauthorized"},
		"two tokens":                    {map[string]string{"Authorization": "Bearer " + operatorToken + ", Bearer " + operatorToken}, Nobody, Identity{}, "unauthorized"},
		"a cookie of nobody":            {map[string]string{"Cookie": "__Host-adsidecar_session=" + strangerToken}, Nobody, Identity{}, "unauthorized"},
		"a token as the cookie":         {map[string]string{"Cookie": "__Host-adsidecar_session=" + operatorToken}, Nobody, Identity{}, "unauthorized"},
		"an empty cookie":               {map[string]string{"Cookie": "__Host-adsidecar_session="}, Nobody, Identity{}, "unauthorized"},
		"a user in no group":            {header(pool.token(t, consoleClient, "nobody")), Nobody, Identity{}, "not_a_member"},
		"a player":                      {header(pool.token(t, consoleClient, "players")), Nobody, Identity{}, "not_a_member"},
		"groups with similar names":     {header(pool.token(t, consoleClient, "nearly")), Nobody, Identity{}, "not_a_member"},
		"an operator's token of a game": {header(pool.token(t, otherClient, "operators")), Nobody, Identity{}, "forbidden"},
		"another pool's token": {
			header(startPool(t, clock, "us-east-1_Players").token(t, consoleClient, "operators")), Nobody, Identity{}, "unauthorized",
		},
	}
	// A header that does not let in is not made up for by a cookie that would.
	both := cookie(map[string]string{"token": operatorToken})
	both["Authorization"] = "Bearer " + strangerToken
	twice := cookie(map[string]string{"token": operatorToken})
	twice["Cookie"] += "; " + twice["Cookie"]
	credentials["a good session and a wrong token"] = credentials["a token of nobody"]
	c := credentials["a token of nobody"]
	c.header = both
	credentials["a good session and a wrong token"] = c
	c.header = twice
	credentials["two cookies"] = c

	for name, c := range credentials {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/", "/metrics", "/api/v1/status", "/api/v1/campaigns/1?dry_run=true", "/healthz/", "/sign-in/x"} {
				for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"} {
					a := f.do(t, request{method: method, path: path, header: c.header})
					reads := method == "GET" || method == "HEAD"
					switch {
					case c.role == Operator, c.role == Viewer && reads:
						require.Equal(t, 200, a.status, "%s %s", method, path)
						if method != "HEAD" {
							id := a.identity(t)
							require.Equal(t, c.id.Name, id.Name)
							require.Equal(t, c.id.Via, id.Via)
							require.Equal(t, c.role.String(), id.Role)
						}
					case c.role == Viewer:
						require.Equal(t, 403, a.status, "%s %s", method, path)
						require.Equal(t, "read_only", a.code(t))
					default:
						want := map[string]int{"unauthorized": 401, "not_a_member": 403, "forbidden": 403}[c.denied]
						require.Equal(t, want, a.status, "%s %s", method, path)
						require.Equal(t, want == 401, a.header.Get("WWW-Authenticate") != "")
						if method != "HEAD" {
							require.Equal(t, c.denied, a.code(t))
						}
					}
				}
			}
			for _, path := range []string{"/healthz", "/readyz", SignInPath} {
				a := f.do(t, request{path: path, header: c.header})
				require.Equal(t, 200, a.status)
				require.Equal(t, "public", a.body)
				if c.role == Nobody {
					require.NotEqual(t, 200, f.do(t, request{method: "POST", path: path, header: c.header}).status)
				}
			}
		})
	}
}

func TestATokenOfThePoolExpires(t *testing.T) {
	clock := newClock()
	pool := startPool(t, clock, "us-east-1_Operators")
	f := start(t, pool.configure(t, clock))
	q := bearerOf("GET", "/", "Bearer "+pool.token(t, consoleClient, "operators"))
	require.Equal(t, 200, f.do(t, q).status)
	clock.advance(time.Hour + 2*time.Minute)
	require.Equal(t, 401, f.do(t, q).status)
}

func TestTokensOfAPoolThatIsAwayAreNotTaken(t *testing.T) {
	verifier, err := token.New(token.Config{Issuer: "i", JWKSURL: "http://127.0.0.1:1/", ClientIDs: []string{"c"}, Uses: []string{"id"}})
	require.NoError(t, err)
	f := start(t, func(c *Config) { c.Tokens, c.ViewersGroup, c.OperatorsGroup = verifier, "viewers", "operators" })
	a := f.do(t, bearerOf("GET", "/", "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA"))
	require.Equal(t, 503, a.status)
	require.Equal(t, "user_pool_unavailable", a.code(t))
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, 200, f.do(t, bearerOf("GET", "/", "Bearer "+viewerToken)).status, "those of the file are")
}

func TestTwoAuthorizationHeadersAreNone(t *testing.T) {
	f := start(t)
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.Header["Authorization"] = []string{"Bearer " + operatorToken, "Bearer " + operatorToken}
	_, err := f.guard.authenticate(r)
	require.ErrorIs(t, err, errUnauthorized)
}

func TestCrossOriginWritesAreRefused(t *testing.T) {
	f := start(t, func(c *Config) { c.Address, c.TokensFile = "127.0.0.1:1", "" })
	for name, tc := range map[string]struct {
		header map[string]string
		taken  bool
	}{
		"no browser":                      {nil, true},
		"a page of ours":                  {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://ads.internal"}, true},
		"a page of ours in an old one":    {map[string]string{"Origin": "http://ads.internal"}, true},
		"typed into the address bar":      {map[string]string{"Sec-Fetch-Site": "none"}, true},
		"another site":                    {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example.com"}, false},
		"another site that is a neighbor": {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://evil.internal"}, false},
		"another site in an old browser":  {map[string]string{"Origin": "http://evil.example.com"}, false},
		"another port in an old browser":  {map[string]string{"Origin": "http://ads.internal:8000"}, false},
		"a page without an origin":        {map[string]string{"Origin": "null"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, q := range []request{
				{method: "POST", path: "/api/v1/campaigns"},
				{method: "PUT", path: "/api/v1/campaigns/1"},
				{method: "PATCH", path: "/api/v1/campaigns/1"},
				{method: "DELETE", path: "/api/v1/campaigns/1"},
				{method: "DELETE", path: SessionPath},
				{method: "POST", path: SignOutPath},
				{method: "POST", path: SessionPath},
			} {
				q.header, q.host = tc.header, "ads.internal"
				a := f.do(t, q)
				if tc.taken {
					require.NotEqual(t, 403, a.status)
					continue
				}
				require.Equal(t, 403, a.status)
				require.Equal(t, "cross_origin", a.code(t))
				require.Nil(t, a.cookie)
			}
		})
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	f := start(t)
	for name, q := range map[string]request{
		"public": {path: "/healthz"}, "protected": bearerOf("GET", "/", "Bearer "+viewerToken), "refused": {path: "/"},
		"misdirected": {path: "/", host: "x"}, "cross-origin": {method: "POST", path: "/", header: map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"a redirect": {path: "/", header: map[string]string{"Accept": "text/html"}},
		"signed out": {method: "POST", path: "/", header: map[string]string{"Accept": "text/html"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := f.do(t, q).header
			require.Equal(t, "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'", h.Get("Content-Security-Policy"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, "DENY", h.Get("X-Frame-Options"))
		})
	}
}

func TestBrowsersAreSentToTheSignInPage(t *testing.T) {
	f := start(t)
	browser := map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
	for path, want := range map[string]string{
		"/": "/sign-in?next=%2F", "/campaigns?text=a&state=b": "/sign-in?next=%2Fcampaigns%3Ftext%3Da%26state%3Db", "//evil.example.com": "/sign-in?next=%2F%2Fevil.example.com",
	} {
		a := f.do(t, request{path: path, header: browser})
		require.Equal(t, 303, a.status)
		require.Equal(t, want, a.header.Get("Location"))
	}
	require.Equal(t, 401, f.do(t, request{method: "POST", path: "/", header: browser}).status, "a write would be lost")
	require.Equal(t, 401, f.do(t, request{path: "/", header: map[string]string{"Accept": "application/json"}}).status)
	require.Equal(t, 401, f.do(t, request{path: "/"}).status)
}

func TestWithoutCredentialsEverybodyOnLoopbackIsLocal(t *testing.T) {
	f := start(t, func(c *Config) {
		c.Address, c.TokensFile = "127.0.0.1:1", ""
		c.LocalUser = func(client, server netip.AddrPort) string {
			if client == server || !client.Addr().IsLoopback() || !server.Addr().IsLoopback() {
				return "?"
			}
			return "alice"
		}
	})
	require.Equal(t, "local", f.do(t, request{path: "/"}).identity(t).Name)
	page := map[string]string{"Accept": "text/html"} // which shows who the audit will tell
	for _, q := range []request{{path: SessionPath}, {method: "POST", path: "/"}, {path: "/", header: page}} {
		id := f.do(t, q).identity(t)
		require.Equal(t, "local:alice", id.Name)
		require.Equal(t, "operator", id.Role)
		require.Equal(t, "loopback", id.Via)
		require.Empty(t, id.Expires)
	}
	a := f.signIn(t, map[string]string{"token": operatorToken})
	require.Equal(t, 404, a.status)
	require.Equal(t, "no_credentials", a.code(t))
}

func TestEveryChangeIsLogged(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	path := filepath.Join(t.TempDir(), "tokens")
	(&fixture{file: path}).write(t, tokenLines)
	g, err := New(Config{Address: "127.0.0.1:1", TokensFile: path, Logger: zap.New(core)})
	require.NoError(t, err)
	var flushed error = http.ErrNotSupported
	h := g.Handler(http.NewServeMux(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/taken":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
		case "/failed":
			w.WriteHeader(http.StatusOK)
			Failed(r.Context(), http.StatusUnprocessableEntity)
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/written":
			_, _ = w.Write([]byte("x"))
			flushed = http.NewResponseController(w).Flush()
		}
	}))
	send := func(method, path, token string) {
		r := httptest.NewRequest(method, "http://localhost"+path+"?secret=hunter2", nil)
		r.RemoteAddr = "10.0.0.9:1234"
		r.Header.Set("Authorization", "Bearer "+token)
		defer func() { _ = recover() }() // as net/http does
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	line := func(message, who, role, method, path string) map[string]any {
		return map[string]any{"message": message, "who": who, "role": role, "via": "token", "client": "10.0.0.9", "method": method, "path": path}
	}
	for _, tc := range []struct {
		method, path, token string
		want                map[string]any
		status              any
	}{
		{"POST", "/written", operatorToken, line("change", "olaf", "operator", "POST", "/written"), int64(200)},
		{"PATCH", "/panic", operatorToken, line("change", "olaf", "operator", "PATCH", "/panic"), int64(0)},
		{"DELETE", "/nothing", operatorToken, line("change", "olaf", "operator", "DELETE", "/nothing"), int64(200)},
		{"POST", "/taken", operatorToken, line("change", "olaf", "operator", "POST", "/taken"), int64(201)},
		{"POST", "/failed", operatorToken, func() map[string]any {
			failed := line("change", "olaf", "operator", "POST", "/failed")
			failed["failed_status"] = int64(422)
			return failed
		}(), int64(200)},
		{"PUT", "/x", viewerToken, line("change refused", "vera", "viewer", "PUT", "/x"), nil},
		{"GET", "/x", operatorToken, nil, nil},
		{"PUT", "/x", strangerToken, map[string]any{"message": "token refused", "client": "10.0.0.9", "error": "unauthorized"}, nil},
	} {
		send(tc.method, tc.path, tc.token)
		entries := logs.TakeAll()
		if tc.want == nil {
			require.Empty(t, entries, tc.path)
			continue
		}
		require.Len(t, entries, 1, tc.path)
		got := entries[0].ContextMap()
		got["message"] = entries[0].Message
		if tc.status != nil {
			require.Equal(t, tc.status, got["status"], tc.path)
			delete(got, "status")
		}
		require.Equal(t, tc.want, got)
	}
	require.NoError(t, flushed, "what is around the writer can be looked through")
}

func TestMetricsOnly(t *testing.T) {
	h := MetricsOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("metrics")) }))
	for path, want := range map[string]int{"/metrics": 200, "/": 404, "/api/v1/status": 404, "/metrics/x": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, want, w.Code, path)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/metrics", nil))
	require.Equal(t, 405, w.Code)
}

// TestLocalUser asks the system who has the other end of a connection: we do.
func TestLocalUser(t *testing.T) {
	me, err := user.Current()
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	client, server := netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String())
	require.Equal(t, me.Username, LocalUser(client, server))
	require.Empty(t, LocalUser(client, client), "no such connection")
}
