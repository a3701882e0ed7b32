package cognito

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// subject is the sub of a token that came straight from Cognito: its signature is not checked here. Errors have nothing of the token.
func subject(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("it does not have three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("its payload is not base64url")
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", errors.New("its payload is not a JSON object with a text as sub")
	}
	if claims.Sub == "" {
		return "", errors.New("it has no sub")
	}
	return claims.Sub, nil
}
