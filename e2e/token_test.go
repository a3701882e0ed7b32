package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

const (
	adQuery    = "/ad_request?country=us&lang=eng"
	gameClient = "game-client" // the clients of the issuers that are not Cognito
	toolClient = "tool-client"
)

// edge is a stack that trusts Cognito and three more issuers and has a game behind it. It remembers every token that was sent to it.
type edge struct {
	*stack.Stack

	players *stack.Issuer // trusted with both kinds of token
	access  *stack.Issuer // trusted with access tokens alone
	loose   *looseIssuer  // trusted; its JWKS does not say which algorithm its key is for
	game    *stack.Upstream
	used    []string
}

// TestTokens sends every token of the decision, and every way to send one, through a real Envoy; then it reads the logs.
func TestTokens(t *testing.T) {
	e := startEdge(t)
	fading := e.sign(t, e.players, stack.Access(gameClient).Expired(55*time.Second)) // the skew leaves it 5 s
	require.Equal(t, 200, do(t, e.Stack, "GET", adQuery, fading).Status)

	t.Run("accepted", e.accepted)
	t.Run("401", func(t *testing.T) { e.unreached(t, e.unauthorized) })
	t.Run("403", func(t *testing.T) { e.unreached(t, e.forbidden) })
	t.Run("401 in another spelling", func(t *testing.T) { e.unreached(t, e.misspelled) })
	t.Run("401 anywhere but in Authorization", func(t *testing.T) { e.unreached(t, e.elsewhere) })
	t.Run("401 for two at once", func(t *testing.T) { e.unreached(t, e.two) })
	t.Run("beside an empty header", e.besideNothing)
	t.Run("large", e.large)
	t.Run("what an upstream gets", e.forwarded)
	t.Run("a sign-in as a game does it", e.signIn)
	t.Run("a token that was accepted is refused once it has expired", func(t *testing.T) {
		eventually(t, 20*time.Second, func(context.Context) error { return wants(401, do(t, e.Stack, "GET", adQuery, fading)) })
	})
	t.Run("no token is in a log", e.logged)
}

func startEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{players: issuer(t, "https://players.example.com"), access: issuer(t, "https://access.example.com"), loose: startLooseIssuer(t)}
	var err error
	e.game, err = stack.StartUpstream()
	require.NoError(t, err)
	t.Cleanup(e.game.Close)
	accessAlone := stack.Trust(e.access, gameClient)
	accessAlone.TokenUses = []string{"access"}
	e.Stack = served(t, stack.Options{
		Issuers: []stack.TrustedIssuer{stack.Trust(e.players, gameClient, toolClient), accessAlone, e.loose.trust()},
		Gateway: fmt.Sprintf(`
tokens: {claim_headers: {X-Player: sub}}
routes:
- {prefix: /game, upstream: game}
- {prefix: /bare, upstream: game, forward_token: false}
- {prefix: /open, upstream: game, token: none}
upstreams:
- {name: game, endpoints: [%q]}
`, e.game.Address()),
	})
	e.used = []string{e.Tokens().AccessToken, e.Tokens().IDToken, e.Tokens().RefreshToken}
	return e
}

