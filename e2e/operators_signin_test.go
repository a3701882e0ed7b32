package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// The operators' pool has one user of each kind, all with a password of their own.
const (
	operatorUser, viewerUser, nobodyUser = "olga", "vera", "nadia"

	operatorPassword = "olgas-pass-4711"
	viewerPassword   = "veras-pass-0815"
	nobodyPassword   = "nadias-pass-1234"
)

// operatorsPool makes a user pool of its own for the operators, and returns admin.cognito of a gateway's configuration.
func operatorsPool(t *testing.T) (pool *stack.Pool, clientID, config string) {
	t.Helper()
	ctx := deadline(t, time.Minute)
	pool, err := moto.Pool(ctx, "operators-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	require.NoError(t, err)
	clientID, secret, err := pool.SecretClient(ctx, "console")
	require.NoError(t, err)
	for user, password := range map[string]string{operatorUser: operatorPassword, viewerUser: viewerPassword, nobodyUser: nobodyPassword} {
		require.NoError(t, pool.User(ctx, user, password))
	}
	require.NoError(t, pool.Group(ctx, "operators", operatorUser))
	require.NoError(t, pool.Group(ctx, "viewers", viewerUser))
	require.NoError(t, pool.Group(ctx, "players", nobodyUser))
	file := filepath.Join(files(t, map[string]string{"secret": secret}), "secret")
	return pool, clientID, fmt.Sprintf("cognito: {issuer: %q, jwks_url: %q, client_id: %q, client_secret_file: %q, endpoint: %q}",
		pool.Issuer, pool.JWKSURL, clientID, file, moto.Endpoint)
}

// openPlane is a control plane whose admin address is reached from everywhere, by TLS.
type openPlane struct {
	*stack.Process
	base, caFile string
	roots        *x509.CertPool
}

// startOpenPlane starts a stack whose operators are of a user pool, and its control plane and Envoy.
func startOpenPlane(t *testing.T, cognito string) (*stack.Stack, *openPlane) {
	t.Helper()
	port, err := stack.ReservePort()
	require.NoError(t, err)
	t.Cleanup(port.Release)
	ca := newAuthority(t, "operators")
	cert, key := ca.issue(t, "admin", 2, "ads.internal", "127.0.0.1")
	s := start(t, stack.Options{
		Campaigns: document(t, ad("a", "us", "eng")), NoControlPlane: true, NoEnvoy: true,
		Gateway: fmt.Sprintf("admin: {address: \"0.0.0.0:%d\", name: ads.internal, tls: {cert_file: %q, key_file: %q}, %s}", port.Number, cert, key, cognito),
	})
	c := s.ControlPlane()
	p := &openPlane{base: fmt.Sprintf("https://127.0.0.1:%d", port.Number), caFile: ca.caFile, roots: x509.NewCertPool()}
	text, err := os.ReadFile(ca.caFile)
	require.NoError(t, err)
	require.True(t, p.roots.AppendCertsFromPEM(text))
	// Not by the stack, which waits for plain HTTP.
	p.Process, err = stack.StartProcess(stack.Command{
		Name: c.Name, Path: programs.Adsidecar, Args: []string{"serve", "--config", c.ConfigFile, "--log-level", "debug"}, LogFile: c.LogFile,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop(10*time.Second)) })
	b := p.browser(t)
	require.NoError(t, p.WaitFor(deadline(t, 20*time.Second), "ready", func(ctx context.Context) error {
		a, err := b.do(ctx, http.MethodGet, "/readyz", nil, "")
		if err == nil && a.Status != http.StatusOK {
			err = errors.New(a.String())
		}
		return err
	}))
	_, err = s.AddEnvoy(t.Context(), stack.EnvoyOptions{})
	require.NoError(t, err)
	require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
	return s, p
}

// browser keeps cookies as one does, and follows no redirect.
type browser struct {
	http.Client
	base string
}

