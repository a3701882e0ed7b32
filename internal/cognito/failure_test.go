package cognito_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
	"adsidecar/internal/cognito"
	"adsidecar/internal/cognito/strictfake"
)

// always is a fault of every try.
func always(f strictfake.Fault) []strictfake.Fault { return slices.Repeat([]strictfake.Fault{f}, 8) }

func TestErrorsOfAccount(t *testing.T) {
	confirmed := strictfake.User{Password: password, Confirmed: true}
	with := func(change func(*strictfake.User)) strictfake.User {
		u := confirmed
		change(&u)
		return u
	}
	for name, c := range map[string]struct {
		config   strictfake.Config
		user     strictfake.User // "john"; none if it has no password
		password string          // the right one if empty
		failing  string
		fault    strictfake.Fault
		want     error
	}{
		"a new password is asked for":            {user: with(func(u *strictfake.User) { u.Challenge = "NEW_PASSWORD_REQUIRED" }), want: account.ErrChallenge},
		"another factor is asked for":            {user: with(func(u *strictfake.User) { u.Challenge = "SOFTWARE_TOKEN_MFA" }), want: account.ErrChallenge},
		"the password must be reset":             {user: with(func(u *strictfake.User) { u.ResetRequired = true }), want: account.ErrChallenge},
		"a disabled user":                        {user: with(func(u *strictfake.User) { u.Disabled = true }), want: account.ErrRefused},
		"a wrong password":                       {user: confirmed, password: wrong, want: account.ErrRefused},
		"an unknown user where nobody signs up":  {config: strictfake.Config{NoSignUp: true}, want: account.ErrRefused},
		"a wrong password where nobody signs up": {config: strictfake.Config{NoSignUp: true}, user: confirmed, password: wrong, want: account.ErrRefused},
		"a trigger that refuses the sign-up":     {failing: "SignUp", fault: strictfake.Fault{Error: strictfake.PreSignUpFailed}, want: account.ErrRefused},
		"a trigger that refuses the sign-in":     {user: confirmed, failing: "AdminInitiateAuth", fault: strictfake.Fault{Error: strictfake.PreSignUpFailed}, want: account.ErrRefused},
		"too many requests":                      {user: confirmed, failing: "AdminInitiateAuth", fault: strictfake.Fault{Error: strictfake.TooManyRequests}, want: account.ErrThrottled},
		"too many sign-ups":                      {failing: "SignUp", fault: strictfake.Fault{Error: strictfake.TooManyRequests}, want: account.ErrThrottled},
		"a limit is exceeded":                    {failing: "SignUp", fault: strictfake.Fault{Error: strictfake.LimitExceeded}, want: account.ErrThrottled},
		"too many confirmations":                 {failing: "AdminConfirmSignUp", fault: strictfake.Fault{Error: strictfake.Throttling}, want: account.ErrThrottled},
		"a server error":                         {user: confirmed, failing: "AdminInitiateAuth", fault: strictfake.Fault{Error: strictfake.Internal}, want: account.ErrUnavailable},
		"a server error that is not AWS's": {
			user: confirmed, failing: "AdminInitiateAuth", fault: strictfake.Fault{Error: &strictfake.Error{Status: 502}}, want: account.ErrUnavailable,
		},
		"a server error in the confirmation": {failing: "AdminConfirmSignUp", fault: strictfake.Fault{Error: strictfake.Internal}, want: account.ErrUnavailable},
		"no answer":                          {user: confirmed, failing: "AdminInitiateAuth", fault: strictfake.Fault{Lose: true}, want: account.ErrUnavailable},
		"no answer to a sign-up":             {failing: "SignUp", fault: strictfake.Fault{Lose: true}, want: account.ErrUnavailable},
		"a server that hangs":                {user: confirmed, failing: "AdminInitiateAuth", fault: strictfake.Fault{Hang: true}, want: account.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, c.config, impatient)
			if c.user.Password != "" {
				f.SetUser("john", c.user)
			}
			f.Fail(c.failing, always(c.fault)...)
			typed := password
			if c.password != "" {
				typed = c.password
			}
			_, err := f.signIn(t, "john", typed)
			for _, kind := range []error{account.ErrRefused, account.ErrChallenge, account.ErrThrottled, account.ErrUnavailable} {
				require.Equal(t, errors.Is(c.want, kind), errors.Is(err, kind), "%v: %v", kind, err)
			}
		})
	}
}

