package access

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/token"
	"adsidecar/users/account"
)

func TestTheCookie(t *testing.T) {
	for tls, name := range map[bool]string{true: "__Host-adsidecar_session", false: "adsidecar_session"} {
		f := start(t, func(c *Config) { c.TLS = tls })
		c := f.signIn(t, map[string]string{"token": operatorToken}).cookie
		require.Equal(t, name, c.Name)
		require.True(t, c.HttpOnly)
		require.True(t, c.Secure)
		require.Equal(t, http.SameSiteStrictMode, c.SameSite)
		require.Equal(t, "/", c.Path)
		require.Empty(t, c.Domain)
		require.Equal(t, 8*3600, c.MaxAge)
		require.Len(t, c.Value, 43, "256 bits")

		gone := f.do(t, f.withCookie("DELETE", SessionPath, c)).cookie
		require.Equal(t, name, gone.Name)
		require.Empty(t, gone.Value)
		require.Negative(t, gone.MaxAge)
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
		ids[i], _, err = ss.open(session{})
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
			for range 2 * failuresEach {
				a := f.signIn(t, map[string]string{"username": "a", "password": password})
				if tc.status == 429 && a.code(t) == "too_many_failures" {
					return // a locked user is no way to guess on
				}
				require.Equal(t, tc.status, a.status)
				require.Equal(t, tc.code, a.code(t))
			}
			require.Equal(t, 2*failuresEach, f.logs.FilterMessage("sign-in failed").Len(), "not the client's failures: none is held against it")
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

func TestBruteForceIsSlowedDown(t *testing.T) {
	f := start(t)
	guess := func() answer { return f.signIn(t, map[string]string{"token": strangerToken}) }
	var mu sync.Mutex
	refused := map[int]int{}
	var all sync.WaitGroup
	for range 3 * failuresEach { // at once: none slips through between the look and the count
		all.Go(func() {
			wait := f.guard.failures.take(netip.MustParseAddr("10.0.0.1"), f.now())
			mu.Lock()
			defer mu.Unlock()
			if wait > 0 {
				refused[429]++
			} else {
				refused[401]++
			}
		})
	}
	all.Wait()
	require.Equal(t, map[int]int{401: failuresEach, 429: 2 * failuresEach}, refused)

	for range failuresEach {
		require.Equal(t, 401, guess().status)
	}
	a := guess()
	require.Equal(t, 429, a.status)
	require.Equal(t, "too_many_failures", a.code(t))
	require.Equal(t, "6", a.header.Get("Retry-After"))
	a = f.signIn(t, map[string]string{"token": operatorToken})
	require.Equal(t, 429, a.status, "nor is a right guess told from a wrong one")
	require.Nil(t, a.cookie)
	require.Equal(t, 200, f.do(t, bearerOf("POST", "/", "Bearer "+operatorToken)).status, "the API goes on")
	f.advance(6 * time.Second)
	require.Equal(t, 200, f.signIn(t, map[string]string{"token": operatorToken}).status)
	for range 3 * failuresEach {
		require.Equal(t, 200, f.signIn(t, map[string]string{"token": operatorToken}).status, "what succeeds does not count")
	}
	require.Equal(t, 401, guess().status)
	require.Equal(t, 429, guess().status, "and does not wipe out what failed")
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
