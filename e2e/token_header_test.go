package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// misspelled: a token comes raw, after "Bearer " or after "bearer ", and that is the whole value.
func (e *edge) misspelled(t *testing.T) {
	for _, value := range []string{
		"BEARER T", "BeArEr T", "Basic T", "JWT T", "Token T", "Bearer  T", "Bearer\tT", "Bearer\t T", "BearerT", "Bearer:T", "Bearer: T", "Bearer=T",
		"Bearer", "T x", "Bearer T x", "Bearer T\tx", "Bearer T;x", "T,", "Bearer T,", ",T", ", Bearer T", "Bearer T.", "T.", ".T", "Bearer .T", "T.x",
		"Bearer \"T\"", "\"T\"", "'T'", "<T>", "Bearer T=", "T=", "xBearer T", "x Bearer T", "Basic Bearer T", "Bearer Bearer T", "Bearer bearer T",
		"bearer Bearer T", "Bearer x Bearer T", "Bearer T Bearer T", "Bearer T Bearer x", "Digest a=\"b\" Bearer T", "Bearer T\x80", "\xef\xbb\xbfT", "Bearer\xc2\xa0T",
	} {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			value = strings.ReplaceAll(value, "T", e.Token())
			for _, path := range []string{adQuery, "/game/scores", "/nowhere"} {
				requireError(t, raw(t, e.Stack, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: "+value+"\r\n\r\n"), 401, "unauthorized", "")
			}
		})
	}
	requireError(t, raw(t, e.Stack, "GET "+adQuery+" HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n\r\n"), 401, "unauthorized", "")
}

// elsewhere: the token is read from one header (row U14).
func (e *edge) elsewhere(t *testing.T) {
	for _, query := range []string{"access_token=", "token=", "jwt=", "id_token=", "Authorization=", "authorization=Bearer%20"} {
		t.Run("query "+query, func(t *testing.T) {
			for _, path := range []string{adQuery + "&", "/game/scores?", "/nowhere?"} {
				requireError(t, do(t, e.Stack, "GET", path+query+e.Token(), ""), 401, "unauthorized", "")
			}
		})
	}
	for _, header := range []string{
		"X-Authorization: Bearer ", "X-Forwarded-Authorization: Bearer ", "Proxy-Authorization: Bearer ", "X-Amz-Security-Token: ", "X-Access-Token: ", "Token: ",
		"X-Api-Key: ", "Cookie: access_token=", "Cookie: Authorization=Bearer ", "Authentication: Bearer ", "Authorization2: Bearer ", "X-Player: ",
	} {
		t.Run("header "+header, func(t *testing.T) {
			for _, path := range []string{adQuery, "/game/scores", "/nowhere"} {
				requireError(t, raw(t, e.Stack, "GET "+path+" HTTP/1.1\r\nHost: x\r\n"+header+e.Token()+"\r\n\r\n"), 401, "unauthorized", "")
			}
		})
	}
	t.Run("path", func(t *testing.T) {
		requireError(t, do(t, e.Stack, "GET", "/ad_request/"+e.Token(), ""), 401, "unauthorized", "")
	})
	t.Run("body", func(t *testing.T) {
		a, err := e.Envoy().Do(deadline(t, 10*time.Second), "POST", "/game/scores", "", []byte("access_token="+e.Token()))
		require.NoError(t, err)
		requireError(t, a, 401, "unauthorized", "")
	})
}

// two: whichever of two tokens was meant, the request is refused, on every path that needs one.
func (e *edge) two(t *testing.T) {
	access, id := "Bearer "+e.Token(), "Bearer "+e.Tokens().IDToken
	bad := "Bearer " + e.tampered(t, e.Token())
	for name, values := range map[string][]string{
		"the same twice":               {access, access},
		"raw and Bearer":               {e.Token(), access},
		"two good ones":                {access, id},
		"a good and a bad one":         {access, bad},
		"a bad and a good one":         {bad, access},
		"a good one and Basic":         {access, "Basic dTpw"},
		"Basic and a good one":         {"Basic dTpw", access},
		"joined by a comma":            {access + "," + id},
		"joined by a comma and space":  {access + ", " + access},
		"Basic joined with a good one": {"Basic dTpw," + access},
		"a good one joined with Basic": {access + ",Basic dTpw"},
		"three":                        {"x", access, "y"},
	} {
		for _, path := range []string{adQuery, "/prod" + adQuery, "/game/scores", "/bare", "/nowhere"} {
			t.Run(name+" "+path, func(t *testing.T) {
				for _, protocol := range []int{1, 2} {
					requireError(t, e.send(t, protocol, "GET", path, http.Header{"Authorization": values}), 401, "unauthorized", "")
				}
			})
		}
	}
}

// beside an empty header there is still one token: Envoy drops empty values before anything can see them.
func (e *edge) besideNothing(t *testing.T) {
	for _, values := range [][]string{{e.Token(), ""}, {"", e.Token()}} {
		for _, protocol := range []int{1, 2} {
			require.Equal(t, 200, e.send(t, protocol, "GET", adQuery, http.Header{"Authorization": values}).Status)
		}
	}
}

