package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
	"adsidecar/envoy/gateway"
)

// stages are where all paths are: bare, and below the stage prefixes (row U31).
var stages = []string{"", "/prod", "/development"}

// johnBody is the original walk-through's record (rows U18 and U21).
const johnBody = `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
	`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Norton Street"}}`

// marked is in the values that tests send, for the logs to be searched for it.
const marked = "Xylographer"

// ask is a request to the gateway. Its zero parts are left out.
type ask struct {
	method, path, body string
	as                 string // the Authorization header
	header             http.Header
}

// headers are all headers of the request.
func (q ask) headers() http.Header {
	h := http.Header{}
	maps.Copy(h, q.header)
	if q.as != "" {
		h["Authorization"] = []string{q.as}
	}
	return h
}

// userService is a stack with the user service whose user pool trusts one more key: it signs what Cognito would not.
type userService struct {
	*stack.Stack

	contract *contract
	signer   *stack.Issuer
	players  *stack.Issuer // trusted by the gateway, and no user pool of the service
	pid      int
	secrets  []string
}

// player is a user of the pool, with the tokens of a sign-in.
type player struct {
	name, password, sub string
	id, access          string // tokens
}

func startUserService(t *testing.T, access gateway.Access) *userService {
	t.Helper()
	ctx := deadline(t, time.Minute)
	pool, err := moto.Pool(ctx, stack.PoolName)
	require.NoError(t, err)
	client, err := pool.Client(ctx, stack.ClientName)
	require.NoError(t, err)
	secretClient, _, err := pool.SecretClient(ctx, stack.UsersClientName)
	require.NoError(t, err)
	u := &userService{signer: issuer(t, pool.Issuer), players: issuer(t, "https://players.example.com")}
	keys := keySet(t, pool.JWKSURL, u.signer.JWKSURL())
	u.Stack = served(t, stack.Options{
		Campaigns: document(t, ad("a", "us", "eng")),
		Users:     &stack.UsersOptions{Access: access},
		Gateway: fmt.Sprintf(`
issuers:
- {issuer: %q, jwks_url: %q, client_ids: [%q, %q]}
- {issuer: %q, jwks_url: %q, client_ids: [%q]}
`, pool.Issuer, keys, client, secretClient, u.players.Name, u.players.JWKSURL(), client),
	})
	require.NoError(t, u.Envoy().WaitUsers(deadline(t, 30*time.Second)))
	u.contract = readContract(t, u.Stack)
	u.pid = u.Users().Process().PID()
	u.use(u.Tokens().AccessToken, u.Tokens().IDToken, u.Tokens().RefreshToken, stack.Password)
	return u
}

// keySet serves the keys of several JWKS as one, and returns its URL.
func keySet(t *testing.T, urls ...string) string {
	t.Helper()
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for _, from := range urls {
		a, err := stack.Send(t.Context(), "GET", from, nil, nil)
		require.NoError(t, err)
		before := len(all.Keys)
		one := all
		one.Keys = nil
		require.NoError(t, json.Unmarshal(a.Body, &one))
		all.Keys = append(all.Keys, one.Keys...)
		require.Greater(t, len(all.Keys), before, from)
	}
	set, err := json.Marshal(all)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	t.Cleanup(server.Close)
	return server.URL
}

// ask sends a request through Envoy, and holds it and its answer against the OpenAPI document.
func (u *userService) ask(t *testing.T, q ask) *stack.Answer {
	t.Helper()
	a, err := u.Envoy().Send(deadline(t, 20*time.Second), q.method, q.path, q.headers(), []byte(q.body))
	require.NoError(t, err)
	u.contract.check(t, q, a)
	return a
}

// direct sends a request to the service itself, past Envoy.
func (u *userService) direct(t *testing.T, q ask) *stack.Answer {
	t.Helper()
	a, err := u.Users().Send(deadline(t, 20*time.Second), q.method, q.path, q.headers(), []byte(q.body))
	require.NoError(t, err)
	return a
}

// use remembers what must not be in a log.
func (u *userService) use(secrets ...string) { u.secrets = append(u.secrets, secrets...) }

