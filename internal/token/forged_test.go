package token

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVerifyRefusesForgedTokens is about who signed. Each token would be good if the issuer had signed it as it says.
func TestVerifyRefusesForgedTokens(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	claims := func() string {
		return marshal(map[string]any{"iss": issuer, "sub": "admin", "token_use": "access", "client_id": client, "exp": p.in(1e9)})
	}
	header := func(members map[string]any) string {
		return marshal(merge(map[string]any{"alg": "RS256", "kid": kid}, members))
	}
	unsigned := func(header, signature string) string {
		return encode([]byte(header)) + "." + encode([]byte(claims())) + "." + signature
	}
	mac := func(alg string, secret []byte) string {
		input := strings.TrimSuffix(unsigned(header(map[string]any{"alg": alg}), ""), ".")
		h := hmac.New(sha256.New, secret)
		_, _ = h.Write([]byte(input))
		return input + "." + encode(h.Sum(nil))
	}
	der, err := x509.MarshalPKIXPublicKey(poolKey().Public())
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	pss := func(alg string) string {
		input := strings.TrimSuffix(unsigned(header(map[string]any{"alg": alg}), ""), ".")
		sum := sha256.Sum256([]byte(input))
		signature, err := rsa.SignPSS(rand.Reader, poolKey(), crypto.SHA256, sum[:], nil)
		require.NoError(t, err)
		return input + "." + encode(signature)
	}
	ours, theirs := poolKey(), otherKey()
	theirJWK := jwkOf(kid, theirs)
	good := p.access(nil)
	parts := strings.Split(good, ".")
	evil := "http://" + strings.TrimPrefix(p.url, "http://") + "?evil"

	tests := map[string]string{
		"alg none":                                     unsigned(header(map[string]any{"alg": "none"}), "AA"),
		"alg None in other letters":                    unsigned(header(map[string]any{"alg": "nOnE"}), "AA"),
		"alg none with a good signature":               signText(header(map[string]any{"alg": "none"}), claims(), ours),
		"HS256 with the public key's PEM as secret":    mac("HS256", publicPEM),
		"HS256 with the PEM without its last line end": mac("HS256", bytes.TrimSpace(publicPEM)),
		"HS256 with the public key's DER as secret":    mac("HS256", der),
		"HS256 with the modulus as secret":             mac("HS256", ours.N.Bytes()),
		"HS256 called RS256":                           mac("RS256", publicPEM),
		"RS512 by its header":                          signText(header(map[string]any{"alg": "RS512"}), claims(), ours),
		"PS256":                                        pss("PS256"),
		"PS256 called RS256":                           pss("RS256"),
		"rs256 in small letters":                       signText(header(map[string]any{"alg": "rs256"}), claims(), ours),
		"no alg":                                       signText(header(map[string]any{"alg": nil}), claims(), ours),
		"alg in a list":                                signText(header(map[string]any{"alg": []string{"RS256"}}), claims(), ours),
		"alg under another name":                       signText(header(map[string]any{"alg": nil, "ALG": "RS256"}), claims(), ours),
		"another key with the same kid":                signText(header(nil), claims(), theirs),
		"another key in the header":                    signText(header(map[string]any{"jwk": theirJWK}), claims(), theirs),
		"another key at jku":                           signText(header(map[string]any{"jku": evil}), claims(), theirs),
		"another key at x5u":                           signText(header(map[string]any{"x5u": evil}), claims(), theirs),
		"another key in x5c":                           signText(header(map[string]any{"x5c": []string{encode(der)}}), claims(), theirs),
		"another key's kid":                            signText(header(map[string]any{"kid": "other"}), claims(), ours),
		"no kid":                                       signText(header(map[string]any{"kid": nil}), claims(), ours),
		"an empty kid":                                 signText(header(map[string]any{"kid": ""}), claims(), ours),
		"a kid that is null":                           signText(header(map[string]any{"kid": null}), claims(), ours),
		"a kid that is a number":                       signText(header(map[string]any{"kid": 1}), claims(), ours),
		"a kid that is a path":                         signText(header(map[string]any{"kid": "../../dev/null"}), claims(), ours),
		"a kid of other letters that look the same":    signText(header(map[string]any{"kid": "kеy-1"}), claims(), ours),
		"a kid in capitals":                            signText(header(map[string]any{"kid": "KEY-1"}), claims(), ours),
		"a kid with a null byte":                       signText(header(map[string]any{"kid": kid + "\x00"}), claims(), ours),
		"a kid with a space":                           signText(header(map[string]any{"kid": kid + " "}), claims(), ours),
		"a long kid":                                   signText(header(map[string]any{"kid": strings.Repeat("k", 8<<10)}), claims(), ours),
		"a critical extension":                         signText(header(map[string]any{"crit": []string{"exp"}, "exp": 1}), claims(), ours),
		"an empty list of critical extensions":         signText(header(map[string]any{"crit": []string{}}), claims(), ours),
		"critical extensions that are null":            signText(header(map[string]any{"crit": null}), claims(), ours),
		"a payload that is not base64url":              signText(header(map[string]any{"b64": false, "crit": []string{"b64"}}), claims(), ours),
		"b64 without crit":                             signText(header(map[string]any{"b64": false}), claims(), ours),
		"alg twice":                                    signText(`{"alg":"none","alg":"RS256","kid":"key-1"}`, claims(), ours),
		"alg twice, once escaped":                      signText(`{"alg":"RS256","\u0061lg":"none","kid":"key-1"}`, claims(), ours),
		"kid twice":                                    signText(`{"alg":"RS256","kid":"key-2","kid":"key-1"}`, claims(), ours),
		"a header that is a list":                      signText(`[]`, claims(), ours),
		"a header that is null":                        signText(`null`, claims(), ours),
		"a header that is no JSON":                     signText(`alg=RS256`, claims(), ours),
		"a header with something behind":               signText(header(nil)+"{}", claims(), ours),
		"a huge header":                                signText(header(map[string]any{"x": strings.Repeat("x", 1<<20)}), claims(), ours),
		"another token's payload":                      parts[0] + "." + encode([]byte(claims())) + "." + parts[2],
		"another token's header":                       encode([]byte(header(map[string]any{"typ": "JWT"}))) + "." + parts[1] + "." + parts[2],
	}
	before := p.requests.Load()
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			for _, prefix := range []string{"", "Bearer "} {
				require.ErrorIs(t, verify(t, v, prefix+token), ErrUnauthorized)
			}
		})
	}
	require.Equal(t, before, p.requests.Load(), "no forged token makes us ask within 10 s")
	require.NoError(t, verify(t, v, good))
}

