package stack

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// Algorithm is how a [Token] is signed.
type Algorithm string

// The algorithms of a [Token].
const (
	RS256 Algorithm = "RS256"
	// HS256 signs with the public key's PEM text as the secret: the attack on verifiers that let the token choose.
	HS256 Algorithm = "HS256"
	// None has an empty signature.
	None Algorithm = "none"
)

// Token describes a token to be signed by an [Issuer]. The zero value is a good access token of no client.
type Token struct {
	// Claims are put over the default ones: iss, sub, token_use=access, iat, exp in an hour, jti. A nil value removes a claim.
	Claims map[string]any
	// Algorithm is RS256 if empty.
	Algorithm Algorithm
	// Key is the kid of the key that signs. Empty: the newest.
	Key string
	// KID is the header's kid, if it is to be another than the key's. NoKID leaves it out.
	KID   string
	NoKID bool
	// Size pads the token with a claim to at least this many bytes.
	Size int
}

// Access is a good access token of the client, for claims of one's own.
func Access(clientID string) Token {
	return Token{Claims: map[string]any{"client_id": clientID, "username": "demo", "scope": "aws.cognito.signin.user.admin"}}
}

// ID is a good ID token of the client.
func ID(clientID string) Token {
	return Token{Claims: map[string]any{"token_use": "id", "aud": clientID, "cognito:username": "demo"}}
}

// ClientCredentials is a good access token of the client as Cognito makes it for a program: it has no user, and sub is the client.
func ClientCredentials(clientID string) Token {
	return Token{Claims: map[string]any{"client_id": clientID, "sub": clientID, "scope": "ads/read", "version": 2}}
}

// With is the token with further claims; a nil value removes one.
func (t Token) With(claims map[string]any) Token {
	all := maps.Clone(t.Claims)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, claims)
	t.Claims = all
	return t
}

// Expired is the token with an exp that was ago before now.
func (t Token) Expired(ago time.Duration) Token {
	now := time.Now()
	return t.With(map[string]any{"iat": now.Add(-ago - time.Hour).Unix(), "exp": now.Add(-ago).Unix()})
}

// NotBefore is the token with an nbf that lies in ahead of now.
func (t Token) NotBefore(in time.Duration) Token {
	return t.With(map[string]any{"nbf": time.Now().Add(in).Unix()})
}

// Sign makes the token.
func (i *Issuer) Sign(t Token) (string, error) {
	i.mu.Lock()
	k, err := i.key(t.Key)
	i.mu.Unlock()
	if err != nil {
		return "", err
	}
	payload, err := t.payload(i.Name)
	if err != nil {
		return "", err
	}
	header := map[string]any{"typ": "JWT", "alg": string(RS256), "kid": k.kid}
	if t.KID != "" {
		header["kid"] = t.KID
	}
	if t.NoKID {
		delete(header, "kid")
	}
	switch t.Algorithm {
	case "", RS256:
		return signed(header, payload, jwa.RS256(), k.private)
	case HS256:
		der, err := x509.MarshalPKIXPublicKey(k.private.Public())
		if err != nil {
			return "", fmt.Errorf("sign token: %w", err)
		}
		header["alg"] = string(HS256)
		return signed(header, payload, jwa.HS256(), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	case None:
		header["alg"] = string(None)
		h, err := json.Marshal(header)
		if err != nil {
			return "", fmt.Errorf("sign token: %w", err)
		}
		return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", nil
	default:
		return "", fmt.Errorf("sign token: unknown algorithm %q", t.Algorithm)
	}
}

func (t Token) payload(issuer string) ([]byte, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": issuer, "sub": "5f6c1a52-0000-4000-8000-000000000001", "token_use": "access",
		"iat": now.Unix(), "auth_time": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"jti": fmt.Sprintf("jti-%d", now.UnixNano()),
	}
	maps.Copy(claims, t.Claims)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	if t.Size > 0 {
		// Base64 makes four bytes of three; header and signature only add to it.
		claims["padding"] = strings.Repeat("x", t.Size*3/4)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("write claims: %w", err)
	}
	return payload, nil
}

func signed(header map[string]any, payload []byte, alg jwa.SignatureAlgorithm, key any) (string, error) {
	headers := jws.NewHeaders()
	for name, value := range header {
		if name == "alg" {
			continue // jws.Sign sets it
		}
		if err := headers.Set(name, value); err != nil {
			return "", fmt.Errorf("sign token: %w", err)
		}
	}
	token, err := jws.Sign(payload, jws.WithKey(alg, key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return string(token), nil
}

// Tampered is the token with one bit of its signature changed: as well-formed as before, and not valid.
func Tampered(token string) (string, error) {
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil || len(signature) == 0 {
		return "", fmt.Errorf("tamper with token: it has no signature")
	}
	signature[len(signature)/2] ^= 1
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(signature), nil
}
