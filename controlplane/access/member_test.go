package access

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/cognito/strictfake"
)

// TestNobodyOfThePoolIsCalledAsSomebodyElse: the name alone tells in the history who made a change.
func TestNobodyOfThePoolIsCalledAsSomebodyElse(t *testing.T) {
	clock := newClock()
	pool := startPool(t, clock, "us-east-1_EXAMPLE")
	f := start(t, pool.configure(t, clock))
	for name, code := range map[string]string{
		"local": "name_refused", "local:root": "name_refused", "LOCAL": "name_refused", "Local:Root": "name_refused", "local:": "name_refused",
		"olaf": "name_refused", "Olaf": "name_refused", "vera": "name_refused",
		"locale": "", "alocal": "", "root:local": "", "olaf2": "", strings.Repeat("ä", 128): "",
		strings.Repeat("\U00010348", 65): "name_refused",
	} {
		t.Run(name, func(t *testing.T) {
			pool.SetUser(name, strictfake.User{Password: password, Confirmed: true, Groups: []string{"operators"}})
			signedIn := f.signIn(t, map[string]string{"username": name, "password": password})
			by := bearerOf("POST", "/", "Bearer "+pool.token(t, consoleClient, name))
			if code == "" {
				require.Equal(t, name, signedIn.identity(t).Name)
				require.Equal(t, name, f.do(t, by).identity(t).Name)
				return
			}
			require.Equal(t, 403, signedIn.status)
			require.Equal(t, code, signedIn.code(t))
			require.Nil(t, signedIn.cookie)
			a := f.do(t, by)
			require.Equal(t, 403, a.status)
			require.Equal(t, code, a.code(t))
		})
	}
	require.Equal(t, "olaf", f.do(t, bearerOf("GET", "/", "Bearer "+operatorToken)).identity(t).Name, "whose name it is has it")
}
