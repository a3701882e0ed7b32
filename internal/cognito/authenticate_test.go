package cognito_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
	"adsidecar/internal/cognito/strictfake"
)

// TestAuthenticateSignsNobodyUp: one call, whoever asks, and no user that was not there.
func TestAuthenticateSignsNobodyUp(t *testing.T) {
	for name, tc := range map[string]struct {
		user     *strictfake.User
		password string
		want     error
	}{
		"a user of the pool":             {&strictfake.User{Password: password, Confirmed: true}, password, nil},
		"a wrong password":               {&strictfake.User{Password: password, Confirmed: true}, wrong, account.ErrRefused},
		"a user that is not there":       {nil, password, account.ErrRefused},
		"a user that is not confirmed":   {&strictfake.User{Password: password}, password, account.ErrRefused},
		"a user that is disabled":        {&strictfake.User{Password: password, Confirmed: true, Disabled: true}, password, account.ErrRefused},
		"a user with a second factor":    {&strictfake.User{Password: password, Confirmed: true, Challenge: "SOFTWARE_TOKEN_MFA"}, password, account.ErrChallenge},
		"a user that needs a new secret": {&strictfake.User{Password: password, Confirmed: true, ResetRequired: true}, password, account.ErrChallenge},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, strictfake.Config{})
			if tc.user != nil {
				f.SetUser("alice", *tc.user)
			}
			session, err := f.pool.Authenticate(within(t, patience), "alice", tc.password)
			require.Equal(t, []string{"AdminInitiateAuth"}, f.Calls())
			if tc.want == nil {
				require.NoError(t, err)
				require.NotEmpty(t, session.IDToken)
				require.False(t, session.New)
				return
			}
			require.ErrorIs(t, err, tc.want)
			require.NotContains(t, err.Error(), tc.password)
			require.Empty(t, session)
			u, there := f.User("alice")
			require.Equal(t, tc.user != nil, there)
			require.Equal(t, tc.user != nil && tc.user.Confirmed, u.Confirmed)
		})
	}
	f := start(t, strictfake.Config{})
	_, err := f.pool.Authenticate(t.Context(), "", password)
	var invalid *account.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Empty(t, f.Calls())
}