func TestTheCallersPatience(t *testing.T) {
	f := start(t, strictfake.Config{})
	f.Fail("AdminInitiateAuth", always(strictfake.Fault{Hang: true})...)
	_, err := f.pool.SignIn(within(t, 100*time.Millisecond), "john", password)
	require.ErrorIs(t, err, account.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestNothingListens(t *testing.T) {
	f := start(t, strictfake.Config{}, func(c *cognito.Config) { c.AWS = awsConfig(t, "http://127.0.0.1:1") })
	_, err := f.signIn(t, "john", password)
	require.ErrorIs(t, err, account.ErrUnavailable)
	require.ErrorContains(t, err, "connection refused")
	require.ErrorIs(t, f.pool.Ready(within(t, patience)), account.ErrUnavailable)
}

// TestErrorsForTheOperator are none of account's, and name the cause.
func TestErrorsForTheOperator(t *testing.T) {
	type change = func(*cognito.Config)
	for name, c := range map[string]struct {
		clients []strictfake.Client
		change  change
		failing string
		fault   strictfake.Fault
		cause   []string
		calls   []string // any if nil
	}{
		"a wrong client ID":  {change: func(c *cognito.Config) { c.ClientID = "another" }, cause: []string{"ResourceNotFoundException", "another does not exist"}},
		"a wrong pool ID":    {change: func(c *cognito.Config) { c.PoolID = "us-east-1_Other" }, cause: []string{"ResourceNotFoundException", "us-east-1_Other does not exist"}},
		"a wrong secret":     {change: func(c *cognito.Config) { c.ClientSecret = "another" }, cause: []string{"Unable to verify secret hash for client " + clientID}, calls: known},
		"no secret":          {change: func(c *cognito.Config) { c.ClientSecret = "" }, cause: []string{"is configured with secret but SECRET_HASH was not received"}, calls: known},
		"a secret too many":  {clients: []strictfake.Client{{ID: clientID}}, cause: []string{"Unable to verify secret hash"}, calls: known},
		"a flow not allowed": {clients: []strictfake.Client{{ID: clientID, Secret: secret, NoAdminPassword: true}}, cause: []string{"Auth flow not enabled for this client"}},
		"a missing permission": {
			failing: "AdminInitiateAuth", fault: strictfake.Fault{Error: strictfake.AccessDenied},
			cause: []string{"AccessDeniedException", "cognito-idp:AdminInitiateAuth", "request "},
		},
		"a missing permission to confirm": {
			failing: "AdminConfirmSignUp", fault: strictfake.Fault{Error: strictfake.AccessDenied}, cause: []string{"AdminConfirmSignUp: AccessDeniedException"},
		},
		"an unknown access key": {
			change: func(c *cognito.Config) {
				c.AWS.Credentials = credentials.NewStaticCredentialsProvider("AKIAOTHER", secretKey, "")
			},
			cause: []string{"UnrecognizedClientException", "access key"},
		},
		"another region": {change: func(c *cognito.Config) { c.AWS.Region = "eu-west-1" }, cause: []string{"InvalidSignatureException"}},
		"no credentials": {
			change: func(c *cognito.Config) {
				c.AWS.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{}, errors.New("no EC2 IMDS role found")
				})
			},
			cause: []string{"no AWS credentials", "no EC2 IMDS role found"},
		},
		"a firewall": {failing: "SignUp", fault: strictfake.Fault{Error: strictfake.WebACL}, cause: []string{"SignUp: ForbiddenException", "WAF"}},
		"a signature error whose text repeats the request": {
			failing: "AdminInitiateAuth",
			fault:   strictfake.Fault{Error: &strictfake.Error{Type: "InvalidSignatureException", Message: "The Canonical String should have been ... " + secretKey}},
			cause:   []string{"InvalidSignatureException", "clock"},
		},
		"an error that nobody has heard of": {
			failing: "AdminInitiateAuth",
			fault:   strictfake.Fault{Error: &strictfake.Error{Type: "NewException", Message: "you sent " + password}},
			cause:   []string{"AdminInitiateAuth: NewException"},
		},
		"an invalid parameter whose text repeats it": {
			failing: "AdminInitiateAuth",
			fault: strictfake.Fault{Error: &strictfake.Error{
				Type: "InvalidParameterException", Message: "1 validation error detected: Value '" + password + "' at 'authParameters' failed to satisfy constraint",
			}},
			cause: []string{"Value at 'authParameters' failed"},
		},
		"a page in place of an answer": {
			failing: "AdminInitiateAuth", fault: strictfake.Fault{Body: "<html>" + password}, cause: []string{"not Cognito's"},
		},
		"an answer without tokens": {failing: "AdminInitiateAuth", fault: strictfake.Fault{Body: "{}"}, cause: []string{"neither tokens nor a challenge"}},
		"an answer without an ID token": {
			failing: "AdminInitiateAuth", fault: strictfake.Fault{Body: `{"AuthenticationResult":{"AccessToken":"eyJhbGciOi.e30.x"}}`}, cause: []string{"read the ID token"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var apply []change
			if c.change != nil {
				apply = append(apply, c.change)
			}
			f := start(t, strictfake.Config{Clients: c.clients}, apply...)
			f.Fail(c.failing, always(c.fault)...)
			_, err := f.signIn(t, "john", password)
			require.Error(t, err)
			for _, kind := range []error{account.ErrRefused, account.ErrChallenge, account.ErrThrottled, account.ErrUnavailable} {
				require.NotErrorIs(t, err, kind)
			}
			var invalid *account.InvalidError
			require.NotErrorAs(t, err, &invalid)
			for _, cause := range c.cause {
				require.ErrorContains(t, err, cause)
			}
			if c.calls != nil {
				require.Equal(t, c.calls, f.Calls(), "nobody is signed up by a client that is not right")
			}
		})
	}
}

