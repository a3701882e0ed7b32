package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// tokens: what is no good token gets nothing on any of the three routes, through Envoy, where the service is not even asked, and past it.
// All bad ones here say that they are alice's, whose record would be there.
func (u *userService) tokens(t *testing.T) {
	alice := u.player(t, "alice")
	id := u.create(t, alice.id, johnBody)
	good := stack.Access(u.ClientID).With(map[string]any{"sub": alice.sub})
	for _, token := range []string{
		u.sign(t, good), u.sign(t, stack.ID(u.UsersClientID).With(map[string]any{"sub": alice.sub})),
		u.sign(t, good.Expired(40*time.Second)), // within the clock skew
	} {
		for _, form := range forms {
			u.requireUntouched(t, form+token, id, johnBody)
			require.Equal(t, 200, u.direct(t, ask{method: "GET", path: "/read?userId=" + id, as: form + token}).Status)
		}
	}

	for name, token := range u.unauthorized(t, good, alice) {
		t.Run("401 "+name, func(t *testing.T) {
			u.refused(t, id, token, refusal{401, "unauthorized"}, refusal{401, "unauthorized"})
		})
	}
	for name, token := range u.forbidden(t, good, alice) {
		t.Run("403 "+name, func(t *testing.T) { u.refused(t, id, token, refusal{403, "forbidden"}, refusal{403, "forbidden"}) })
	}
	for name, token := range u.misshapen(t, good) {
		t.Run("403, and 401 past Envoy: "+name, func(t *testing.T) { u.refused(t, id, token, refusal{403, "forbidden"}, refusal{401, "unauthorized"}) })
	}
	t.Run("another issuer's, which is good for ads alone", func(t *testing.T) { u.elsewhere(t, id, good) })
	token := alice.access
	for _, value := range []string{
		"", "BEARER T", "Basic T", "Bearer  T", "Bearer\tT", "BearerT", "Bearer", "T x", "T,", "Bearer T, Bearer T", "Basic Bearer T", "Bearer Bearer T",
		"\"T\"", "T=", ".T", "T.", "Token T", "Bearer T;x",
	} {
		t.Run("401 in another spelling: "+value, func(t *testing.T) {
			u.refusedHeader(t, id, http.Header{"Authorization": {strings.ReplaceAll(value, "T", token)}}, "")
		})
	}
	for name, values := range map[string][]string{
		"the same twice": {token, token}, "two good ones": {"Bearer " + token, alice.id}, "a good and a bad one": {token, u.tampered(t, token)},
		"a bad and a good one": {u.tampered(t, token), token}, "beside Basic": {"Basic dTpw", "Bearer " + token},
	} {
		t.Run("401 two at once: "+name, func(t *testing.T) { u.refusedHeader(t, id, http.Header{"Authorization": values}, "") })
	}
	for _, query := range []string{"access_token", "token", "jwt", "id_token", "Authorization", "authorization"} {
		t.Run("401 in the query: "+query, func(t *testing.T) { u.refusedHeader(t, id, nil, query+"="+token) })
	}
	for _, header := range []string{
		"X-Authorization", "X-Forwarded-Authorization", "Proxy-Authorization", "X-Amz-Security-Token", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Data",
		"X-Access-Token", "Token", "X-Api-Key", "Authentication", "X-Jwt-Payload", "X-Jwt-Assertion",
	} {
		t.Run("401 in another header: "+header, func(t *testing.T) {
			u.refusedHeader(t, id, http.Header{header: {"Bearer " + token}}, "")
			u.refusedHeader(t, id, http.Header{header: {token}}, "")
		})
	}
	t.Run("401 in a cookie", func(t *testing.T) {
		u.refusedHeader(t, id, http.Header{"Cookie": {"Authorization=Bearer " + token + "; access_token=" + token}}, "")
	})
	u.requireUntouched(t, alice.id, id, johnBody)
}

