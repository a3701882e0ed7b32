package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
)

const (
	issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE"
	client = "client-1"
	kid    = "key-1"
	newKid = "key-2"
)

// Making keys takes long: the tests share them.
var (
	poolKey  = sync.OnceValue(func() *rsa.PrivateKey { return makeKey(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return makeKey(2048) })
	weakKey  = sync.OnceValue(func() *rsa.PrivateKey { return makeKey(2040) })
)

func makeKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// clock is a clock that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// in is a NumericDate.
func (c *clock) in(d time.Duration) int64 { return c.now().Add(d).Unix() }

// pool is a user pool's JWKS server and its clock.
type pool struct {
	*clock
	url      string
	requests atomic.Int32
	answer   atomic.Pointer[http.HandlerFunc]
}

// newPool serves poolKey as key-1.
func newPool(t testing.TB) *pool {
	t.Helper()
	p := &pool{clock: newClock()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL + "/.well-known/jwks.json"
	p.publish(map[string]*rsa.PrivateKey{kid: poolKey()})
	return p
}

func (p *pool) serve(h http.HandlerFunc) { p.answer.Store(&h) }

func (p *pool) publish(keys map[string]*rsa.PrivateKey) {
	var list []map[string]any
	for id, key := range keys {
		list = append(list, jwkOf(id, key))
	}
	p.serveJSON(map[string]any{"keys": list})
}

func (p *pool) serveJSON(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func jwkOf(id string, key *rsa.PrivateKey) map[string]any {
	return map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": id,
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}
}

func (p *pool) config(t testing.TB) Config {
	return Config{
		Issuer: issuer, JWKSURL: p.url, ClientIDs: []string{client, "client-2"}, Uses: []string{"access", "id"}, Now: p.now,
		Logger: zaptest.NewLogger(t),
	}
}

// verifier has read the keys.
func (p *pool) verifier(t testing.TB) *Verifier {
	t.Helper()
	v := newVerifier(t, p.config(t))
	require.NoError(t, v.keys.read(t.Context(), 0))
	return v
}

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(v.keys.abandon)
	return v
}

// draft is what tests sign: the header's and the payload's members, over those of a good access token. A nil value removes one.
type draft struct {
	header, claims map[string]any
	key            *rsa.PrivateKey // nil: poolKey
}

func (p *pool) access(claims map[string]any) string {
	return p.sign(draft{claims: claims})
}

func (p *pool) id(claims map[string]any) string {
	all := map[string]any{"token_use": "id", "client_id": nil, "aud": client}
	maps.Copy(all, claims)
	return p.sign(draft{claims: all})
}

func (p *pool) sign(d draft) string {
	header := merge(map[string]any{"alg": "RS256", "kid": kid}, d.header)
	claims := merge(map[string]any{
		"iss": issuer, "sub": "user-1", "token_use": "access", "client_id": client,
		"iat": p.in(0), "auth_time": p.in(0), "exp": p.in(time.Hour), "jti": "jti-1", "scope": "aws.cognito.signin.user.admin",
	}, d.claims)
	key := d.key
	if key == nil {
		key = poolKey()
	}
	return signText(marshal(header), marshal(claims), key)
}

func merge(defaults, own map[string]any) map[string]any {
	maps.Copy(defaults, own)
	maps.DeleteFunc(defaults, func(_ string, v any) bool { return v == nil })
	return defaults
}

// null is a member that is there and null.
var null = json.RawMessage("null")

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// signText signs with the standard library alone: what it makes does not depend on the library that verifies.
func signText(header, payload string, key *rsa.PrivateKey) string {
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return input + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func verify(t testing.TB, v *Verifier, authorization string) error {
	t.Helper()
	claims, err := v.Verify(t.Context(), authorization)
	if err != nil {
		require.Zero(t, claims)
		requireSafe(t, err, authorization)
	}
	return err
}

// requireSafe fails where an error shows a part of the token.
func requireSafe(t testing.TB, err error, authorization string) {
	t.Helper()
	text := err.Error()
	for _, part := range bytes.FieldsFunc([]byte(authorization), func(r rune) bool { return r == '.' || r == ' ' || r == ',' }) {
		if len(part) > 8 {
			require.NotContains(t, text, string(part))
		}
		if plain, decodeErr := base64.RawURLEncoding.DecodeString(string(part)); decodeErr == nil && len(plain) > 8 {
			require.NotContains(t, text, string(plain))
		}
	}
}

// hang answers when release is called, at the latest when the client is gone.
func hang() (h http.HandlerFunc, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-ctx.Done():
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusInternalServerError)
	}, cancel
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