// TestALockoutIsNoWrongPassword: the game must not tell its player that the password is wrong, and nobody is signed up.
func TestALockoutIsNoWrongPassword(t *testing.T) {
	for name, client := range map[string]strictfake.Client{
		"a client that tells unknown users": {ID: clientID, Secret: secret},
		"a client that hides them":          {ID: clientID, Secret: secret, HideUsers: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, strictfake.Config{Clients: []strictfake.Client{client}})
			f.SetUser("john", strictfake.User{Password: password, Confirmed: true})
			f.SetUser("jack", strictfake.User{Password: password, Confirmed: true})
			_, err := f.signIn(t, "john", wrong)
			require.ErrorIs(t, err, account.ErrRefused)
			for range 5 {
				_, err = f.signIn(t, "john", wrong)
			}
			require.ErrorIs(t, err, account.ErrThrottled)
			for _, typed := range []string{wrong, password} {
				f.ForgetCalls()
				_, err = f.signIn(t, "john", typed)
				require.ErrorIs(t, err, account.ErrThrottled)
				require.NotErrorIs(t, err, account.ErrRefused)
				require.Equal(t, known, f.Calls())
			}
			_, err = f.signIn(t, "jack", password)
			require.NoError(t, err, "of others nothing is locked")
			f.Unlock("john")
			_, err = f.signIn(t, "john", password)
			require.NoError(t, err)
		})
	}
}

// TestAUsernameIsNoErrorMessage: moto has the username as the text of a refusal.
func TestAUsernameIsNoErrorMessage(t *testing.T) {
	f := start(t, strictfake.Config{})
	f.Fail("AdminInitiateAuth", always(strictfake.Fault{Error: &strictfake.Error{Type: "NotAuthorizedException", Message: "ClientSecretAgent"}})...)
	_, err := f.signIn(t, "ClientSecretAgent", password)
	require.ErrorIs(t, err, account.ErrRefused)
}

