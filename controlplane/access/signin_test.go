package access

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
)

func TestTheCookie(t *testing.T) {
	for name, tc := range map[string]struct {
		tls     bool
		address string
		cookie  string
	}{
		"on loopback":                           {false, "127.0.0.1:1", "adsidecar_session"},
		"by TLS":                                {true, "127.0.0.1:1", "__Host-adsidecar_session"},
		"by TLS beyond loopback":                {true, "0.0.0.0:1", "__Host-adsidecar_session"},
		"beyond loopback, by the TLS of others": {false, "0.0.0.0:1", "__Host-adsidecar_session"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(c *Config) { c.TLS, c.Address = tc.tls, tc.address })
			c := f.signIn(t, map[string]string{"token": operatorToken}).cookie
			require.Equal(t, tc.cookie, c.Name)
			require.True(t, c.HttpOnly)
			require.True(t, c.Secure)
			require.Equal(t, http.SameSiteStrictMode, c.SameSite)
			require.Equal(t, "/", c.Path)
			require.Empty(t, c.Domain)
			require.Equal(t, 8*3600, c.MaxAge)
			require.Len(t, c.Value, 43, "256 bits")

			gone := f.do(t, f.withCookie("DELETE", SessionPath, c)).cookie
			require.Equal(t, tc.cookie, gone.Name)
			require.Empty(t, gone.Value)
			require.Negative(t, gone.MaxAge)
		})
	}
}

func TestASessionFromItsBeginningToItsEnd(t *testing.T) {
	f := start(t)
	first := f.signIn(t, map[string]string{"token": viewerToken})
	id := first.identity(t)
	require.Equal(t, "vera", id.Name)
	require.Equal(t, "viewer", id.Role)
	require.Equal(t, "2026-03-01T20:00:00Z", id.Expires)
	require.Equal(t, id, f.do(t, f.withCookie("GET", SessionPath, first.cookie)).identity(t))
	require.Equal(t, 401, f.do(t, request{path: SessionPath}).status)

	f.advance(8*time.Hour - 1)
	require.Equal(t, 200, f.do(t, f.withCookie("GET", "/", first.cookie)).status)
	f.advance(1)
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", first.cookie)).status, "8 h are over")
	require.Empty(t, f.guard.sessions.byID)

	second := f.signIn(t, map[string]string{"token": operatorToken})
	require.NotEqual(t, first.cookie.Value, second.cookie.Value)
	require.Equal(t, 204, f.do(t, f.withCookie("DELETE", SessionPath, second.cookie)).status)
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", second.cookie)).status, "signed out")
	require.Equal(t, 204, f.do(t, request{method: "DELETE", path: SessionPath}).status, "nobody is signed out as well")

	third := f.signIn(t, map[string]string{"token": operatorToken})
	out := f.do(t, f.withCookie("POST", SignOutPath, third.cookie))
	require.Equal(t, 303, out.status)
	require.Equal(t, SignInPath, out.header.Get("Location"))
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", third.cookie)).status)
	require.Equal(t, 405, f.do(t, request{path: SignOutPath}).status, "a link or an image signs nobody out")
	require.Equal(t, 405, f.do(t, request{method: "PUT", path: SessionPath}).status)

	require.Equal(t, 3, f.logs.FilterMessage("signed in").Len())
	require.Equal(t, 2, f.logs.FilterMessage("signed out").Len())
}

func TestSigningInAgainEndsTheSessionBefore(t *testing.T) {
	f := start(t)
	first := f.signIn(t, map[string]string{"token": viewerToken}).cookie
	q := f.withCookie("POST", SessionPath, first)
	q.header["Content-Type"], q.body = "application/json", `{"token":"`+operatorToken+`"}`
	second := f.do(t, q)
	require.Equal(t, "olaf", second.identity(t).Name)
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", first)).status)
	require.Equal(t, 200, f.do(t, f.withCookie("POST", "/", second.cookie)).status)
}

func TestASessionEndsWithItsToken(t *testing.T) {
	f := start(t)
	vera, olaf := f.signIn(t, map[string]string{"token": viewerToken}).cookie, f.signIn(t, map[string]string{"token": operatorToken}).cookie
	f.write(t, "olaf viewer "+operatorToken)
	f.advance(fileAge)
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", vera)).status, "withdrawn")
	require.Equal(t, 403, f.do(t, f.withCookie("POST", "/", olaf)).status, "no operator any more")
	require.Equal(t, 200, f.do(t, f.withCookie("GET", "/", olaf)).status)
	f.write(t, tokenLines)
	f.advance(fileAge)
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", vera)).status, "over is over")
}