// unauthorized are tokens that the pool did not make, or not for now.
func (u *userService) unauthorized(t *testing.T, good stack.Token, alice player) map[string]string {
	altered := func(change func(*stack.Token)) string {
		token := good
		change(&token)
		return u.sign(t, token)
	}
	with := func(claims map[string]any) string { return u.sign(t, good.With(claims)) }
	foreign := issuer(t, "https://foreign.example.com")
	foreignly := func(token stack.Token) string {
		signed, err := foreign.Sign(token)
		require.NoError(t, err)
		u.use(signed)
		return signed
	}
	otherPool, err := u.Moto.Pool(t.Context(), "another-game") // signs with the same key: the issuer alone differs (row U16)
	require.NoError(t, err)
	otherClient, err := otherPool.Client(t.Context(), stack.ClientName)
	require.NoError(t, err)
	require.NoError(t, otherPool.User(t.Context(), stack.Username, stack.Password))
	other, err := otherPool.SignIn(t.Context(), otherClient, stack.Username, stack.Password)
	require.NoError(t, err)
	refresh, err := u.Pool.SignIn(t.Context(), u.ClientID, alice.name, alice.password)
	require.NoError(t, err)
	u.use(other.AccessToken, other.IDToken, refresh.RefreshToken, refresh.AccessToken, refresh.IDToken)
	mallory := u.player(t, "mallory")
	return map[string]string{
		"none":                                  "",
		"a refresh token":                       refresh.RefreshToken,
		"three words":                           "a.b.c",
		"a signature with another bit":          u.tampered(t, u.sign(t, good)),
		"Cognito's ID token with another bit":   u.tampered(t, alice.id),
		"Cognito's access token with a bit":     u.tampered(t, alice.access),
		"somebody's token with alice's sub":     u.impersonated(t, mallory.id, alice.sub),
		"somebody's access token with hers":     u.impersonated(t, mallory.access, alice.sub),
		"without its signature":                 alice.id[:strings.LastIndexByte(alice.id, '.')+1],
		"expired beyond the clock skew":         u.sign(t, good.Expired(80*time.Second)),
		"an ID token that expired (row U17)":    u.sign(t, stack.ID(u.ClientID).With(map[string]any{"sub": alice.sub}).Expired(time.Hour)),
		"not valid yet":                         u.sign(t, good.NotBefore(80*time.Second)),
		"no exp":                                with(map[string]any{"exp": nil}),
		"no iss":                                with(map[string]any{"iss": nil}),
		"an iss with a slash more":              with(map[string]any{"iss": u.Pool.Issuer + "/"}),
		"alg none":                              altered(func(token *stack.Token) { token.Algorithm = stack.None }),
		"alg none and no kid":                   altered(func(token *stack.Token) { token.Algorithm, token.NoKID = stack.None, true }),
		"HS256 with the public key":             altered(func(token *stack.Token) { token.Algorithm = stack.HS256 }),
		"an unknown kid":                        altered(func(token *stack.Token) { token.KID = "unknown" }),
		"the kid of another key":                altered(func(token *stack.Token) { token.KID = "dummy" }),
		"another issuer":                        foreignly(good),
		"another issuer's key under our name":   foreignly(good.With(map[string]any{"iss": u.Pool.Issuer})),
		"that without a kid":                    foreignly(stack.Token{NoKID: true}.With(good.Claims).With(map[string]any{"iss": u.Pool.Issuer})),
		"another pool's access token (row U16)": other.AccessToken,
		"another pool's ID token (row U16)":     other.IDToken,
	}
}

// forbidden are tokens of the pool that are for something else.
func (u *userService) forbidden(t *testing.T, good stack.Token, alice player) map[string]string {
	client, err := u.Pool.Client(t.Context(), "another-game")
	require.NoError(t, err)
	other, err := u.Pool.SignIn(t.Context(), client, alice.name, alice.password)
	require.NoError(t, err)
	u.use(other.AccessToken, other.IDToken, other.RefreshToken)
	with := func(claims map[string]any) string { return u.sign(t, good.With(claims)) }
	return map[string]string{
		"Cognito's access token of another client":  other.AccessToken,
		"Cognito's ID token of another client":      other.IDToken,
		"an access token of another client":         with(map[string]any{"client_id": client}),
		"an access token with the client as aud":    with(map[string]any{"client_id": "stranger", "aud": u.ClientID}),
		"a client whose name goes on":               with(map[string]any{"client_id": u.ClientID + "2"}),
		"token_use refresh":                         with(map[string]any{"token_use": "refresh"}),
		"token_use in upper case":                   with(map[string]any{"token_use": "ACCESS"}),
		"an operator's, of another client":          with(map[string]any{"client_id": "stranger", "cognito:groups": []string{"operators"}}),
		"an ID token of another client, signed new": u.sign(t, stack.ID(client).With(map[string]any{"sub": alice.sub})),
	}
}

