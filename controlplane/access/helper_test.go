package access

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/internal/awsclient"
	"adsidecar/internal/cognito"
	"adsidecar/internal/cognito/strictfake"
	"adsidecar/internal/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	viewerToken   = "viewer-0123456789abcdef0123456789abcdef"
	operatorToken = "operator-0123456789abcdef0123456789abcdef"
	strangerToken = "stranger-0123456789abcdef0123456789abcdef"
	tokenLines    = "# who reads, who writes\nvera viewer " + viewerToken + "\n\nolaf\toperator " + operatorToken + "\n"

	consoleClient = "console"
	clientSecret  = "s3cr3toftheconsoleclient"
	otherClient   = "game"
	password      = "correct-horse-battery"
)

// clock is a clock that tests move.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// fixture is a guard on a server. What it logs is searched for secrets at the end.
type fixture struct {
	*clock
	url   string
	file  string
	guard *Guard
	logs  *observer.ObservedLogs
	// secrets must be in no line of the log: all credentials, right and wrong, and the cookies that were handed out.
	secrets []string
}

// start serves a guard with the tokens' file. The protected handler answers with who asks.
func start(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{clock: newClock(), secrets: []string{viewerToken, operatorToken, strangerToken, password, clientSecret, "eyJ"}}
	f.file = filepath.Join(t.TempDir(), "tokens")
	f.write(t, tokenLines)
	core, logs := observer.New(zap.DebugLevel)
	f.logs = logs
	c := Config{
		Address: "0.0.0.0:1", Name: "ads.internal", TokensFile: f.file, Logger: zap.New(core), Now: f.now,
		LocalUser: func(netip.AddrPort, netip.AddrPort) string { return "" },
	}
	for _, apply := range change {
		apply(&c)
	}
	var err error
	f.guard, err = New(c)
	require.NoError(t, err)
	server := httptest.NewServer(f.guard.Handler(public(), http.HandlerFunc(echo)))
	f.url = server.URL
	t.Cleanup(func() {
		server.Close()
		f.requireNoSecrets(t)
	})
	return f
}

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (f *fixture) write(t testing.TB, lines string) {
	t.Helper()
	next := f.file + ".next" // another file each time: no two have the same time and size
	require.NoError(t, os.WriteFile(next, []byte(lines), 0o600))
	require.NoError(t, os.Rename(next, f.file))
}

func (f *fixture) requireNoSecrets(t testing.TB) {
	t.Helper()
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, entry := range f.logs.All() {
		line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
		require.NoError(t, err)
		for _, secret := range f.secrets {
			require.NotContains(t, line.String(), secret)
		}
	}
}

func public() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{"GET /healthz", "GET /readyz", "GET /sign-in", "GET /assets/"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "public") })
	}
	return mux
}

func echo(w http.ResponseWriter, r *http.Request) {
	if err := json.NewEncoder(w).Encode(From(r.Context())); err != nil {
		panic(err)
	}
}

// request is what a test sends. A header without a value is left out.
type request struct {
	method, path, body string
	header             map[string]string
	host               string
}

// answer is what comes back; redirects are not followed.
type answer struct {
	status int
	header http.Header
	body   string
	cookie *http.Cookie
}

func (f *fixture) do(t testing.TB, q request) answer {
	t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), q.method, f.url+q.path, strings.NewReader(q.body))
	require.NoError(t, err)
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	if q.host != "" {
		req.Host = q.host
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if cookies := resp.Cookies(); len(cookies) > 0 {
		require.Len(t, cookies, 1)
		a.cookie = cookies[0]
		if a.cookie.Value != "" {
			f.secrets = append(f.secrets, a.cookie.Value)
		}
	}
	return a
}

// code is that of an error's body.
func (a answer) code(t testing.TB) string {
	t.Helper()
	var body struct{ Message, Code string }
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	require.NotEmpty(t, body.Message)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	return body.Code
}

func (a answer) identity(t testing.TB) (id struct{ Name, Role, Via, Expires string }) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &id))
	return id
}

func bearerOf(method, path, authorization string) request {
	return request{method: method, path: path, header: map[string]string{"Authorization": authorization}}
}

// signIn posts JSON.
func (f *fixture) signIn(t testing.TB, body map[string]string) answer {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return f.do(t, request{method: "POST", path: SessionPath, body: string(text), header: map[string]string{"Content-Type": "application/json"}})
}

func (f *fixture) withCookie(method, path string, c *http.Cookie) request {
	return request{method: method, path: path, header: map[string]string{"Cookie": c.Name + "=" + c.Value}}
}

// userPool is a pool with users in the roles: each is named as its group. It changes a config to take its tokens.
type userPool struct {
	*strictfake.Server
	pools map[string]*cognito.Pool // by client
}

func startPool(t testing.TB, c *clock, poolID string) *userPool {
	t.Helper()
	server, err := strictfake.Start(strictfake.Config{
		PoolID: poolID, Now: c.now, Clients: []strictfake.Client{{ID: consoleClient, Secret: clientSecret, HideUsers: true}, {ID: otherClient}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	for name, groups := range map[string][]string{
		"viewers": {"viewers"}, "operators": {"operators"}, "both": {"viewers", "operators"}, "players": {"players"}, "nobody": nil,
		"nearly": {"Operators", "operators ", "operator", "viewer"},
	} {
		server.SetUser(name, strictfake.User{Password: password, Confirmed: true, Groups: groups})
	}
	server.SetUser("mfa", strictfake.User{Password: password, Confirmed: true, Groups: []string{"operators"}, Challenge: "SOFTWARE_TOKEN_MFA"})
	aws, err := awsclient.Load(t.Context(), "us-east-1", server.URL(), zap.NewNop())
	require.NoError(t, err)
	aws.Credentials = awscredentials.NewStaticCredentialsProvider("AKIATEST", "key", "")
	p := &userPool{Server: server, pools: map[string]*cognito.Pool{}}
	for client, secret := range map[string]string{consoleClient: clientSecret, otherClient: ""} {
		p.pools[client], err = cognito.New(cognito.Config{AWS: aws, PoolID: server.PoolID(), ClientID: client, ClientSecret: secret})
		require.NoError(t, err)
	}
	return p
}

// configure is for start.
func (p *userPool) configure(t testing.TB, clock *clock) func(*Config) {
	t.Helper()
	verifier, err := token.New(token.Config{
		Issuer: p.Issuer(), JWKSURL: p.JWKSURL(), ClientIDs: []string{consoleClient}, Uses: []string{"access", "id"}, Now: clock.now,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- verifier.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool { return verifier.Ready(ctx) == nil }, patience, time.Millisecond)
	return func(c *Config) {
		c.Tokens, c.Passwords, c.ViewersGroup, c.OperatorsGroup, c.Now = verifier, p.pools[consoleClient], "viewers", "operators", clock.now
	}
}

// token is an ID token.
func (p *userPool) token(t testing.TB, client, user string) string {
	t.Helper()
	s, err := p.pools[client].Authenticate(t.Context(), user, password)
	require.NoError(t, err)
	return s.IDToken
}