func TestSessionsAreBounded(t *testing.T) {
	c := newClock()
	ss := &sessions{random: bytes.NewReader(make([]byte, 0)), now: c.now, byID: map[secretHash]session{}}
	_, _, err := ss.open(session{})
	require.Error(t, err, "no randomness, no session")
	require.Empty(t, ss.byID)

	ss.random = &counter{}
	ids := make([]string, maxSessions+1)
	for i := range ids {
		ids[i], _, err = ss.open(session{identity: Identity{Name: strconv.Itoa(i % 100)}})
		require.NoError(t, err)
		require.LessOrEqual(t, len(ss.byID), maxSessions)
		c.advance(time.Second)
	}
	_, ok := ss.find(ids[0])
	require.False(t, ok, "the oldest made room")
	for _, id := range ids[1:] {
		_, ok := ss.find(id)
		require.True(t, ok)
	}
	c.advance(sessionLife)
	_, _, err = ss.open(session{})
	require.NoError(t, err)
	require.Len(t, ss.byID, 1, "all that are over made room")
}

// TestSessionsOfOnePushOutNoOthers: a viewer that signs in a thousand times signs nobody else out.
func TestSessionsOfOnePushOutNoOthers(t *testing.T) {
	f := start(t)
	olaf := f.signIn(t, map[string]string{"token": operatorToken}).cookie
	var vera []*http.Cookie
	for range maxSessionsEach + 1 {
		f.advance(time.Second)
		vera = append(vera, f.signIn(t, map[string]string{"token": viewerToken}).cookie)
	}
	require.Equal(t, 200, f.do(t, f.withCookie("GET", "/", olaf)).status)
	require.Equal(t, 401, f.do(t, f.withCookie("GET", "/", vera[0])).status, "the oldest of the same person made room")
	for _, c := range vera[1:] {
		require.Equal(t, 200, f.do(t, f.withCookie("GET", "/", c)).status)
	}
	require.Len(t, f.guard.sessions.byID, maxSessionsEach+1)
}

// counter is randomness that does not repeat.
type counter struct{ n uint64 }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	binary.BigEndian.PutUint64(p, c.n)
	return len(p), nil
}

// flaky is a user pool that fails as it is told.
type flaky struct{ err error }

func (p *flaky) Authenticate(context.Context, string, string) (account.Session, error) {
	return account.Session{}, p.err
}

func TestSignInByPassword(t *testing.T) {
	clock := newClock()
	pool := startPool(t, clock, "us-east-1_Operators")
	f := start(t, pool.configure(t, clock))
	for name, tc := range map[string]struct {
		username, password string
		status             int
		code               string
	}{
		"an operator":          {"operators", password, 200, ""},
		"a viewer":             {"viewers", password, 200, ""},
		"a wrong password":     {"operators", "wrong-" + password, 401, "sign_in_refused"},
		"a user of no pool":    {"mallory", password, 401, "sign_in_refused"},
		"a user in no group":   {"nobody", password, 403, "not_a_member"},
		"a player":             {"players", password, 403, "not_a_member"},
		"a second factor":      {"mfa", password, 403, "challenge_required"},
		"no password":          {"operators", "", 400, "invalid_field"},
		"no user name":         {"", password, 400, "invalid_field"},
		"a password as a name": {password, "x", 401, "sign_in_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.signIn(t, map[string]string{"username": tc.username, "password": tc.password})
			require.Equal(t, tc.status, a.status, a.body)
			if tc.code != "" {
				require.Equal(t, tc.code, a.code(t))
				require.Nil(t, a.cookie)
				return
			}
			require.Equal(t, tc.username, a.identity(t).Name)
			require.Equal(t, "cognito", a.identity(t).Via)
		})
	}
	_, there := pool.User("mallory")
	require.False(t, there, "nobody is signed up")
	require.NotContains(t, pool.Calls(), "SignUp")
}

func TestFailuresOfThePool(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"it is away":           {account.ErrUnavailable, 503, "user_pool_unavailable"},
		"it is throttled":      {account.ErrThrottled, 429, "too_many_requests"},
		"it is set up wrongly": {errors.New("AccessDeniedException"), 500, "internal"},
		"its token is refused": {nil, 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(c *Config) {
				c.Tokens, c.Passwords, c.ViewersGroup, c.OperatorsGroup = refusing{}, &flaky{tc.err}, "v", "o"
			})
			for i := range 20 {
				a := f.signIn(t, map[string]string{"username": "a", "password": password})
				if tc.status == 429 && i >= 10 {
					require.Equal(t, "too_many_failures", a.code(t), "it looked at no password, and is asked no more often for that")
					continue
				}
				require.Equal(t, tc.status, a.status)
				require.Equal(t, tc.code, a.code(t))
			}
			if tc.status != 429 {
				require.Equal(t, 20, f.logs.FilterMessage("sign-in failed").Len(), "not the client's failures: none is held against it")
			}
		})
	}
}

