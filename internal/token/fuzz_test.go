package token

import (
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// offline is a verifier with poolKey as key-1, that nobody answers.
func offline(t testing.TB, c *clock) *Verifier {
	t.Helper()
	v, err := New(Config{
		Issuer: issuer, JWKSURL: "http://127.0.0.1:1/", ClientIDs: []string{client}, Uses: []string{"access", "id"}, Now: c.now,
	})
	require.NoError(t, err)
	v.keys.started = c.now() // no reading on demand
	v.keys.set.Store(&keySet{byID: map[string]*rsa.PublicKey{kid: &poolKey().PublicKey}, verified: newCache(cacheSize)})
	return v
}

// FuzzVerify edits a good token: cut bytes at a place give way to insert. What comes of it is the good token, or refused. The key is
// another one in each process, so the edits, and not the tokens, are what the corpus keeps.
func FuzzVerify(f *testing.F) {
	p := &pool{clock: newClock()}
	v := offline(f, p.clock)
	good := "Bearer " + p.access(nil)
	firstDot := strings.IndexByte(good, '.')
	lastDot := strings.LastIndexByte(good, '.')
	_, err := v.Verify(f.Context(), good)
	require.NoError(f, err)

	f.Add(uint16(0), uint16(0), "")
	f.Add(uint16(0), uint16(7), "")
	f.Add(uint16(0), uint16(7), "bearer ")
	f.Add(uint16(0), uint16(7), "Basic Bearer ")
	f.Add(uint16(len(good)), uint16(0), "=")
	f.Add(uint16(len(good)), uint16(0), "\n")
	f.Add(uint16(len(good)-1), uint16(1), "B")
	f.Add(uint16(lastDot+1), uint16(1000), "")
	f.Add(uint16(lastDot+1), uint16(1000), "AA")
	f.Add(uint16(7), uint16(firstDot-7), encode([]byte(`{"alg":"none","kid":"key-1"}`)))
	f.Add(uint16(7), uint16(firstDot-7), encode([]byte(`{"kid":"key-1","alg":"RS256"}`)))
	f.Add(uint16(7), uint16(firstDot-7), encode([]byte(`{"alg":"HS256","kid":"key-1"}`)))
	f.Add(uint16(7), uint16(firstDot-7), encode([]byte(`{"alg":"RS256","kid":"key-2"}`)))
	f.Add(uint16(7), uint16(2000), "..")
	f.Fuzz(func(t *testing.T, at, cut uint16, insert string) {
		from := min(int(at), len(good))
		to := min(from+int(cut), len(good))
		authorization := good[:from] + insert + good[to:]
		token := strings.TrimPrefix(good, "Bearer ")
		_, err := v.Verify(t.Context(), authorization)
		if authorization == token || authorization == "Bearer "+token || authorization == "bearer "+token {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, ErrUnauthorized)
	})
}

// FuzzClaims is about payloads that the issuer signed. What is accepted says, to another reader of JSON, what it was accepted for.
func FuzzClaims(f *testing.F) {
	c := newClock()
	v := offline(f, c)
	for _, payload := range []string{
		`{"iss":"` + issuer + `","sub":"a","token_use":"access","client_id":"client-1","exp":1772366400}`,
		`{"iss":"` + issuer + `","sub":"a","token_use":"id","aud":"client-1","exp":1.7723664e9,"cognito:groups":["x","y"],"nbf":0,"iat":1}`,
		`{"iss":"` + issuer + `","sub":"a","sub":"b","token_use":"access","client_id":"client-1","exp":1772366400}`,
		`{"iss":"` + issuer + `","sub":"\u00e9","token_use":"access","client_id":"client-1","exp":1772366400,"cognito:groups":null}`,
		`{}`, `[]`, `null`, `{"exp":1e999}`, "{\"sub\":\"\xff\"}", "",
	} {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		claims, err := v.verifyClaims(payload)
		if err != nil {
			require.Zero(t, claims)
			return
		}
		var read map[string]any
		require.NoError(t, json.Unmarshal(payload, &read))
		require.Equal(t, issuer, read["iss"])
		require.Equal(t, claims.Subject, read["sub"])
		require.NotEmpty(t, claims.Subject)
		exp, ok := read["exp"].(float64)
		require.True(t, ok)
		require.GreaterOrEqual(t, exp, float64(c.now().Unix()-60))
		require.WithinDuration(t, time.Unix(int64(exp), 0), claims.Expires, time.Second)
		name := map[any]string{"access": "client_id", "id": "aud"}[read["token_use"]]
		require.Equal(t, client, read[name])
		if groups, ok := read["cognito:groups"]; ok {
			require.Len(t, groups, len(claims.Groups))
			for i := range claims.Groups {
				require.Equal(t, groups.([]any)[i], claims.Groups[i])
			}
		}
	})
}

// FuzzKeys is about what an issuer, or who is in its place, answers.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(marshal(map[string]any{"keys": []any{jwkOf(kid, poolKey())}})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"AQAB"},{"kty":"EC"},{},null,1]}`))
	f.Add([]byte(`{"kty":"RSA"}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := parseKeys(body)
		if err != nil {
			require.Nil(t, set)
			return
		}
		require.NotEmpty(t, set.byID)
		require.NotContains(t, set.byID, "")
		for _, key := range set.byID {
			require.GreaterOrEqual(t, key.N.BitLen(), minKeyBits)
			require.LessOrEqual(t, key.N.BitLen(), maxKeyBits)
			require.GreaterOrEqual(t, key.E, 3)
		}
	})
}
