package cognito

import (
	"context"
	"fmt"

	"adsidecar/internal/account"
	"adsidecar/internal/awsclient"
)

// Authenticate signs in a user that the pool has, by one AdminInitiateAuth: it signs nobody up and confirms nobody. A user that is
// unknown or not confirmed is refused like a wrong password. The errors are those of [Pool.SignIn].
func (p *Pool) Authenticate(ctx context.Context, username, password string) (account.Session, error) {
	if err := checkInput(username, password); err != nil {
		return account.Session{}, err
	}
	a := &attempt{Pool: p, username: username, password: password}
	session, err := a.initiateAuth(ctx)
	switch {
	case awsclient.Code(err) == codeNotConfirmed:
		return account.Session{}, fmt.Errorf("%s: %w (%s)", initiateAuth, account.ErrRefused, codeNotConfirmed)
	case err != nil:
		return account.Session{}, a.signInFailure(ctx, err)
	}
	return session, nil
}