func TestInvalidInput(t *testing.T) {
	for name, c := range map[string]struct {
		config             strictfake.Config
		username, password string
		field, message     string
		calls              []string
	}{
		"no username":                       {username: "", password: password, field: "username", message: "must not be empty"},
		"a username that is too long":       {username: strings.Repeat("é", 129), password: password, field: "username", message: "must not have more than 128 characters"},
		"a username with a space":           {username: "john doe", password: password, field: "username", message: "must have letters, digits, symbols and punctuation only, no spaces"},
		"a username with a control":         {username: "john\x00", password: password, field: "username", message: "must have letters, digits, symbols and punctuation only, no spaces"},
		"a username that is not UTF-8":      {username: "john\xff", password: password, field: "username", message: "must be UTF-8"},
		"no password":                       {username: "john", password: "", field: "password", message: "must not be empty"},
		"a password that is too long":       {username: "john", password: strings.Repeat("é", 257), field: "password", message: "must not have more than 256 characters"},
		"a password with a space at an end": {username: "john", password: "secret-word ", field: "password", message: "must not begin or end with a space"},
		"a password that is not UTF-8":      {username: "john", password: "secret\xff", field: "password", message: "must be UTF-8"},
		"a short password of a new user": {
			username: "john", password: "12345", field: "password", message: "must have length greater than or equal to 6", calls: firstTime[:2],
		},
		"a password against the policy": {
			config:   strictfake.Config{MinimumPassword: 10, RequireNumber: true},
			username: "john", password: password, field: "password",
			message: "Password did not conform with policy: Password must have numeric characters", calls: firstTime[:2],
		},
		"a password that the policy's words contain": {
			config:   strictfake.Config{MinimumPassword: 10},
			username: "john", password: "policy", field: "password", message: "does not conform with the user pool's policy", calls: firstTime[:2],
		},
		"a username that the pool does not take": {
			config:   strictfake.Config{UsernameIsEmail: true},
			username: "john", password: password, field: "username", message: "Username should be an email.", calls: firstTime[:2],
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, c.config)
			_, err := f.pool.SignIn(within(t, patience), c.username, c.password)
			var invalid *account.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, account.InvalidError{Field: c.field, Message: c.message}, *invalid)
			require.Equal(t, c.calls, f.Calls())
		})
	}
	t.Run("the longest of both are taken", func(t *testing.T) {
		f := start(t, strictfake.Config{})
		_, err := f.signIn(t, strings.Repeat("é", 128), "a "+strings.Repeat("é", 254))
		require.NoError(t, err)
	})
	t.Run("a password that no new user could have tells nothing of a known one", func(t *testing.T) {
		f := start(t, strictfake.Config{})
		f.SetUser("john", strictfake.User{Password: password, Confirmed: true})
		_, known := f.signIn(t, "john", "12345")
		_, unknown := f.signIn(t, "jack", "12345")
		require.Equal(t, unknown, known)
	})
}

func TestNew(t *testing.T) {
	good := cognito.Config{AWS: aws.Config{Region: "us-east-1"}, PoolID: "us-east-1_Pool", ClientID: clientID, ClientSecret: secret}
	_, err := cognito.New(good)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*cognito.Config)
		want   string
	}{
		"no region":                  {change: func(c *cognito.Config) { c.AWS.Region = "" }, want: "the AWS region is missing"},
		"no pool":                    {change: func(c *cognito.Config) { c.PoolID = "" }, want: "user pool ID"},
		"a pool's ARN":               {change: func(c *cognito.Config) { c.PoolID = "arn:aws:cognito-idp:us-east-1:1:userpool/us-east-1_Pool" }, want: "user pool ID"},
		"no client":                  {change: func(c *cognito.Config) { c.ClientID = "" }, want: "client ID"},
		"a secret with its line end": {change: func(c *cognito.Config) { c.ClientSecret += "\n" }, want: "line ends"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			c.change(&bad)
			_, err := cognito.New(bad)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), secret)
		})
	}
	t.Run("all problems are told at once", func(t *testing.T) {
		_, err := cognito.New(cognito.Config{ClientSecret: "a b"})
		require.Len(t, strings.Split(err.Error(), "\n"), 4)
	})
}

// TestNoTokenInErrors has an ID token without a sub.
func TestNoTokenInErrors(t *testing.T) {
	f := start(t, strictfake.Config{})
	token := "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"x"}`)) + ".c2ln"
	f.Fail("AdminInitiateAuth", strictfake.Fault{Body: `{"AuthenticationResult":{"IdToken":"` + token + `"}}`})
	_, err := f.signIn(t, "john", password)
	require.ErrorContains(t, err, "it has no sub")
}
