package strictfake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"

	"adsidecar/internal/cognito/strictfake"
)

// hash was made with another program:
// printf '%s' 'johngame' | openssl dgst -sha256 -hmac secret -binary | base64.
const hash = "E+ZyuP7dn0kalpw//ruFeyO0ag1RMy+ihfZApCKdM1k="

func start(t *testing.T, c strictfake.Config) *strictfake.Server {
	t.Helper()
	s, err := strictfake.Start(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// call makes an unsigned call.
func call(t *testing.T, s *strictfake.Server, operation string, in map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	client := &http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := answer{status: res.StatusCode, header: res.Header}
	require.NoError(t, json.Unmarshal(data, &a.body))
	return a
}

func signUp(hash string) map[string]any {
	in := map[string]any{"ClientId": "game", "Username": "john", "Password": "randompassword"}
	if hash != "" {
		in["SecretHash"] = hash
	}
	return in
}

func TestErrorsHaveAWSsShape(t *testing.T) {
	s := start(t, strictfake.Config{Clients: []strictfake.Client{{ID: "game", Secret: "secret"}}})
	a := call(t, s, "SignUp", signUp(""))
	require.Equal(t, http.StatusBadRequest, a.status)
	require.Equal(t, "application/x-amz-json-1.1", a.header.Get("Content-Type"))
	require.Equal(t, "NotAuthorizedException:", a.header.Get("X-Amzn-Errortype"))
	require.NotEmpty(t, a.header.Get("X-Amzn-Requestid"))
	require.Equal(t, map[string]any{
		"__type": "NotAuthorizedException", "message": "Client game is configured with secret but SECRET_HASH was not received",
	}, a.body)
}

func TestSecretHashOfSignUp(t *testing.T) {
	for name, c := range map[string]struct {
		secret, hash string
		status       int
	}{
		"right":                         {secret: "secret", hash: hash, status: http.StatusOK},
		"of another secret":             {secret: "another", hash: hash, status: http.StatusBadRequest},
		"missing":                       {secret: "secret", status: http.StatusBadRequest},
		"not base64":                    {secret: "secret", hash: "?", status: http.StatusBadRequest},
		"for a client without a secret": {hash: hash, status: http.StatusBadRequest},
		"none for one without a secret": {status: http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, strictfake.Config{Clients: []strictfake.Client{{ID: "game", Secret: c.secret}}})
			require.Equal(t, c.status, call(t, s, "SignUp", signUp(c.hash)).status)
			_, made := s.User("john")
			require.Equal(t, c.status == http.StatusOK, made)
		})
	}
}

func TestAdministratorsSign(t *testing.T) {
	s := start(t, strictfake.Config{Clients: []strictfake.Client{{ID: "game"}}})
	for _, operation := range []string{"AdminInitiateAuth", "AdminConfirmSignUp", "DescribeUserPoolClient"} {
		require.Equal(t, "MissingAuthenticationTokenException", call(t, s, operation, map[string]any{}).body["__type"], operation)
	}
	require.Equal(t, "UnknownOperationException", call(t, s, "DeleteUserPool", map[string]any{}).body["__type"])
}

func TestTokens(t *testing.T) {
	s := start(t, strictfake.Config{Clients: []strictfake.Client{{ID: "game", Secret: "secret"}}})
	require.Equal(t, http.StatusOK, call(t, s, "SignUp", signUp(hash)).status)
	signIn := map[string]any{
		"ClientId": "game", "AuthFlow": "USER_PASSWORD_AUTH",
		"AuthParameters": map[string]string{"USERNAME": "john", "PASSWORD": "randompassword", "SECRET_HASH": hash},
	}
	require.Equal(t, "UserNotConfirmedException", call(t, s, "InitiateAuth", signIn).body["__type"])
	user, ok := s.User("john")
	require.True(t, ok)
	user.Confirmed = true
	s.SetUser("john", user)

	result, ok := call(t, s, "InitiateAuth", signIn).body["AuthenticationResult"].(map[string]any)
	require.True(t, ok)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.JWKSURL(), http.NoBody)
	require.NoError(t, err)
	client := &http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	keys, err := jwk.ParseReader(res.Body)
	require.NoError(t, err)
	for name, c := range map[string]struct{ token, use, client string }{
		"the ID token":     {token: result["IdToken"].(string), use: "id", client: "aud"},
		"the access token": {token: result["AccessToken"].(string), use: "access", client: "client_id"},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := jwt.Parse([]byte(c.token), jwt.WithKeySet(keys), jwt.WithIssuer("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_StrictFake"))
			require.NoError(t, err)
			sub, _ := token.Subject()
			require.Equal(t, user.Sub, sub)
			var use string
			require.NoError(t, token.Get("token_use", &use))
			require.Equal(t, c.use, use)
			require.True(t, token.Has(c.client))
		})
	}
}

func TestLockout(t *testing.T) {
	s := start(t, strictfake.Config{Clients: []strictfake.Client{{ID: "game"}}})
	s.SetUser("john", strictfake.User{Password: "randompassword", Confirmed: true})
	signIn := func(password string) any {
		return call(t, s, "InitiateAuth", map[string]any{
			"ClientId": "game", "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": map[string]string{"USERNAME": "john", "PASSWORD": password},
		}).body["message"]
	}
	for range 2 {
		for range 4 {
			require.Equal(t, "Incorrect username or password.", signIn("wrong-password"))
		}
		require.Nil(t, signIn("randompassword"), "which ends the row")
	}
	for range 5 {
		require.Equal(t, "Incorrect username or password.", signIn("wrong-password"))
	}
	for _, password := range []string{"wrong-password", "randompassword", "randompassword"} {
		require.Equal(t, "Password attempts exceeded", signIn(password))
	}
	s.Unlock("john")
	require.Nil(t, signIn("randompassword"))
}