type refusing struct{}

func (refusing) Verify(context.Context, string) (token.Claims, error) {
	return token.Claims{}, token.ErrUnauthorized
}

func TestBodiesOfASignIn(t *testing.T) {
	f := start(t)
	const form, js = "application/x-www-form-urlencoded", "application/json"
	for name, tc := range map[string]struct {
		media, body string
		status      int
		code        string
	}{
		"JSON":                         {js + "; charset=utf-8", `{"token":"` + viewerToken + `"}`, 200, ""},
		"nothing":                      {js, "", 400, "invalid_body"},
		"an empty object":              {js, "{}", 400, "invalid_body"},
		"an unknown member":            {js, `{"token":"` + viewerToken + `","role":"operator"}`, 400, "invalid_body"},
		"a member twice":               {js, `{"token":"a","token":"` + viewerToken + `"}`, 400, "invalid_body"},
		"two objects":                  {js, `{"token":"` + viewerToken + `"}{}`, 400, "invalid_body"},
		"a number as the token":        {js, `{"token":1}`, 400, "invalid_body"},
		"a list":                       {js, `[]`, 400, "invalid_body"},
		"both kinds":                   {js, `{"token":"` + viewerToken + `","username":"a","password":"b"}`, 400, "invalid_body"},
		"a password without a pool":    {js, `{"username":"a","password":"b"}`, 400, "no_passwords"},
		"too large":                    {js, `{"token":"` + strings.Repeat("x", maxSignInBody) + `"}`, 413, "body_too_large"},
		"a wrong token":                {js, `{"token":"` + strangerToken + `"}`, 401, "sign_in_refused"},
		"another type":                 {"text/plain", `{"token":"` + viewerToken + `"}`, 415, "unsupported_media_type"},
		"no type":                      {"", `{"token":"` + viewerToken + `"}`, 415, "unsupported_media_type"},
		"a form of several parts":      {"multipart/form-data; boundary=x", "--x--", 415, "unsupported_media_type"},
		"a form":                       {form, "token=" + viewerToken, 303, "/"},
		"a form with a path":           {form, "token=" + viewerToken + "&next=" + url.QueryEscape("/campaigns?text=a b"), 303, "/"},
		"a form with a good path":      {form, "token=" + viewerToken + "&next=" + url.QueryEscape("/campaigns?text=a+b"), 303, "/campaigns?text=a+b"},
		"a form that leads elsewhere":  {form, "token=" + viewerToken + "&next=//evil.example.com", 303, "/"},
		"a form with a wrong token":    {form, "token=" + strangerToken + "&next=/campaigns", 303, "/sign-in?error=sign_in_refused&next=%2Fcampaigns"},
		"a form that is none":          {form, "token=%zz", 303, "/sign-in?error=invalid_body"},
		"a form that is too large":     {form, "token=" + strings.Repeat("x", maxSignInBody), 303, "/sign-in?error=body_too_large"},
		"a form and a token in a path": {form, "", 303, "/sign-in?error=invalid_body"},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{}
			if tc.media != "" {
				header["Content-Type"] = tc.media
			}
			f.advance(time.Minute) // no limit here
			a := f.do(t, request{method: "POST", path: SessionPath + "?token=" + viewerToken, header: header, body: tc.body})
			require.Equal(t, tc.status, a.status, a.body)
			good := tc.status == 200 || tc.status == 303 && !strings.HasPrefix(tc.code, SignInPath)
			require.Equal(t, good, a.cookie != nil)
			switch {
			case tc.status == 303:
				require.Equal(t, tc.code, a.header.Get("Location"))
			case tc.code != "":
				require.Equal(t, tc.code, a.code(t))
			}
		})
	}
}

func TestEncodedCredentialsAreNotRead(t *testing.T) {
	f := start(t)
	header := map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}
	a := f.do(t, request{method: "POST", path: SessionPath, header: header, body: `{"token":"` + viewerToken + `"}`})
	require.Equal(t, http.StatusUnsupportedMediaType, a.status)
	require.Equal(t, "unsupported_media_type", a.code(t))
	require.Equal(t, "identity", a.header.Get("Accept-Encoding"))
	header["Content-Encoding"] = "identity"
	require.Equal(t, http.StatusOK, f.do(t, request{method: "POST", path: SessionPath, header: header, body: `{"token":"` + viewerToken + `"}`}).status)
}

