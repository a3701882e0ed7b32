package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/cognito/strictfake"
)

// The app client of these tests, and passwords.
const (
	strictClient   = "strictclient"
	strictSecret   = "the-app-clients-secret"
	strictPassword = "randompassword"
	wrongPassword  = "wrong-password"
)

// strictPool is a whole stack on the strict stand-in for Cognito: it checks SECRET_HASH, confirms nobody on its own, and can throttle, fail
// and hide whether a user exists.
type strictPool struct {
	*stack.Stack
	pool       *strictfake.Server
	secretFile string
	hide       bool
	secrets    []string // nothing of it may be in a log
}

func startStrictPool(t *testing.T, hide bool) *strictPool {
	t.Helper()
	p := &strictPool{hide: hide, secrets: []string{strictSecret, strictPassword, wrongPassword, "leichhdart", "047777777"}}
	port, err := stack.ReservePort() // it is closed and opened again, and nobody is to have taken its port meanwhile
	require.NoError(t, err)
	t.Cleanup(port.Release)
	p.startPool(t, port.Address())
	t.Cleanup(func() {
		if p.pool != nil {
			require.NoError(t, p.pool.Close())
		}
	})
	p.secretFile = filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(p.secretFile, []byte(strictSecret+"\n"), 0o600))
	p.Stack = start(t, stack.Options{NoMoto: true, Users: &stack.UsersOptions{}, Gateway: fmt.Sprintf(`
issuers: [{issuer: %q, jwks_url: %q, client_ids: [%s]}]
users: {cognito: {issuer: %[1]q, client_id: %[3]s, client_secret_file: %[4]q, endpoint: %[5]q}}
`, p.pool.Issuer(), p.pool.JWKSURL(), strictClient, p.secretFile, p.pool.URL())})
	require.NoError(t, p.Envoy().WaitUsers(deadline(t, 30*time.Second)))
	return p
}

// startPool starts the pool at an address.
func (p *strictPool) startPool(t *testing.T, address string) {
	t.Helper()
	eventually(t, 20*time.Second, func(context.Context) (err error) { // see stack.Listen
		p.pool, err = strictfake.Start(strictfake.Config{
			Address: address, AccessKeys: []string{stack.AccessKey},
			Clients: []strictfake.Client{{ID: strictClient, Secret: strictSecret, HideUsers: p.hide}},
		})
		return err
	})
}

// signInAnswer is every field of an answer of /authenticate.
type signInAnswer struct {
	Status  string `json:"status"`
	IDToken string `json:"id_token"`
	UserID  string `json:"user_id"`
	IsNew   string `json:"is_new"`
	Msg     string `json:"msg"`
	Message string `json:"message"`
	Code    string `json:"code"`
	Field   string `json:"field"`
}

// signIn signs in, and checks what all answers have in common.
func (p *strictPool) signIn(t *testing.T, name, password string) (*stack.Answer, signInAnswer) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	require.NoError(t, err)
	p.pool.ForgetCalls()
	a, err := p.Envoy().Do(deadline(t, 20*time.Second), http.MethodPost, "/authenticate", "", body)
	require.NoError(t, err)
	constantHeaders(t, a)
	require.NotContains(t, string(a.Body), strictSecret)
	require.NotContains(t, string(a.Body), strictPassword)
	var in signInAnswer
	require.NoError(t, json.Unmarshal(a.Body, &in), a)
	if a.Status == http.StatusOK {
		require.Equal(t, signInAnswer{Status: "success", IDToken: in.IDToken, UserID: in.UserID, IsNew: in.IsNew}, in)
		require.NotEmpty(t, in.IDToken)
		u, _ := p.pool.User(name)
		require.Equal(t, u.Sub, in.UserID)
		require.True(t, u.Confirmed)
		p.secrets = append(p.secrets, in.IDToken)
		return a, in
	}
	require.Equal(t, "fail", in.Status)
	require.NotEmpty(t, in.Message)
	require.Equal(t, in.Message, in.Msg)
	require.Empty(t, in.IDToken+in.UserID+in.IsNew)
	return a, in
}