func (e *edge) accepted(t *testing.T) {
	dayLong := stack.Access(gameClient).With(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}) // row S13
	noKID := stack.Access(gameClient)
	noKID.NoKID = true
	for name, token := range map[string]string{
		"an access token of Cognito":                     e.Tokens().AccessToken,
		"an ID token of Cognito":                         e.Tokens().IDToken,
		"an access token of another issuer":              e.sign(t, e.players, stack.Access(gameClient)),
		"an access token of that issuer's second client": e.sign(t, e.players, stack.Access(toolClient)),
		"an ID token of another issuer":                  e.sign(t, e.players, stack.ID(gameClient)),
		"a program's token, which has no user":           e.sign(t, e.players, stack.ClientCredentials(toolClient)),
		"an access token that lives a day":               e.sign(t, e.players, dayLong),
		"an access token where only those are accepted":  e.sign(t, e.access, stack.Access(gameClient)),
		"expired, but within the clock skew":             e.sign(t, e.players, stack.Access(gameClient).Expired(40*time.Second)),
		"not yet valid, but within the clock skew":       e.sign(t, e.players, stack.Access(gameClient).NotBefore(40*time.Second)),
		"no kid: the key that fits is found":             e.sign(t, e.players, noKID),
		"RS256 by a key that is not bound to it":         e.looseSign(t, jwa.RS256()),
	} {
		t.Run(name, func(t *testing.T) {
			for _, form := range forms {
				a := do(t, e.Stack, "GET", adQuery, form+token)
				require.Equal(t, 200, a.Status, "%q: %s", form, a)
				require.Equal(t, 404, do(t, e.Stack, "GET", "/nowhere", form+token).Status, "%q", form) // row U30
			}
		})
	}
}

func (e *edge) unauthorized(t *testing.T) {
	foreign := issuer(t, "https://foreign.example.com")
	otherPool, err := e.Moto.Pool(t.Context(), "another-game") // signs with the same key: the issuer alone differs
	require.NoError(t, err)
	otherClient, err := otherPool.Client(t.Context(), stack.ClientName)
	require.NoError(t, err)
	require.NoError(t, otherPool.User(t.Context(), stack.Username, stack.Password))
	otherTokens, err := otherPool.SignIn(t.Context(), otherClient, stack.Username, stack.Password)
	require.NoError(t, err)
	e.use(otherTokens.AccessToken, otherTokens.IDToken)

	good := stack.Access(gameClient)
	altered := func(change func(*stack.Token)) string {
		token := stack.Access(gameClient)
		change(&token)
		return e.sign(t, e.players, token)
	}
	for name, token := range map[string]string{
		"none":                             "",
		"a refresh token":                  e.Tokens().RefreshToken,
		"a signature with another bit":     e.tampered(t, e.sign(t, e.players, good)),
		"Cognito's with another bit":       e.tampered(t, e.Tokens().AccessToken),
		"another client under a signature": e.spliced(t, e.sign(t, e.players, stack.Access("thief"))),
		"expired beyond the clock skew":    e.sign(t, e.players, good.Expired(80*time.Second)),
		"expired long ago":                 e.sign(t, e.players, good.Expired(24*time.Hour)),
		"an expired ID token":              e.sign(t, e.players, stack.ID(gameClient).Expired(80*time.Second)), // row U17
		"not valid yet":                    e.sign(t, e.players, good.NotBefore(80*time.Second)),
		"no exp":                           e.sign(t, e.players, good.With(map[string]any{"exp": nil})),
		"exp 0":                            e.sign(t, e.players, good.With(map[string]any{"exp": 0})),
		"no iss":                           e.sign(t, e.players, good.With(map[string]any{"iss": nil})),
		"an iss with a slash more":         e.sign(t, e.players, good.With(map[string]any{"iss": e.players.Name + "/"})),
		"alg none":                         altered(func(token *stack.Token) { token.Algorithm = stack.None }),
		"alg none and no kid":              altered(func(token *stack.Token) { token.Algorithm, token.NoKID = stack.None, true }),
		"HS256 with the public key":        altered(func(token *stack.Token) { token.Algorithm = stack.HS256 }),
		"an unknown kid":                   altered(func(token *stack.Token) { token.KID = "unknown" }),
		"an issuer that nobody trusts":     e.sign(t, foreign, good),
		"its key under a trusted name":     e.sign(t, foreign, good.With(map[string]any{"iss": e.players.Name})),
		"that without a kid":               e.sign(t, foreign, stack.Token{NoKID: true}.With(good.Claims).With(map[string]any{"iss": e.players.Name})),
		"one issuer's key for another":     e.sign(t, e.access, good.With(map[string]any{"iss": e.players.Name})),
		"an access token of another pool":  otherTokens.AccessToken, // row U16
		"an ID token of another pool":      otherTokens.IDToken,
	} {
		t.Run(name, func(t *testing.T) { e.refused(t, token, 401, "unauthorized") })
	}
}

