package cognito

import (
	"encoding/base64"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestSecretHash has a value that was made with another program:
// printf '%s' 'johngame' | openssl dgst -sha256 -hmac secret -binary | base64.
func TestSecretHash(t *testing.T) {
	p := &Pool{clientID: "game", secret: "secret"}
	require.Equal(t, "E+ZyuP7dn0kalpw//ruFeyO0ag1RMy+ihfZApCKdM1k=", *p.secretHash("john"))
	require.Nil(t, (&Pool{clientID: "game"}).secretHash("john"))
}

func TestSubject(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	sub, err := subject("h." + encode([]byte(`{"sub":"6f1c","aud":["x"]}`)) + ".s")
	require.NoError(t, err)
	require.Equal(t, "6f1c", sub)
	for name, token := range map[string]string{
		"nothing":             "",
		"two parts":           "a.b",
		"four parts":          "a.b.c.d",
		"not base64url":       "a.b+/=.c",
		"not JSON":            "a." + encode([]byte("<html>")) + ".c",
		"a sub that is a 5":   "a." + encode([]byte(`{"sub":5}`)) + ".c",
		"no sub":              "a." + encode([]byte(`{}`)) + ".c",
		"JSON, not an object": "a." + encode([]byte(`["sub"]`)) + ".c",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := subject(token)
			require.Error(t, err)
		})
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI2ZjFjIn0.c2ln")
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		sub, err := subject(token)
		require.Equal(t, err != nil, sub == "")
	})
}

func FuzzCheckInput(f *testing.F) {
	f.Add("john", "randompassword")
	f.Add("", "")
	f.Add("john\u2028", " x")
	f.Add("\xff", "\xff")
	f.Fuzz(func(t *testing.T, username, password string) {
		if checkInput(username, password) != nil {
			return
		}
		require.True(t, utf8.ValidString(username) && utf8.ValidString(password))
		require.NotEmpty(t, username)
		require.NotEmpty(t, password)
		require.LessOrEqual(t, len(username), 4*longestUsername)
		require.LessOrEqual(t, len(password), 4*longestPassword)
	})
}