// calls are those of the last sign-in, without those of health checks.
func (p *strictPool) calls() []string {
	return slices.DeleteFunc(p.pool.Calls(), func(operation string) bool { return operation == "DescribeUserPoolClient" })
}

// The calls of a sign-in.
const (
	tryCall     = "AdminInitiateAuth"
	signUpCall  = "SignUp"
	confirmCall = "AdminConfirmSignUp"
)

// TestSignInOnAStrictPool: as Cognito does it where moto does not. A pool that hides whether a user exists gets the same calls and gives
// the same answers as one that does not.
func TestSignInOnAStrictPool(t *testing.T) {
	for name, hide := range map[string]bool{"a pool that hides its users": true, "a pool that tells": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startStrictPool(t, hide)
			t.Run("answers and calls", p.answersAndCalls)
			t.Run("of several first sign-ins at once one is new", p.together)
			if hide { // no difference is in sight
				t.Run("faults of the pool", p.faults)
			}
			t.Run("its tokens open everything", p.tokensWork)
			t.Run("another secret is no way in", p.wrongSecret)
			t.Run("the pool is down", p.down)
			t.Run("no log has a secret", p.quiet)
		})
	}
}

// answersAndCalls: what is expected does not depend on whether the pool hides its users.
func (p *strictPool) answersAndCalls(t *testing.T) {
	closed := &strictfake.Error{Type: "NotAuthorizedException", Message: "SignUp is not permitted for this user pool"}
	const wrong = "The username or password is incorrect"
	signUp := []string{tryCall, signUpCall, confirmCall, tryCall}
	for name, c := range map[string]struct {
		user     *strictfake.User // nil: unknown
		password string           // "": the right one
		signUp   *strictfake.Error
		status   int
		code     string
		field    string
		message  string
		isNew    string
		calls    []string
	}{
		"unknown":                            {status: 200, isNew: "true", calls: signUp},
		"known":                              {user: &strictfake.User{Confirmed: true}, status: 200, isNew: "false", calls: signUp[:1]},
		"a wrong password":                   {user: &strictfake.User{Confirmed: true}, password: wrongPassword, status: 401, code: "unauthorized", message: wrong, calls: []string{tryCall, signUpCall, tryCall}},
		"unknown where nobody may sign up":   {signUp: closed, status: 401, code: "unauthorized", message: wrong, calls: []string{tryCall, signUpCall}},
		"wrong where nobody may sign up":     {user: &strictfake.User{Confirmed: true}, password: wrongPassword, signUp: closed, status: 401, code: "unauthorized", message: wrong, calls: []string{tryCall, signUpCall}},
		"a sign-up that died half-way":       {user: &strictfake.User{}, status: 200, isNew: "true", calls: []string{tryCall, confirmCall, tryCall}},
		"that with a wrong password":         {user: &strictfake.User{}, password: wrongPassword, status: 401, code: "unauthorized", message: wrong, calls: []string{tryCall, signUpCall, tryCall}},
		"disabled":                           {user: &strictfake.User{Confirmed: true, Disabled: true}, status: 401, code: "unauthorized", message: wrong, calls: []string{tryCall, signUpCall, tryCall}},
		"unknown with a short password":      {password: "five5", status: 400, code: "invalid_field", field: "password", calls: []string{tryCall, signUpCall}},
		"known with a short wrong password":  {user: &strictfake.User{Confirmed: true}, password: "five5", status: 400, code: "invalid_field", field: "password", calls: []string{tryCall, signUpCall}},
		"a blank for a password":             {password: " ", status: 400, code: "invalid_field", field: "password"},
		"a second factor":                    {user: &strictfake.User{Confirmed: true, Challenge: "SOFTWARE_TOKEN_MFA"}, status: 403, code: "challenge_required", calls: signUp[:1]},
		"a new password is due":              {user: &strictfake.User{Confirmed: true, Challenge: "NEW_PASSWORD_REQUIRED"}, status: 403, code: "challenge_required", calls: signUp[:1]},
		"an operator has reset the password": {user: &strictfake.User{Confirmed: true, ResetRequired: true}, status: 403, code: "challenge_required", calls: signUp[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			user := strings.ReplaceAll(name, " ", "-")
			if c.user != nil {
				c.user.Password = strictPassword
				p.pool.SetUser(user, *c.user)
			}
			if c.signUp != nil {
				p.pool.Fail(signUpCall, strictfake.Fault{Error: c.signUp})
			}
			password := c.password
			if password == "" {
				password = strictPassword
			}
			a, in := p.signIn(t, user, password)
			require.Equal(t, []any{c.status, c.code, c.field, c.isNew}, []any{a.Status, in.Code, in.Field, in.IsNew}, a)
			require.Equal(t, c.calls, p.calls())
			if c.message != "" {
				require.Equal(t, c.message, in.Message)
			}
			if c.status == 401 {
				require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
			}
			u, there := p.pool.User(user)
			require.Equal(t, c.user != nil || c.status == 200, there, "nobody else is signed up")
			if c.user != nil && c.status != 200 {
				require.Equal(t, c.user.Confirmed, u.Confirmed, "nobody else is confirmed")
			}
		})
	}
}