func (e *edge) forbidden(t *testing.T) {
	otherClient, err := e.Pool.Client(t.Context(), "another-game")
	require.NoError(t, err)
	otherTokens, err := e.Pool.SignIn(t.Context(), otherClient, stack.Username, stack.Password)
	require.NoError(t, err)
	e.use(otherTokens.AccessToken, otherTokens.IDToken)

	with := func(claims map[string]any) string { return e.sign(t, e.players, stack.Access(gameClient).With(claims)) }
	for name, token := range map[string]string{
		"Cognito's access token of another client":                  otherTokens.AccessToken,
		"Cognito's ID token of another client":                      otherTokens.IDToken,
		"an access token of another client":                         with(map[string]any{"client_id": "stranger"}),
		"an ID token of another client":                             e.sign(t, e.players, stack.ID("stranger")),
		"a program's token of another client":                       e.sign(t, e.players, stack.ClientCredentials("stranger")),
		"a client whose name goes on":                               with(map[string]any{"client_id": gameClient + "2"}),
		"a client in upper case":                                    with(map[string]any{"client_id": strings.ToUpper(gameClient)}),
		"no client":                                                 with(map[string]any{"client_id": nil}),
		"an access token that names the client as aud":              with(map[string]any{"client_id": "stranger", "aud": gameClient}),
		"an ID token that names the client as an access token does": with(map[string]any{"token_use": "id"}),
		"a list of clients":                                         with(map[string]any{"client_id": []string{gameClient}}),
		"token_use refresh":                                         with(map[string]any{"token_use": "refresh"}),
		"token_use in upper case":                                   with(map[string]any{"token_use": "ACCESS"}),
		"no token_use":                                              with(map[string]any{"token_use": nil}),
		"an ID token where only access tokens are accepted":         e.sign(t, e.access, stack.ID(gameClient)),
		"RS384 by a key that is not bound to RS256":                 e.looseSign(t, jwa.RS384()),
		"RS512 by a key that is not bound to RS256":                 e.looseSign(t, jwa.RS512()),
		"PS256 by a key that is not bound to RS256":                 e.looseSign(t, jwa.PS256()),
	} {
		t.Run(name, func(t *testing.T) { e.refused(t, token, 403, "forbidden") })
	}
}

// refused sends the token in each form to the filter, the game and nowhere.
func (e *edge) refused(t *testing.T, token string, status int, code string) {
	t.Helper()
	for _, form := range forms {
		for _, path := range []string{adQuery, "/prod" + adQuery, "/game/scores", "/bare", "/nowhere"} {
			requireError(t, do(t, e.Stack, "GET", path, strings.TrimSuffix(form+token, " ")), status, code, "")
		}
		requireError(t, do(t, e.Stack, "POST", adQuery, strings.TrimSuffix(form+token, " ")), status, code, "")
	}
}

// unreached runs tests whose requests must reach neither the filter nor the game (row S14).
func (e *edge) unreached(t *testing.T, tests func(*testing.T)) {
	reached := func() (float64, map[string]int) {
		stats, err := e.Envoy().Stats(t.Context())
		require.NoError(t, err)
		requests := 0.0
		for _, counter := range []string{"served", "no_ad", "bad_request", "unavailable", "internal"} {
			require.Contains(t, stats, "adsidecar_"+counter+"{}")
			requests += stats["adsidecar_"+counter+"{}"]
		}
		return requests, e.game.Counts()
	}
	filter, game := reached()
	require.NotZero(t, filter, "it counts")
	tests(t)
	filterAfter, gameAfter := reached()
	require.Equal(t, filter, filterAfter, "the filter was not asked")
	require.Equal(t, game, gameAfter, "the game was not asked")
}

