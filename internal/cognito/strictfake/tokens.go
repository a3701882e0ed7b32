package strictfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

const (
	// keyID is the kid of the only key.
	keyID = "strictfake"
	// tokenLifetime is Cognito's default.
	tokenLifetime = time.Hour
)

// tokens are the answer to a sign-in.
func (s *Server) tokens(c *Client, name string, u *User) (any, error) {
	now := s.config.Now()
	common := map[string]any{
		"sub": u.Sub, "iss": s.Issuer(), "origin_jti": uuid(), "event_id": uuid(),
		"auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
	}
	if len(u.Groups) > 0 {
		common["cognito:groups"] = u.Groups
	}
	id, err := s.sign(common, map[string]any{"aud": c.ID, "token_use": "id", "cognito:username": name})
	if err != nil {
		return nil, err
	}
	access, err := s.sign(common, map[string]any{
		"client_id": c.ID, "token_use": "access", "username": name, "scope": "aws.cognito.signin.user.admin",
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"AuthenticationResult": map[string]any{
			"IdToken": id, "AccessToken": access, "RefreshToken": uuid(), "ExpiresIn": int(tokenLifetime.Seconds()), "TokenType": "Bearer",
		},
		"ChallengeParameters": map[string]string{},
	}, nil
}

func (s *Server) sign(common, own map[string]any) (string, error) {
	claims := map[string]any{"jti": uuid()}
	for _, from := range []map[string]any{common, own} {
		for k, v := range from {
			claims[k] = v
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write claims: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.KeyIDKey, keyID); err != nil {
		return "", fmt.Errorf("set the kid: %w", err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.RS256(), s.key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return string(token), nil
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	data, err := s.keys()
	if err != nil {
		http.Error(w, "no keys", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}

func (s *Server) keys() ([]byte, error) {
	key, err := jwk.Import(s.key.Public())
	if err != nil {
		return nil, fmt.Errorf("import the key: %w", err)
	}
	for name, value := range map[string]any{jwk.KeyIDKey: keyID, jwk.AlgorithmKey: jwa.RS256(), jwk.KeyUsageKey: "sig"} {
		if err := key.Set(name, value); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	set := jwk.NewSet()
	if err := set.AddKey(key); err != nil {
		return nil, fmt.Errorf("add the key: %w", err)
	}
	return json.Marshal(set)
}