// TestOnlyWhatTheIssuerMaySignMakesUsAsk: tokens that no key could make good cost the issuer nothing.
func TestOnlyWhatTheIssuerMaySignMakesUsAsk(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	p.advance(demandInterval)
	for _, header := range []map[string]any{
		{"kid": newKid, "alg": "none"},
		{"kid": newKid, "alg": "HS256"},
		{"kid": newKid, "alg": "RS512"},
		{"kid": newKid, "alg": nil},
		{"kid": newKid, "crit": []string{"exp"}},
		{"kid": newKid, "b64": true},
		{"kid": ""},
		{"kid": nil},
	} {
		require.ErrorIs(t, verify(t, v, p.sign(draft{header: header})), ErrUnauthorized)
	}
	require.EqualValues(t, 1, p.requests.Load())
}

// TestVerifyIgnoresKeysInTheHeader is the other side: what a header names besides kid has no say.
func TestVerifyIgnoresKeysInTheHeader(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	require.NoError(t, verify(t, v, p.sign(draft{header: map[string]any{
		"jwk": jwkOf("x", otherKey()), "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "typ": "JWT",
	}})))
	require.EqualValues(t, 1, p.requests.Load())
}

// TestVerifyOfKidsInUnicode: a kid is any string (RFC 7515, section 4.1.4), matched byte for byte.
func TestVerifyOfKidsInUnicode(t *testing.T) {
	p := newPool(t)
	p.publish(map[string]*rsa.PrivateKey{"ключ": poolKey(), "e\u0301": otherKey()})
	v := p.verifier(t)
	require.NoError(t, verify(t, v, p.sign(draft{header: map[string]any{"kid": "ключ"}})))
	require.ErrorIs(t, verify(t, v, p.sign(draft{header: map[string]any{"kid": "\u00e9"}, key: otherKey()})), ErrUnauthorized)
}

