package stack

import (
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"
)

// TestMotoIsCognitoEnough pins what the rest of the tests build on; see the comment of Moto.
func TestMotoIsCognitoEnough(t *testing.T) {
	ctx := within(t, 5*time.Minute) // the first run makes the Python environment
	tools, err := FindTools(ctx, ToolsConfig{})
	require.NoError(t, err)
	m, err := StartMoto(ctx, MotoConfig{Tools: tools})
	require.NoError(t, err)
	t.Cleanup(m.Close)

	pool, err := m.Pool(ctx, "players")
	require.NoError(t, err)
	client, err := pool.Client(ctx, "game")
	require.NoError(t, err)
	require.NoError(t, pool.User(ctx, "demo", "simple-password"))

	t.Run("making things again gives the same", func(t *testing.T) {
		again, err := m.Pool(ctx, "players")
		require.NoError(t, err)
		require.Equal(t, pool, again)
		sameClient, err := again.Client(ctx, "game")
		require.NoError(t, err)
		require.Equal(t, client, sameClient)
		require.NoError(t, again.User(ctx, "demo", "simple-password"))
	})
	t.Run("tokens have the claims that the gateway checks", func(t *testing.T) {
		tokens, err := pool.SignIn(ctx, client, "demo", "simple-password")
		require.NoError(t, err)
		require.Equal(t, "Bearer", tokens.TokenType)
		require.Equal(t, 3600, tokens.ExpiresIn)
		require.NotEmpty(t, tokens.RefreshToken)
		_, keys, err := fetch(ctx, pool.JWKSURL)
		require.NoError(t, err)
		set, err := jwk.Parse(keys)
		require.NoError(t, err)
		access, err := jwt.Parse([]byte(tokens.AccessToken), jwt.WithKeySet(set), jwt.WithIssuer(pool.Issuer))
		require.NoError(t, err)
		require.Equal(t, "access", claim(t, access, "token_use"))
		require.Equal(t, client, claim(t, access, "client_id"))
		require.False(t, access.Has("aud"))
		id, err := jwt.Parse([]byte(tokens.IDToken), jwt.WithKeySet(set), jwt.WithIssuer(pool.Issuer), jwt.WithAudience(client))
		require.NoError(t, err)
		require.Equal(t, "id", claim(t, id, "token_use"))
		require.False(t, id.Has("client_id"))
	})
	t.Run("another pool has another issuer and the same key", func(t *testing.T) {
		other, err := m.Pool(ctx, "others")
		require.NoError(t, err)
		require.NotEqual(t, pool.Issuer, other.Issuer)
		_, keys, err := fetch(ctx, pool.JWKSURL)
		require.NoError(t, err)
		_, otherKeys, err := fetch(ctx, other.JWKSURL)
		require.NoError(t, err)
		require.Equal(t, keys, otherKeys)
	})
	t.Run("errors have Cognito's names", func(t *testing.T) {
		_, err := pool.SignIn(ctx, client, "demo", "wrong")
		var refused *CognitoError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "NotAuthorizedException", refused.Type)
		require.Equal(t, 400, refused.Status)
		_, err = pool.SignIn(ctx, "nobody", "demo", "simple-password")
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "ResourceNotFoundException", refused.Type)
	})
}