// forwarded: an upstream is told who the verified player is, and nobody else can tell it.
func (e *edge) forwarded(t *testing.T) {
	claims := stack.Access(gameClient).With(map[string]any{"sub": "the-player"})
	token, nameless := e.sign(t, e.players, claims), e.sign(t, e.players, claims.With(map[string]any{"sub": nil}))
	id := e.sign(t, e.players, stack.ID(gameClient).With(map[string]any{"sub": "the-player"}))
	for name, tt := range map[string]struct {
		path, authorization string
		spoofed             []string // x-player as the client sends it
		player, forwarded   string   // as the game gets them; "" is absent
	}{
		"an access token":                          {"/game/scores", "Bearer " + token, nil, "the-player", "Bearer " + token},
		"a raw token":                              {"/game/scores", token, nil, "the-player", token},
		"an ID token":                              {"/game/scores", "bearer " + id, nil, "the-player", "bearer " + id},
		"a spoofed header":                         {"/game/scores", "Bearer " + token, []string{"victim"}, "the-player", "Bearer " + token},
		"two spoofed headers":                      {"/game/scores", "Bearer " + token, []string{"victim", "victim"}, "the-player", "Bearer " + token},
		"a spoofed header below a stage":           {"/prod/game/scores", "Bearer " + token, []string{"victim"}, "the-player", "Bearer " + token},
		"a spoofed header and a token without sub": {"/game/scores", "Bearer " + nameless, []string{"victim"}, "", "Bearer " + nameless},
		"the token is not for the game":            {"/bare", "Bearer " + token, nil, "the-player", ""},
		"that, raw and with a spoofed header":      {"/bare", token, []string{"victim"}, "the-player", ""},
		"a public route":                           {"/open", "", nil, "", ""},
		"a public route and a spoofed header":      {"/open", "", []string{"victim"}, "", ""},
		"a public route and a token":               {"/open", "Bearer " + token, []string{"victim"}, "", "Bearer " + token},
		"a public route and its own credentials":   {"/open", "Basic dTpw", []string{"victim"}, "", "Basic dTpw"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, protocol := range []int{1, 2} {
				header := http.Header{"X-Player": tt.spoofed}
				if tt.authorization != "" {
					header.Set("Authorization", tt.authorization)
				}
				before := e.game.Count(strings.TrimPrefix(tt.path, "/prod"))
				a := e.send(t, protocol, "GET", tt.path, header)
				require.Equal(t, 200, a.Status, a)
				require.Equal(t, before+1, e.game.Count(strings.TrimPrefix(tt.path, "/prod")))
				var got stack.Echo
				require.NoError(t, json.Unmarshal(a.Body, &got))
				require.Equal(t, present(tt.player), got.Headers.Values("X-Player"))
				require.Equal(t, present(tt.forwarded), got.Headers.Values("Authorization"))
			}
		})
	}
}

// signIn is the flow of rows S10 to S12: InitiateAuth over plain HTTP, then the access token as it came.
func (e *edge) signIn(t *testing.T) {
	body, err := json.Marshal(map[string]any{
		"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": e.ClientID,
		"AuthParameters": map[string]string{"USERNAME": stack.Username, "PASSWORD": stack.Password},
	})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(deadline(t, 30*time.Second), http.MethodPost, e.Moto.Endpoint, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	reply, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode, "%s", reply)

	var shape map[string]map[string]any
	require.NoError(t, json.Unmarshal(reply, &shape), "%s", reply)
	require.Subset(t, []string{"AuthenticationResult", "ChallengeParameters"}, slices.Collect(maps.Keys(shape)))
	require.Empty(t, shape["ChallengeParameters"]) // moto leaves it out
	result := shape["AuthenticationResult"]
	for _, name := range []string{"AccessToken", "IdToken", "RefreshToken"} {
		require.NotEmpty(t, result[name], name)
		e.use(result[name].(string))
	}
	require.Equal(t, "Bearer", result["TokenType"])
	require.Positive(t, result["ExpiresIn"])
	require.Equal(t, 200, do(t, e.Stack, "GET", adQuery, result["AccessToken"].(string)).Status)
	require.Equal(t, 200, do(t, e.Stack, "GET", adQuery, "Bearer "+result["IdToken"].(string)).Status)
	requireError(t, do(t, e.Stack, "GET", adQuery, result["RefreshToken"].(string)), 401, "unauthorized", "")

	t.Run("by the client in examples", func(t *testing.T) {
		client := exec.CommandContext(deadline(t, time.Minute), tools.Python, filepath.Join(tools.Root, "examples", "ad_client.py"), "us", "eng")
		client.Env = append(os.Environ(), "BASE_URL="+e.BaseURL(), "COGNITO_ENDPOINT="+e.Moto.Endpoint, "CLIENT_ID="+e.ClientID,
			"DEMO_USERNAME="+stack.Username, "DEMO_PASSWORD="+stack.Password, "no_proxy=127.0.0.1")
		out, err := client.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Regexp(t, `^200 \{"id":"[^"]+","url":"[^"]+","videoUrl":"[^"]+"\}\n$`, string(out))
	})
	t.Run("with wrong credentials", func(t *testing.T) { // row S45
		for kind, try := range map[string][3]string{
			"ResourceNotFoundException": {"0123456789abcdefghijklmnop", stack.Username, stack.Password},
			"NotAuthorizedException":    {e.ClientID, stack.Username, "wrong"},
			"UserNotFoundException":     {e.ClientID, "nobody", stack.Password},
		} {
			_, err := e.Pool.SignIn(t.Context(), try[0], try[1], try[2])
			var refused *stack.CognitoError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, kind, refused.Type)
		}
	})
}

// send sends a request with these headers over HTTP/1.1 or HTTP/2.
func (e *edge) send(t *testing.T, protocol int, method, path string, header http.Header) *stack.Answer {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(protocol == 1)
	protocols.SetUnencryptedHTTP2(protocol == 2)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(deadline(t, 20*time.Second), method, e.BaseURL()+path, nil)
	require.NoError(t, err)
	req.Header = header
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.Equal(t, protocol, resp.ProtoMajor)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return &stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// present is what http.Header.Values returns for a header with this value; "" is absent.
func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