// together: the confirmation tells which of them it is.
func (p *strictPool) together(t *testing.T) {
	const players = 8
	var running sync.WaitGroup
	answers := make(chan *stack.SignedIn, players)
	for range players {
		running.Go(func() {
			in, err := p.Envoy().SignIn(t.Context(), "together", strictPassword)
			if err != nil {
				t.Error(err)
				return
			}
			answers <- in
		})
	}
	running.Wait()
	close(answers)
	fresh, users := 0, map[string]int{}
	for in := range answers {
		users[in.UserID]++
		if in.IsNew == "true" {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	u, _ := p.pool.User("together")
	require.Equal(t, map[string]int{u.Sub: players}, users)
}

// faults: what a client sees of the pool's own troubles.
func (p *strictPool) faults(t *testing.T) {
	p.pool.SetUser("fault", strictfake.User{Password: strictPassword, Confirmed: true})
	for name, c := range map[string]struct {
		fault  strictfake.Fault
		once   bool // and not in the tries after it
		status int
		code   string
		retry  bool
	}{
		"throttled":                       {fault: strictfake.Fault{Error: strictfake.TooManyRequests}, status: 429, code: "too_many_requests", retry: true},
		"it fails once":                   {fault: strictfake.Fault{Error: strictfake.Internal}, once: true, status: 200},
		"an answer is lost":               {fault: strictfake.Fault{Lose: true, After: true}, once: true, status: 200},
		"all connections break":           {fault: strictfake.Fault{Lose: true}, status: 503, code: "user_pool_unavailable", retry: true},
		"the role lacks a right":          {fault: strictfake.Fault{Error: strictfake.AccessDenied}, status: 500, code: "internal"},
		"an answer that is not Cognito's": {fault: strictfake.Fault{Body: "<html>"}, status: 500, code: "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(p.pool.Heal)
			times := 10 // more than the tries of a call
			if c.once {
				times = 1
			}
			p.pool.Fail(tryCall, slices.Repeat([]strictfake.Fault{c.fault}, times)...)
			a, in := p.signIn(t, "fault", strictPassword)
			require.Equal(t, []any{c.status, c.code}, []any{a.Status, in.Code}, a)
			if c.retry {
				require.Equal(t, "1", a.Header.Get("Retry-After"))
			}
			if c.status == 500 {
				require.Equal(t, "An internal error happened.", in.Message, "the cause is the log's")
			}
		})
	}
	t.Run("the log says what an operator has to do", func(t *testing.T) {
		require.Contains(t, p.usersLog(t), "is not authorized to perform: cognito-idp:AdminInitiateAuth")
	})
}

func (p *strictPool) usersLog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.Users().LogFile)
	require.NoError(t, err)
	return string(text)
}

func (p *strictPool) tokensWork(t *testing.T) {
	_, in := p.signIn(t, "player", strictPassword)
	p.known(t, in.IDToken)
	bad, err := stack.Tampered(in.IDToken)
	require.NoError(t, err)
	p.secrets = append(p.secrets, bad)
	for path, method := range map[string]string{"/create": "POST", stack.AdPath("us", "eng"): "GET"} {
		a, err := p.Envoy().Do(deadline(t, 20*time.Second), method, path, "Bearer "+bad, []byte(aPlayer))
		require.NoError(t, err)
		requireError(t, a, 401, "unauthorized", "")
	}
}