// signIn is a sign-in by /authenticate and, with the public client, one at the user pool itself, which gives an access token too.
func (u *userService) signIn(t *testing.T, name, password string) player {
	t.Helper()
	in, err := u.Envoy().SignIn(deadline(t, 20*time.Second), name, password)
	require.NoError(t, err)
	tokens, err := u.Pool.SignIn(deadline(t, 20*time.Second), u.ClientID, name, password)
	require.NoError(t, err)
	u.use(in.IDToken, tokens.AccessToken, tokens.IDToken, tokens.RefreshToken, name, password)
	return player{name: name, password: password, sub: in.UserID, id: in.IDToken, access: tokens.AccessToken}
}

// player is a user whom nobody else is.
func (u *userService) player(t *testing.T, name string) player {
	t.Helper()
	return u.signIn(t, name+"-"+rand.Text()[:10], rand.Text())
}

// sign signs a token of the pool's.
func (u *userService) sign(t *testing.T, token stack.Token) string {
	t.Helper()
	signed, err := u.signer.Sign(token)
	require.NoError(t, err)
	u.use(signed)
	return signed
}

// tampered is the token with a signature that differs in one bit.
func (u *userService) tampered(t *testing.T, token string) string {
	t.Helper()
	bad, err := stack.Tampered(token)
	require.NoError(t, err)
	u.use(bad)
	return bad
}

// create makes a record for whoever the token is of, and returns its userId.
func (u *userService) create(t *testing.T, as, body string) string {
	t.Helper()
	a := u.ask(t, ask{method: "POST", path: "/create", as: as, body: body})
	require.Equal(t, 201, a.Status, a)
	id, ok := members(t, a)["userId"].(string)
	require.True(t, ok, a)
	return id
}

// read is a record as this token reads it, which it must.
func (u *userService) read(t *testing.T, as, id string) *stack.Answer {
	t.Helper()
	a := u.ask(t, ask{method: "GET", path: "/read?userId=" + id, as: as})
	require.Equal(t, 200, a.Status, a)
	return a
}

// requireUntouched: the record is as it was created from body, and nobody has updated it.
func (u *userService) requireUntouched(t *testing.T, as, id, body string) {
	t.Helper()
	a := u.read(t, as, id)
	require.Equal(t, `"1"`, a.Header.Get("ETag"))
	require.JSONEq(t, recordOf(id, body), string(a.Body))
}

// recordOf is the answer of a read of what was created from body.
func recordOf(id, body string) string {
	return `{"userId":"` + id + `",` + strings.TrimPrefix(body, "{")
}

// resolve is where a client finds location, which came in answer to a request for path.
func resolve(t *testing.T, path, location string) string {
	t.Helper()
	from, err := url.Parse("http://gateway.example" + path)
	require.NoError(t, err)
	to, err := from.Parse(location)
	require.NoError(t, err)
	require.Equal(t, from.Host, to.Host)
	return to.RequestURI()
}

// members are those of an answer's JSON object.
func members(t *testing.T, a *stack.Answer) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(a.Body, &m), a)
	return m
}

// claims are those of a token, which is not verified.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(payload, &m))
	return m
}

// requireFault checks an error's status, all members of its body, and the headers that each answer of the gateway has.
func requireFault(t *testing.T, a *stack.Answer, status int, code, field string) {
	t.Helper()
	constantHeaders(t, a)
	requireFaultBody(t, a, status, code, field)
}

// requireFaultBody is requireFault for an answer of the service itself.
func requireFaultBody(t *testing.T, a *stack.Answer, status int, code, field string) {
	t.Helper()
	require.Equal(t, status, a.Status, a)
	body := members(t, a)
	require.NotEmpty(t, body["message"], a)
	want := map[string]any{"message": body["message"], "code": code}
	if field != "" {
		want["field"] = field
	}
	require.Equal(t, want, body)
	switch status {
	case 401:
		require.Equal(t, "Unauthorized", body["message"])
		require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
	case 405:
		require.NotEmpty(t, a.Header.Get("Allow"))
	}
}

// requireSignInFault checks an error of /authenticate, which has both shapes (row U6), and no token.
func requireSignInFault(t *testing.T, a *stack.Answer, status int, code, field string) {
	t.Helper()
	constantHeaders(t, a)
	require.Equal(t, status, a.Status, a)
	body := members(t, a)
	require.NotEmpty(t, body["message"], a)
	want := map[string]any{"status": "fail", "msg": body["message"], "message": body["message"], "code": code}
	if field != "" {
		want["field"] = field
	}
	require.Equal(t, want, body)
}