func (p *openPlane) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{base: p.base, Client: http.Client{
		Timeout: 20 * time.Second, Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do sends a request as a page of ours makes it, and reads the answer.
func (b *browser) do(ctx context.Context, method, path string, header http.Header, body string) (*stack.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Origin", b.base)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	a := &stack.Answer{Status: res.StatusCode, Header: res.Header}
	a.Body, err = io.ReadAll(res.Body)
	return a, err
}

// ask is do for a JSON body, and checks the status of the answer.
func (b *browser) ask(t *testing.T, method, path, bearer string, body any, status int) *stack.Answer {
	t.Helper()
	header, text := http.Header{}, ""
	if bearer != "" {
		header.Set("Authorization", "Bearer "+bearer)
	}
	if body != nil {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		header.Set("Content-Type", "application/json")
		text = string(data)
	}
	a, err := b.do(deadline(t, 20*time.Second), method, path, header, text)
	require.NoError(t, err)
	require.Equal(t, status, a.Status, "%s %s: %s", method, path, a)
	return a
}

var formAction = regexp.MustCompile(`<form method="post" action="([^"]+)"[^>]*>\s*<input type="hidden" name="next" value="([^"]*)">\s*<label>Name <input name="username"[\s\S]*?name="password" type="password"`)

// signIn asks for a page, is sent to the one to sign in on, and sends its form. It returns the cookie, if there was one, and where to go.
func (b *browser) signIn(t *testing.T, user, password string) (cookie *http.Cookie, next string) {
	t.Helper()
	pages := http.Header{"Accept": {"text/html"}}
	a, err := b.do(deadline(t, 20*time.Second), http.MethodGet, "/campaigns?state=paused", pages, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, a.Status)
	a, err = b.do(deadline(t, 20*time.Second), http.MethodGet, a.Header.Get("Location"), pages, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
	form := formAction.FindStringSubmatch(string(a.Body))
	require.NotNil(t, form, "%s", a.Body)
	a, err = b.do(deadline(t, 20*time.Second), http.MethodPost, form[1], http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		url.Values{"username": {user}, "password": {password}, "next": {html.UnescapeString(form[2])}}.Encode())
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, a.Status, a)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		require.Nil(t, cookie, "one cookie")
		cookie = c
	}
	return cookie, a.Header.Get("Location")
}

// TestOperatorsOfAUserPool: who is in the operators' group of a user pool signs in on the page, or brings the pool's token, and changes what
// Envoys serve; a viewer looks; nobody else comes in; and no log has what they came in with.
func TestOperatorsOfAUserPool(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	pool, clientID, config := operatorsPool(t)
	s, p := startOpenPlane(t, config)
	secrets := []string{operatorPassword, viewerPassword, nobodyPassword, "wrong-" + operatorPassword}
	tokens := func(user, password string) *stack.Tokens {
		got, err := pool.SignIn(deadline(t, 20*time.Second), clientID, user, password)
		require.NoError(t, err)
		secrets = append(secrets, got.AccessToken, got.IDToken)
		return got
	}
	olga, vera, nadia := tokens(operatorUser, operatorPassword), tokens(viewerUser, viewerPassword), tokens(nobodyUser, nobodyPassword)

	t.Run("an operator signs in on the page and writes", func(t *testing.T) {
		b := p.browser(t)
		cookie, next := b.signIn(t, operatorUser, operatorPassword)
		require.Equal(t, "/campaigns?state=paused", next)
		require.NotNil(t, cookie)
		secrets = append(secrets, cookie.Value)
		require.Equal(t, "__Host-adsidecar_session", cookie.Name)
		require.True(t, cookie.Secure && cookie.HttpOnly && cookie.SameSite == http.SameSiteStrictMode, cookie)
		require.Equal(t, "/", cookie.Path)
		require.Empty(t, cookie.Domain)
		require.Equal(t, 8*3600, cookie.MaxAge)

		var who struct{ Name, Role, Via string }
		require.NoError(t, json.Unmarshal(b.ask(t, "GET", "/api/v1/session", "", nil, 200).Body, &who))
		require.Equal(t, struct{ Name, Role, Via string }{operatorUser, "operator", "cognito"}, who)
		require.Contains(t, string(b.ask(t, "GET", next, "", nil, 200).Body), operatorUser)
		b.ask(t, "POST", "/api/v1/campaigns", "", ad("by-cookie", "us", "eng"), 201)
		servedWithin(t, s, "by-cookie", true)

		b.ask(t, "DELETE", "/api/v1/session", "", nil, 204)
		require.Equal(t, "unauthorized", b.ask(t, "GET", "/api/v1/campaigns", "", nil, 401).Code(), "the browser has dropped it")
		again := p.browser(t)
		kept := http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			a, err := again.do(deadline(t, 20*time.Second), method, "/api/v1/campaigns/by-cookie", kept, "")
			require.NoError(t, err)
			require.Equal(t, 401, a.Status, "who has kept the cookie has nothing")
		}
	})
	t.Run("and brings tokens of the pool", func(t *testing.T) {
		b := p.browser(t)
		b.ask(t, "POST", "/api/v1/campaigns", olga.AccessToken, ad("by-access-token", "us", "eng"), 201)
		b.ask(t, "POST", "/api/v1/campaigns", olga.IDToken, ad("by-id-token", "us", "eng"), 201)
		servedWithin(t, s, "by-access-token", true)
		servedWithin(t, s, "by-id-token", true)
		tampered, err := stack.Tampered(olga.AccessToken)
		require.NoError(t, err)
		b.ask(t, "GET", "/api/v1/campaigns", tampered, nil, 401)
	})
	t.Run("and uses the command line", func(t *testing.T) {
		dir := files(t, map[string]string{
			"c.json": string(document(t, ad("by-command", "us", "eng"))), "token": olga.AccessToken + "\n", "viewer": vera.AccessToken, "nobody": nadia.AccessToken,
		})
		run := func(code int, line string) result {
			r := command{dir: dir}.run(t, append(strings.Fields(line), "--server", p.base, "--ca-file", p.caFile)...)
			require.Equal(t, code, r.code, "%s: %s%s", line, r.stdout, r.stderr)
			for _, secret := range secrets {
				require.NotContains(t, r.stdout+r.stderr, secret)
			}
			return r
		}
		run(0, "campaigns apply -f c.json --token-file token")
		servedWithin(t, s, "by-command", true)
		require.Contains(t, run(0, "history --token-file viewer").stdout, operatorUser)
		require.Contains(t, run(1, "campaigns pause a --token-file viewer").stderr, "read_only")
		require.Contains(t, run(1, "history --token-file nobody").stderr, "not_a_member")
		require.Contains(t, run(1, "history").stderr, "unauthorized")
	})
	t.Run("a viewer reads and changes nothing", func(t *testing.T) {
		b := p.browser(t)
		cookie, _ := b.signIn(t, viewerUser, viewerPassword)
		require.NotNil(t, cookie)
		secrets = append(secrets, cookie.Value)
		for _, bearer := range []string{"", vera.AccessToken, vera.IDToken} {
			b.ask(t, "GET", "/api/v1/campaigns", bearer, nil, 200)
			b.ask(t, "GET", "/metrics", bearer, nil, 200)
			require.Equal(t, "read_only", b.ask(t, "POST", "/api/v1/campaigns", bearer, ad("no", "us", "eng"), 403).Code())
			require.Equal(t, "read_only", b.ask(t, "PATCH", "/api/v1/campaigns/a", bearer, map[string]any{"enabled": false}, 403).Code())
		}
		b.ask(t, "GET", "/api/v1/campaigns/no", "", nil, 404)
	})
	t.Run("nobody else comes in", func(t *testing.T) {
		b := p.browser(t)
		for want, who := range map[string][2]string{
			"not_a_member":    {nobodyUser, nobodyPassword},
			"sign_in_refused": {operatorUser, "wrong-" + operatorPassword},
		} {
			cookie, next := b.signIn(t, who[0], who[1])
			require.Nil(t, cookie)
			require.Equal(t, "/sign-in?error="+want+"&next=%2Fcampaigns%3Fstate%3Dpaused", next)
			b.ask(t, "GET", "/api/v1/campaigns", "", nil, 401)
		}
		for _, bearer := range []string{nadia.AccessToken, nadia.IDToken} {
			require.Equal(t, "not_a_member", b.ask(t, "GET", "/api/v1/campaigns", bearer, nil, 403).Code())
		}
		b.ask(t, "GET", "/api/v1/campaigns", s.Token(), nil, 401) // a player's, of another pool
		b.ask(t, "GET", "/api/v1/campaigns", olga.RefreshToken, nil, 401)
	})
	secrets = append(secrets, s.Token(), olga.RefreshToken)
	require.NoError(t, p.Stop(10*time.Second))
	require.NoError(t, s.Envoy().Stop())
	for _, file := range []string{s.ControlPlane().LogFile, s.Envoy().LogFile} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, secret := range secrets {
			require.NotContains(t, string(text), secret, file)
		}
	}
	text, err := os.ReadFile(s.ControlPlane().LogFile)
	require.NoError(t, err)
	for _, told := range []string{`"signed in"`, `"signed out"`, `"sign-in failed"`, `"change refused"`, `"who":"olga"`, `"who":"vera"`} {
		require.Contains(t, string(text), told)
	}
}