func TestKeysThatAreNotTaken(t *testing.T) {
	p := newPool(t)
	with := func(members map[string]any) map[string]any { return merge(jwkOf(newKid, poolKey()), members) }
	private := with(map[string]any{
		"d": encode(poolKey().D.Bytes()), "p": encode(poolKey().Primes[0].Bytes()), "q": encode(poolKey().Primes[1].Bytes()),
		"dp": encode(poolKey().Precomputed.Dp.Bytes()), "dq": encode(poolKey().Precomputed.Dq.Bytes()),
		"qi": encode(poolKey().Precomputed.Qinv.Bytes()),
	})
	tests := map[string]map[string]any{
		"of 2040 bits":             jwkOf(newKid, weakKey()),
		"of 16384 bits":            with(map[string]any{"n": encode(append([]byte{0x80}, bytes.Repeat([]byte{1}, 2047)...))}),
		"for encryption":           with(map[string]any{"use": "enc"}),
		"for RS512":                with(map[string]any{"alg": "RS512"}),
		"for HS256":                with(map[string]any{"alg": "HS256"}),
		"without a kid":            with(map[string]any{"kid": nil}),
		"with an empty kid":        with(map[string]any{"kid": ""}),
		"that is private":          private,
		"that is symmetric":        {"kty": "oct", "kid": newKid, "k": encode([]byte("secret")), "alg": "HS256", "use": "sig"},
		"of an elliptic curve":     {"kty": "EC", "kid": newKid, "crv": "P-256", "x": encode(make([]byte, 32)), "y": encode(make([]byte, 32))},
		"of an unknown type":       with(map[string]any{"kty": "ML-DSA"}),
		"without a modulus":        with(map[string]any{"n": nil}),
		"with the exponent 1":      with(map[string]any{"e": "AQ"}),
		"with an even exponent":    with(map[string]any{"e": "BA"}),
		"with a modulus of zeros":  with(map[string]any{"n": encode(make([]byte, 256))}),
		"with a kid of a number":   with(map[string]any{"kid": 1}),
		"that is not even a key":   {},
		"whose modulus is no text": with(map[string]any{"n": 5}),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			p.serveJSON(map[string]any{"keys": []any{bad, jwkOf(kid, poolKey())}})
			v := p.verifier(t)
			require.Equal(t, []string{kid}, v.keys.set.Load().ids())
			require.NoError(t, verify(t, v, p.access(nil)), "the good key beside it")

			p.serveJSON(map[string]any{"keys": []any{bad}})
			_, err := parseKeys([]byte(marshal(map[string]any{"keys": []any{bad}})))
			require.ErrorContains(t, err, "no RSA key for signatures")
		})
	}
	for name, good := range map[string]map[string]any{
		"says nothing of its use":       with(map[string]any{"use": nil}),
		"says nothing of its algorithm": with(map[string]any{"alg": nil}),
		"has 8192 bits":                 with(map[string]any{"n": encode(append([]byte{0x80}, bytes.Repeat([]byte{1}, 1023)...))}),
	} {
		t.Run("but one that "+name+" is", func(t *testing.T) {
			set, err := parseKeys([]byte(marshal(map[string]any{"keys": []any{good}})))
			require.NoError(t, err)
			require.Equal(t, []string{newKid}, set.ids())
		})
	}
}

func TestOfKeysWithTheSameKidTheFirstIsTaken(t *testing.T) {
	p := newPool(t)
	p.serveJSON(map[string]any{"keys": []any{jwkOf(kid, poolKey()), jwkOf(kid, otherKey())}})
	v := p.verifier(t)
	require.NoError(t, verify(t, v, p.access(nil)))
	require.ErrorIs(t, verify(t, v, p.sign(draft{key: otherKey()})), ErrUnauthorized)
}

// badAnswers are what is no JWKS.
func badAnswers() map[string]http.HandlerFunc {
	whole := marshal(map[string]any{"keys": []any{jwkOf(newKid, poolKey())}})
	many := make([]any, maxKeys+1)
	for i := range many {
		many[i] = json.RawMessage(marshal(jwkOf(newKid, poolKey())))
	}
	return map[string]http.HandlerFunc{
		"status 500":             text(500, whole),
		"status 404":             text(404, whole),
		"status 204":             text(204, ""),
		"nothing":                text(200, ""),
		"garbage":                text(200, "\x00\xff<html>"),
		"a cut body":             text(200, whole[:len(whole)/2]),
		"null":                   text(200, "null"),
		"a list":                 text(200, "[]"),
		"no keys":                text(200, `{"keys":[]}`),
		"keys that are a string": text(200, `{"keys":"x"}`),
		"too many keys":          text(200, marshal(map[string]any{"keys": many})),
		"more than a megabyte":   text(200, whole[:len(whole)-1]+`,"x":"`+strings.Repeat("x", maxJWKSBytes)+`"}`),
		"a body without end": func(w http.ResponseWriter, _ *http.Request) {
			for block := bytes.Repeat([]byte(" "), 64<<10); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
		"less than its length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(whole))
		},
		"a gzip body that was not asked for": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08"))
		},
		"a redirect to itself": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"a broken connection":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
}
