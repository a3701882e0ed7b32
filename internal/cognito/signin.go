package cognito

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"adsidecar/internal/account"
	"adsidecar/internal/awsclient"
)

// The operations by their names in errors.
const (
	initiateAuth  = "AdminInitiateAuth"
	signUp        = "SignUp"
	confirmSignUp = "AdminConfirmSignUp"
)

// attempt is one call of SignIn.
type attempt struct {
	*Pool
	username, password string

	isNew bool
	// signUpLost: SignUp was tried again by the SDK after a try whose answer was lost, and found the user there.
	signUpLost bool
}

// SignIn signs the user in, and up before if the pool does not know the name. Besides the errors of package account it returns
// *account.InvalidError (before any call where the limits of Cognito's API say so), context.Canceled when the caller went away, and
// errors that are none of these where the operator has to do something: their text says what, and is for the log alone. No error has
// the password, a token or the client's secret in its text.
//
// Session.New is told once for each user that is signed up here, by the call whose confirmation took effect; of several at the same
// time exactly one. Two cases are open. It is lost with a call that dies or fails between the confirmation and its answer. And in a
// pool that confirms on its own, a SignUp whose answer was lost and that then finds the user there counts as this call's: another
// call at the same moment may say so as well.
func (p *Pool) SignIn(ctx context.Context, username, password string) (account.Session, error) {
	if err := checkInput(username, password); err != nil {
		return account.Session{}, err
	}
	a := &attempt{Pool: p, username: username, password: password}

	session, err := a.initiateAuth(ctx)
	if refused(err) {
		confirmed, err := a.signUp(ctx)
		if err != nil {
			return account.Session{}, err
		}
		if !confirmed {
			if err := a.confirm(ctx); err != nil {
				return account.Session{}, err
			}
		}
		session, err = a.initiateAuth(ctx)
		return a.finish(ctx, session, err)
	}
	return a.finish(ctx, session, err)
}

// finish judges a sign-in after which only a confirmation can be missing.
func (a *attempt) finish(ctx context.Context, session account.Session, err error) (account.Session, error) {
	if awsclient.Code(err) == codeNotConfirmed {
		// Somebody's sign-up has not been confirmed: it runs at this moment, died, or lost its answer. Cognito says so for a wrong
		// password as well; then the next answer refuses.
		if err := a.confirm(ctx); err != nil {
			return account.Session{}, err
		}
		session, err = a.initiateAuth(ctx)
	} else if err == nil && a.signUpLost {
		// The password did not work before the sign-up and does now, so the lost sign-up took effect; see SignIn.
		a.isNew = true
	}
	if err != nil {
		return account.Session{}, a.signInFailure(ctx, err)
	}
	session.New = a.isNew
	return session, nil
}

// initiateAuth returns the SDK's own errors, or one of account's.
func (a *attempt) initiateAuth(ctx context.Context) (account.Session, error) {
	parameters := map[string]string{"USERNAME": a.username, "PASSWORD": a.password}
	if hash := a.secretHash(a.username); hash != nil {
		parameters["SECRET_HASH"] = *hash
	}
	out, err := a.client.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{
		UserPoolId:     &a.id,
		ClientId:       &a.clientID,
		AuthFlow:       types.AuthFlowTypeAdminUserPasswordAuth,
		AuthParameters: parameters,
	})
	if err != nil {
		return account.Session{}, err
	}
	if out.ChallengeName != "" {
		return account.Session{}, answered{fmt.Errorf("%s: %w (%.64s)", initiateAuth, account.ErrChallenge, out.ChallengeName)}
	}
	if out.AuthenticationResult == nil {
		return account.Session{}, answered{errors.New(initiateAuth + ": the answer has neither tokens nor a challenge")}
	}
	token := aws.ToString(out.AuthenticationResult.IdToken)
	sub, err := subject(token)
	if err != nil {
		return account.Session{}, answered{fmt.Errorf("%s: read the ID token: %w", initiateAuth, err)}
	}
	return account.Session{IDToken: token, UserID: sub}, nil
}

// signUp reports whether a confirmation is out of question: the pool confirmed the user on its own, or the user was there before.
func (a *attempt) signUp(ctx context.Context) (confirmed bool, err error) {
	var tries awsclient.Attempts
	out, err := a.client.SignUp(ctx, &cip.SignUpInput{
		ClientId:   &a.clientID,
		Username:   &a.username,
		Password:   &a.password,
		SecretHash: a.secretHash(a.username),
	}, cip.WithAPIOptions(tries.Watch))
	switch {
	case err == nil:
		a.isNew = out.UserConfirmed
		return out.UserConfirmed, nil
	case awsclient.Code(err) == codeUsernameExists:
		a.signUpLost = tries.MaybeApplied
		return true, nil
	default:
		return false, a.signUpFailure(ctx, err)
	}
}

// confirm confirms the sign-up, whoever made it. A confirmation works once: that makes its caller the one whose user is new.
func (a *attempt) confirm(ctx context.Context) error {
	var tries awsclient.Attempts
	_, err := a.client.AdminConfirmSignUp(ctx, &cip.AdminConfirmSignUpInput{UserPoolId: &a.id, Username: &a.username}, cip.WithAPIOptions(tries.Watch))
	switch code := awsclient.Code(err); {
	case err == nil:
		a.isNew = true
		return nil
	case code == codeNotAuthorized: // "Current status is CONFIRMED": by another call, or by a try of this one whose answer was lost
		a.isNew = a.isNew || tries.MaybeApplied
		return nil
	case code == codeUserNotFound: // deleted since: the sign-in that follows says so
		return nil
	default:
		return a.failure(ctx, confirmSignUp, err)
	}
}