// large: there is no limit for a token but that of all headers. Those too large for Envoy's cache of verified tokens are verified each time.
func (e *edge) large(t *testing.T) {
	sized := func(bytes int) string {
		token := stack.ID(gameClient)
		token.Size = bytes
		return e.sign(t, e.players, token)
	}
	for _, token := range []string{sized(3 << 10), sized(9 << 10), sized(40 << 10)} {
		for range 2 {
			require.Equal(t, 200, do(t, e.Stack, "GET", adQuery, "Bearer "+token).Status, "%d bytes", len(token))
		}
		requireError(t, do(t, e.Stack, "GET", adQuery, "Bearer "+e.tampered(t, token)), 401, "unauthorized", "")
	}
	e.unreached(t, func(t *testing.T) {
		requireError(t, do(t, e.Stack, "GET", adQuery, "Bearer "+sized(64<<10)), 431, "headers_too_large", "")
	})
}

// use remembers tokens, for the logs to be searched for them.
func (e *edge) use(tokens ...string) { e.used = append(e.used, tokens...) }

func (e *edge) sign(t *testing.T, i *stack.Issuer, token stack.Token) string {
	t.Helper()
	signed, err := i.Sign(token)
	require.NoError(t, err)
	e.use(signed)
	return signed
}

func (e *edge) looseSign(t *testing.T, alg jwa.SignatureAlgorithm) string {
	t.Helper()
	token := e.loose.sign(t, alg)
	e.use(token)
	return token
}

func (e *edge) tampered(t *testing.T, token string) string {
	t.Helper()
	bad, err := stack.Tampered(token)
	require.NoError(t, err)
	e.use(bad)
	return bad
}

// spliced is the token with the game's client in its payload and the signature it had.
func (e *edge) spliced(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	claims["client_id"] = gameClient
	payload, err = json.Marshal(claims)
	require.NoError(t, err)
	bad := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
	e.use(bad)
	return bad
}

// issuer starts an issuer that ends with the test.
func issuer(t *testing.T, name string) *stack.Issuer {
	t.Helper()
	i, err := stack.StartIssuer(name)
	require.NoError(t, err)
	t.Cleanup(i.Close)
	return i
}

// wants is an error if the answer has another status.
func wants(status int, a *stack.Answer) error {
	if a.Status != status {
		return errors.New(a.String())
	}
	return nil
}

// looseIssuer publishes its key without an algorithm, so that a token may choose any that RSA has.
type looseIssuer struct {
	key    *rsa.PrivateKey
	server *httptest.Server
}

func startLooseIssuer(t *testing.T) *looseIssuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	key, err := jwk.Import(private.Public())
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "loose"))
	set := jwk.NewSet()
	require.NoError(t, set.AddKey(key))
	keys, err := json.Marshal(set)
	require.NoError(t, err)
	l := &looseIssuer{key: private, server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) }))}
	t.Cleanup(l.server.Close)
	return l
}

func (l *looseIssuer) trust() stack.TrustedIssuer {
	return stack.TrustedIssuer{Issuer: "https://loose.example.com", JWKSURL: l.server.URL, ClientIDs: []string{gameClient}}
}

// sign makes a good access token, but for its algorithm.
func (l *looseIssuer) sign(t *testing.T, alg jwa.SignatureAlgorithm) string {
	t.Helper()
	payload, err := json.Marshal(map[string]any{
		"iss": l.trust().Issuer, "sub": "player", "token_use": "access", "client_id": gameClient, "exp": time.Now().Add(time.Hour).Unix(),
	})
	require.NoError(t, err)
	header := jws.NewHeaders()
	require.NoError(t, header.Set("kid", "loose"))
	token, err := jws.Sign(payload, jws.WithKey(alg, l.key, jws.WithProtectedHeaders(header)))
	require.NoError(t, err)
	return string(token)
}
