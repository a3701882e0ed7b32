package stack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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
	t.Run("a member of a group has it in tokens of later sign-ins", func(t *testing.T) {
		require.NoError(t, pool.User(ctx, "kim", "simple-password"))
		for range 2 {
			require.NoError(t, pool.Group(ctx, "operators", "kim"))
		}
		tokens, err := pool.SignIn(ctx, client, "kim", "simple-password")
		require.NoError(t, err)
		for _, text := range []string{tokens.AccessToken, tokens.IDToken} {
			token, err := jwt.ParseInsecure([]byte(text))
			require.NoError(t, err)
			require.Equal(t, []any{"operators"}, claim(t, token, "cognito:groups"))
		}
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
	t.Run("a client with a secret tells it again", func(t *testing.T) {
		id, secret, err := pool.SecretClient(ctx, "users")
		require.NoError(t, err)
		require.NotEmpty(t, secret)
		require.NotEqual(t, client, id)
		sameID, sameSecret, err := pool.SecretClient(ctx, "users")
		require.NoError(t, err)
		require.Equal(t, id, sameID)
		require.Equal(t, secret, sameSecret)
	})
	t.Run("a secret is asked for when a token is refreshed, not at the sign-in", func(t *testing.T) {
		id, secret, err := pool.SecretClient(ctx, "users")
		require.NoError(t, err)
		tokens, err := pool.SignIn(ctx, id, "demo", "simple-password") // without a SECRET_HASH
		require.NoError(t, err)
		refresh := func(hash string) error {
			return m.call(ctx, "InitiateAuth", map[string]any{
				"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": id,
				"AuthParameters": map[string]string{"REFRESH_TOKEN": tokens.RefreshToken, "SECRET_HASH": hash},
			}, nil)
		}
		var refused *CognitoError
		require.ErrorAs(t, refresh("wrong"), &refused)
		require.Equal(t, "NotAuthorizedException", refused.Type)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("demo" + id))
		require.NoError(t, refresh(base64.StdEncoding.EncodeToString(mac.Sum(nil))))
	})
	t.Run("an unconfirmed user is refused, but not by the flow for servers", func(t *testing.T) {
		id, _, err := pool.SecretClient(ctx, "users")
		require.NoError(t, err)
		require.NoError(t, m.call(ctx, "SignUp", map[string]any{"ClientId": id, "Username": "new", "Password": "simple-password"}, nil))
		_, err = pool.SignIn(ctx, id, "new", "simple-password")
		var refused *CognitoError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "UserNotConfirmedException", refused.Type)
		require.NoError(t, m.call(ctx, "AdminInitiateAuth", map[string]any{
			"AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "UserPoolId": pool.ID, "ClientId": id,
			"AuthParameters": map[string]string{"USERNAME": "new", "PASSWORD": "simple-password"},
		}, nil))
		_, err = pool.SignIn(ctx, id, "nobody", "simple-password")
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "UserNotFoundException", refused.Type)
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
