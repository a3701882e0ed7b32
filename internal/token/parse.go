package token

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBytes bounds the Authorization header. Cognito's ID tokens grow with their custom attributes and groups, to a few KiB.
const maxBytes = 16 << 10

// strict refuses the encodings of the same bytes that differ in unused bits: they would be other tokens with the same signature.
var strict = base64.RawURLEncoding.Strict()

// compactToken is a token that looks like one: three parts of base64url. Nothing of it is verified.
type compactToken struct {
	text   string // header.payload.signature
	header string
}

// split takes exactly what the gateway's routes take as one token (envoy.oneToken): anything else around or inside the token is no
// token to both.
func split(authorization string) (compactToken, error) {
	if authorization == "" {
		return compactToken{}, unauthorized("there is no token")
	}
	if len(authorization) > maxBytes {
		return compactToken{}, unauthorized("the header is longer than 16 KiB")
	}
	text, found := strings.CutPrefix(authorization, "Bearer ")
	if !found {
		text = strings.TrimPrefix(authorization, "bearer ")
	}
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if !isBase64URL(header) || !isBase64URL(payload) || !isBase64URL(signature) {
		return compactToken{}, unauthorized("the header is not one signed token, raw or after Bearer")
	}
	if _, err := strict.DecodeString(signature); err != nil {
		return compactToken{}, unauthorized("the signature is not base64url")
	}
	return compactToken{text: text, header: header}, nil
}

// isBase64URL reports whether s is one or more characters of the alphabet.
func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// header is the part of a token's header that counts. Keys and places of keys that it may name (jwk, jku, x5c, x5u) are ignored: the
// issuer's are the only ones.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Critical  jsontext.Value `json:"crit"`
	Base64    jsontext.Value `json:"b64"`
}

// keyID returns which key signed, by the token's own words, if the issuer signs in the way that the token names.
func (t compactToken) keyID() (string, error) {
	text, err := strict.DecodeString(t.header)
	if err != nil {
		return "", unauthorized("the token's header is not base64url")
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return "", unauthorized("the token's header is not a JSON object as it should be") // the cause quotes it
	}
	switch {
	case h.Algorithm != "RS256":
		return "", unauthorized("the token is not signed with RS256")
	case h.KeyID == "":
		return "", unauthorized("the token names no key")
	case h.Critical != nil || h.Base64 != nil:
		// RFC 7515, section 4.1.11: what is critical and not understood makes a token invalid.
		return "", unauthorized("the token asks for an extension")
	}
	return h.KeyID, nil
}