func TestWrongTokensAreSlowedDownAndRightOnesAreNot(t *testing.T) {
	f := start(t)
	guess := func() answer { return f.signIn(t, map[string]string{"token": strangerToken}) }
	for range 10 {
		require.Equal(t, 401, guess().status)
	}
	a := guess()
	require.Equal(t, 429, a.status)
	require.Equal(t, "too_many_failures", a.code(t))
	require.Equal(t, "6", a.header.Get("Retry-After"))
	for range 30 {
		require.Equal(t, 200, f.signIn(t, map[string]string{"token": operatorToken}).status, "from the same address, and it does not count")
		require.Equal(t, 200, f.do(t, bearerOf("POST", "/", "Bearer "+operatorToken)).status)
	}
	require.Equal(t, 429, guess().status, "and does not wipe out what failed")
	f.advance(6 * time.Second)
	require.Equal(t, 401, guess().status)
	require.Equal(t, 429, guess().status)
	require.Equal(t, 11, f.logs.FilterMessage("sign-in failed").Len(), "what is not looked at is not logged")

	for range 30 {
		require.Equal(t, 401, f.do(t, bearerOf("GET", "/", "Bearer "+strangerToken)).status)
	}
	require.Equal(t, 10, f.logs.FilterMessage("token refused").Len(), "wrong tokens do not fill the log")
}

func TestWrongPasswordsAreSlowedDown(t *testing.T) {
	clock := newClock()
	pool := startPool(t, clock, "us-east-1_Operators")
	f := start(t, pool.configure(t, clock), func(c *Config) { c.TrustedHops = 1 })
	signIn := func(from, name, password string) answer {
		return f.do(t, request{
			method: "POST", path: SessionPath, body: `{"username":"` + name + `","password":"` + password + `"}`,
			header: map[string]string{"Content-Type": "application/json", "X-Forwarded-For": from},
		})
	}
	session := signIn("198.51.100.7", "viewers", password)
	require.Equal(t, 200, session.status)
	before := len(pool.Calls())
	for range 4 {
		require.Equal(t, 401, signIn("203.0.113.9", "operators", "wrong-"+password).status)
	}
	require.Equal(t, 429, signIn("203.0.113.9", "operators", "wrong-"+password).status)
	a := signIn("203.0.113.9", "OPERATORS", password)
	require.Equal(t, 429, a.status, "nor is a right guess told from a wrong one")
	require.Equal(t, "too_many_failures", a.code(t))
	require.Equal(t, "3840", a.header.Get("Retry-After"))
	require.Nil(t, a.cookie)
	require.Len(t, pool.Calls(), before+4, "the pool is asked once for each password, and not at all for those")

	require.Equal(t, 200, signIn("192.0.2.1", "operators", password).status, "the user is not locked, here or in the pool")
	require.Equal(t, 200, signIn("203.0.113.9", "viewers", password).status, "nor is anybody else there")
	require.Equal(t, 200, f.do(t, f.withCookie("GET", "/", session.cookie)).status, "and who is signed in notices nothing")
	for range 10 {
		require.Equal(t, 200, signIn("192.0.2.1", "operators", password).status)
	}
}

func FuzzNextPath(f *testing.F) {
	for _, next := range []string{"", "/", "/a?b=c#d", "//x", "/\\x", "\\\\x", "/\t/x", "https://x", "javascript:alert(1)", "/%2f%2fx", "/..//x", "/é", "x"} {
		f.Add(next)
	}
	origin, err := url.Parse("https://ads.internal/sign-in")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, next string) {
		got := nextPath(next)
		require.Contains(t, []string{next, "/"}, got)
		target, err := url.Parse(got)
		if err != nil {
			return // a path that is answered with a 400 by whoever it is, and that is us
		}
		to := origin.ResolveReference(target)
		require.Equal(t, "https", to.Scheme)
		require.Equal(t, "ads.internal", to.Host)
		require.NotContains(t, got, "\\")
	})
}

func FuzzSocketTable(f *testing.F) {
	f.Add("  sl  local_address rem_address\n   0: 0100007F:0001 0100007F:0002 01 0:0 0:0 0 1000 0 1\n")
	f.Add("0: 0000000000000000FFFF00000100007F:0001 0000000000000000FFFF00000100007F:0002 01 0:0 0:0 0 0 0 1")
	f.Add("0: 0100007F 0: 0 0 0 0 -1")
	client, server := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	f.Fuzz(func(t *testing.T, table string) {
		uid, ok := findSocket(strings.NewReader(table), client, server)
		require.Equal(t, ok, uid != "")
		require.Empty(t, strings.Trim(uid, "0123456789"))
	})
}