// known requires that everything but signing in works with a token.
func (p *strictPool) known(t *testing.T, token string) {
	t.Helper()
	require.NoError(t, p.Envoy().WaitIndex(deadline(t, 30*time.Second), "Bearer "+token))
	a, err := p.Envoy().Do(deadline(t, 20*time.Second), "POST", "/create", "Bearer "+token, []byte(aPlayer))
	require.NoError(t, err)
	require.Equal(t, 201, a.Status, a)
	read := "/" + a.Header.Get("Location")
	for _, path := range []string{read, stack.AdPath("us", "eng")} {
		a := do(t, p.Stack, "GET", path, "Bearer "+token)
		require.Equal(t, 200, a.Status, "%s: %s", path, a)
	}
}

// wrongSecret: a process with another secret says so in its log, and nothing of it to a client.
func (p *strictPool) wrongSecret(t *testing.T) {
	const other = "the-secret-of-another-app-client"
	p.secrets = append(p.secrets, other)
	require.NoError(t, os.WriteFile(p.secretFile, []byte(other), 0o600))
	u, err := p.AddUsers(deadline(t, 60*time.Second), gateway.Authenticate)
	require.NoError(t, err)
	for _, name := range []string{"player", "nobody"} {
		a, err := u.Send(deadline(t, 20*time.Second), "POST", "/authenticate", nil, fmt.Appendf(nil, `{"username":%q,"password":%q}`, name, strictPassword))
		require.NoError(t, err)
		require.Equal(t, 500, a.Status, a)
		require.Equal(t, "internal", a.Code())
	}
	require.NoError(t, u.Stop())
	text, err := os.ReadFile(u.LogFile)
	require.NoError(t, err)
	require.Contains(t, string(text), "Unable to verify secret hash for client "+strictClient)
	_, made := p.pool.User("nobody")
	require.False(t, made)
}

// down: signing in tells, all else goes on, and comes back by itself.
func (p *strictPool) down(t *testing.T) {
	_, in := p.signIn(t, "player", strictPassword)
	at, err := url.Parse(p.pool.URL())
	require.NoError(t, err)
	require.NoError(t, p.pool.Close())
	p.pool = nil
	for _, path := range []string{"/authenticate", "/prod/authenticate"} {
		a, err := p.Envoy().Do(deadline(t, 20*time.Second), "POST", path, "", fmt.Appendf(nil, `{"username":"player","password":%q}`, strictPassword))
		require.NoError(t, err)
		require.Equal(t, []any{503, "user_pool_unavailable", "1"}, []any{a.Status, a.Code(), a.Header.Get("Retry-After")}, a)
	}
	awaitHealthy(t, p.Envoy(), 0, gateway.Authenticate)
	a := do(t, p.Stack, "GET", "/hc-authenticate", "")
	require.Equal(t, []any{503, "the user pool is unavailable"}, []any{a.Status, string(a.Body)})
	p.known(t, in.IDToken)
	awaitHealthy(t, p.Envoy(), 1, gateway.Create, gateway.Read, gateway.Update)

	p.startPool(t, at.Host)
	require.NoError(t, p.Envoy().WaitUsers(deadline(t, 30*time.Second)))
	p.signIn(t, "player", strictPassword)
}

// quiet: of all files that the stack's programs wrote. Envoy's and the service's logs are among them.
func (p *strictPool) quiet(t *testing.T) {
	require.NoError(t, p.Users().Stop())
	logs := 0
	require.NoError(t, filepath.WalkDir(p.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".log") {
			return err
		}
		logs++
		text, err := os.ReadFile(path)
		for _, secret := range p.secrets {
			if strings.Contains(string(text), secret) {
				err = errors.Join(err, fmt.Errorf("%s has %.12s…", path, secret))
			}
			if parts := strings.Split(secret, "."); len(parts) == 3 && strings.Contains(string(text), parts[2]) {
				err = errors.Join(err, fmt.Errorf("%s has a token's signature", path))
			}
		}
		return err
	}))
	require.GreaterOrEqual(t, logs, 3, "of Envoy, the control plane and the service")
	require.Greater(t, len(p.secrets), 5)
}