// misshapen are tokens of the pool that lack a claim. To Envoy that is the wrong value of it, to the service no token.
func (u *userService) misshapen(t *testing.T, good stack.Token) map[string]string {
	with := func(claims map[string]any) string { return u.sign(t, good.With(claims)) }
	return map[string]string{
		"an ID token with the client as client_id": with(map[string]any{"token_use": "id"}),
		"no client":    with(map[string]any{"client_id": nil}),
		"no token_use": with(map[string]any{"token_use": nil}),
	}
}

// elsewhere: the gateway may trust further issuers. Their users have no records here.
func (u *userService) elsewhere(t *testing.T, id string, good stack.Token) {
	token, err := u.players.Sign(good)
	require.NoError(t, err)
	u.use(token)
	require.Equal(t, 200, do(t, u.Stack, "GET", adQuery, token).Status)
	for _, form := range forms {
		for _, q := range u.aboutRecord(id) {
			q.as = form + token
			requireFault(t, u.ask(t, q), 401, "unauthorized", "")
			requireFaultBody(t, u.direct(t, q), 401, "unauthorized", "")
		}
	}
}

// refusal is how a request without a good token is refused.
type refusal struct {
	status int
	code   string
}

// refused sends the token in each form to the three routes below each stage, and past Envoy.
func (u *userService) refused(t *testing.T, id, token string, byEnvoy, direct refusal) {
	t.Helper()
	for _, form := range forms {
		as := strings.TrimSuffix(form+token, " ")
		u.unasked(t, func() {
			for _, stage := range stages {
				for _, q := range u.aboutRecord(id) {
					q.path, q.as = stage+q.path, as
					requireFault(t, u.ask(t, q), byEnvoy.status, byEnvoy.code, "")
				}
			}
		})
		for _, q := range u.aboutRecord(id) {
			q.as = as
			requireFaultBody(t, u.direct(t, q), direct.status, direct.code, "")
		}
	}
}

// refusedHeader sends the three requests with these headers and this query, through Envoy and past it: they have no token.
func (u *userService) refusedHeader(t *testing.T, id string, header http.Header, query string) {
	t.Helper()
	requests := func() []ask {
		all := u.aboutRecord(id)
		for i := range all {
			all[i].header = header
			switch {
			case query == "":
			case strings.Contains(all[i].path, "?"):
				all[i].path += "&" + query
			default:
				all[i].path += "?" + query
			}
		}
		return all
	}
	u.unasked(t, func() {
		for _, q := range requests() {
			requireFault(t, u.ask(t, q), 401, "unauthorized", "")
		}
	})
	for _, q := range requests() {
		requireFaultBody(t, u.direct(t, q), 401, "unauthorized", "")
	}
}

// unasked runs requests that must not reach the service.
func (u *userService) unasked(t *testing.T, requests func()) {
	t.Helper()
	before := u.answered(t)
	require.NotZero(t, before, "it counts")
	requests()
	require.Equal(t, before, u.answered(t), "the service was not asked")
}

// answered is how many requests the service has answered in all.
func (u *userService) answered(t *testing.T) float64 {
	t.Helper()
	metrics, err := u.Users().Metrics(deadline(t, 10*time.Second))
	require.NoError(t, err)
	all := 0.0
	for name, value := range metrics {
		if strings.HasPrefix(name, "adsidecar_users_requests_total{") {
			all += value
		}
	}
	return all
}

// impersonated is the token with another sub, and the signature that it had.
func (u *userService) impersonated(t *testing.T, token, sub string) string {
	t.Helper()
	all := claims(t, token)
	all["sub"] = sub
	payload, err := json.Marshal(all)
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	bad := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
	u.use(bad)
	return bad
}
