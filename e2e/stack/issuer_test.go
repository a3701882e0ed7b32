package stack

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"
)

func startIssuer(t *testing.T) *Issuer {
	t.Helper()
	i, err := StartIssuer("https://issuer.test/pool")
	require.NoError(t, err)
	t.Cleanup(i.Close)
	return i
}

// verify reads the issuer's keys over HTTP and checks the token with them.
func verify(t *testing.T, i *Issuer, token string) (jwt.Token, error) {
	t.Helper()
	status, body, err := fetch(within(t, patience), i.JWKSURL())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	set, err := jwk.Parse(body)
	require.NoError(t, err)
	return jwt.Parse([]byte(token), jwt.WithKeySet(set), jwt.WithIssuer(i.Name))
}

func sign(t *testing.T, i *Issuer, token Token) string {
	t.Helper()
	s, err := i.Sign(token)
	require.NoError(t, err)
	return s
}

func claim(t *testing.T, token jwt.Token, name string) any {
	t.Helper()
	var v any
	require.NoError(t, token.Get(name, &v))
	return v
}

func TestGoodTokensHaveCognitosClaims(t *testing.T) {
	i := startIssuer(t)
	access, err := verify(t, i, sign(t, i, Access("game")))
	require.NoError(t, err)
	require.Equal(t, "access", claim(t, access, "token_use"))
	require.Equal(t, "game", claim(t, access, "client_id"))
	require.False(t, access.Has("aud"))

	id, err := verify(t, i, sign(t, i, ID("game")))
	require.NoError(t, err)
	require.Equal(t, "id", claim(t, id, "token_use"))
	audience, ok := id.Audience()
	require.True(t, ok)
	require.Equal(t, []string{"game"}, audience)
	require.False(t, id.Has("client_id"))

	program, err := verify(t, i, sign(t, i, ClientCredentials("backend")))
	require.NoError(t, err)
	require.Equal(t, "backend", claim(t, program, "sub"))
	require.False(t, program.Has("username"))
}

func TestBadTokensAreRefused(t *testing.T) {
	i := startIssuer(t)
	other := startIssuer(t)
	for name, token := range map[string]Token{
		"expired":              Access("game").Expired(time.Minute),
		"not valid yet":        Access("game").NotBefore(time.Hour),
		"signed with HS256":    {Algorithm: HS256},
		"not signed":           {Algorithm: None},
		"unknown kid":          {KID: "nobody"},
		"no kid":               {NoKID: true},
		"of another issuer":    {Claims: map[string]any{"iss": "https://issuer.test/other"}},
		"without an issuer":    {Claims: map[string]any{"iss": nil}},
		"expired long ago too": {Claims: map[string]any{"exp": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			signed := sign(t, i, token)
			require.Len(t, strings.Split(signed, "."), 3)
			_, err := verify(t, i, signed)
			require.Error(t, err)
		})
	}
	t.Run("of another key with the same kid", func(t *testing.T) {
		_, err := verify(t, i, sign(t, other, Access("game")))
		require.Error(t, err)
	})
	t.Run("tampered with", func(t *testing.T) {
		bad, err := Tampered(sign(t, i, Access("game")))
		require.NoError(t, err)
		_, err = verify(t, i, bad)
		require.Error(t, err)
		_, err = Tampered("a.b.")
		require.Error(t, err)
	})
}

func TestTokenHeadersSayWhatWasAskedFor(t *testing.T) {
	i := startIssuer(t)
	for name, c := range map[string]struct {
		token Token
		alg   string
		kid   string
	}{
		"good":   {Token{}, "RS256", "key-1"},
		"hs256":  {Token{Algorithm: HS256}, "HS256", "key-1"},
		"none":   {Token{Algorithm: None, KID: "k"}, "none", "k"},
		"no kid": {Token{NoKID: true}, "RS256", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := jws.Parse([]byte(sign(t, i, c.token)))
			require.NoError(t, err)
			header := m.Signatures()[0].ProtectedHeaders()
			alg, _ := header.Algorithm()
			require.Equal(t, c.alg, alg.String())
			kid, _ := header.KeyID()
			require.Equal(t, c.kid, kid)
		})
	}
}

func TestTokenIsPadded(t *testing.T) {
	i := startIssuer(t)
	token := sign(t, i, Token{Size: 20000})
	require.Greater(t, len(token), 20000)
	require.Less(t, len(token), 22000)
	_, err := verify(t, i, token)
	require.NoError(t, err)
}

func TestRotationKeepsTheOldKeyUntilItIsWithdrawn(t *testing.T) {
	i := startIssuer(t)
	old := sign(t, i, Access("game"))
	kid, err := i.Rotate()
	require.NoError(t, err)
	require.Equal(t, "key-2", kid)
	fresh := sign(t, i, Access("game"))
	for _, token := range []string{old, fresh} {
		_, err := verify(t, i, token)
		require.NoError(t, err)
	}
	require.NoError(t, i.Withdraw("key-1"))
	_, err = verify(t, i, old)
	require.Error(t, err)
	_, err = verify(t, i, fresh)
	require.NoError(t, err)
	require.Equal(t, 4, i.Requests())
	_, err = verify(t, i, sign(t, i, Token{Key: "key-1"}))
	require.Error(t, err, "it signs with the withdrawn key")
	require.Error(t, i.Withdraw("key-9"))
	_, err = i.Sign(Token{Key: "key-9"})
	require.Error(t, err)
}

func TestJWKSServerBreaksAndComesBack(t *testing.T) {
	i := startIssuer(t)
	i.SetMode(IssuerFails)
	status, _, err := fetch(within(t, patience), i.JWKSURL())
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, status)

	i.SetMode(IssuerHangs)
	_, _, err = fetch(within(t, 100*time.Millisecond), i.JWKSURL())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, i.WaitRequests(within(t, patience), 2))

	i.Stop()
	i.Stop()
	_, _, err = fetch(within(t, patience), i.JWKSURL())
	require.Error(t, err)
	i.SetMode(IssuerServes)
	require.NoError(t, i.Start())
	require.NoError(t, i.Start())
	_, err = verify(t, i, sign(t, i, Access("game")))
	require.NoError(t, err)
	require.ErrorIs(t, i.WaitRequests(within(t, 10*time.Millisecond), 99), context.DeadlineExceeded)
}
