package cognito

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"adsidecar/internal/account"
	"adsidecar/internal/awsclient"
)

// Cognito's names of errors that are told apart here; see the API reference of each operation.
const (
	codeNotAuthorized    = "NotAuthorizedException"
	codeUserNotFound     = "UserNotFoundException"
	codeNotConfirmed     = "UserNotConfirmedException"
	codeUsernameExists   = "UsernameExistsException"
	codeResetRequired    = "PasswordResetRequiredException"
	codeInvalidPassword  = "InvalidPasswordException"
	codeInvalidParameter = "InvalidParameterException"
	codeLambdaRefused    = "UserLambdaValidationException"
	codeTooManyFailures  = "TooManyFailedAttemptsException"
)

// forOperator are errors whose cause is in the pool, the client, or the role. What Cognito says of them has names of resources, and
// nothing of the user; the text of any other error is not repeated.
var forOperator = map[string]string{
	"AccessDeniedException":                 "",
	"ResourceNotFoundException":             "",
	"InvalidUserPoolConfigurationException": "",
	"OperationNotEnabledException":          "",
	"UnsupportedOperationException":         "",
	codeNotAuthorized:                       "",
}

// withoutText are errors whose cause is clear by their name, with our words in place of theirs: that of a wrong signature can repeat
// headers of the request.
var withoutText = map[string]string{
	"UnrecognizedClientException":         "the AWS access key or session token is not valid",
	"InvalidClientTokenId":                "the AWS access key or session token is not valid",
	"MissingAuthenticationTokenException": "the request was not signed with AWS credentials",
	"InvalidSignatureException":           "the AWS secret access key is wrong, or the clock is",
	"SignatureDoesNotMatch":               "the AWS secret access key is wrong, or the clock is",
	"IncompleteSignatureException":        "the request's AWS signature is broken",
	"ExpiredTokenException":               "the AWS session token has ended",
	"ForbiddenException":                  "the pool's web ACL (AWS WAF) blocks us",
}

// answered is an error that is in its final form: not one of the SDK.
type answered struct{ error }

// Unwrap makes errors.Is and errors.As see what is inside.
func (e answered) Unwrap() error { return e.error }

// refused reports whether the pool did not take this user with this password: unknown, wrong, or not allowed in.
func refused(err error) bool {
	code := awsclient.Code(err)
	return code == codeUserNotFound || code == codeNotAuthorized && !secretRefused(err) && !lockedOut(err)
}

// lockedOut tells the NotAuthorizedException that judges no password: after too many wrong ones Cognito looks at none for a while, not
// even at the right one. It has no code either.
func lockedOut(err error) bool {
	return awsclient.Code(err) == codeNotAuthorized && strings.HasPrefix(message(err), "Password attempts exceeded")
}

// secretRefused tells the one NotAuthorizedException that is about the client, not the user; Cognito has no code for it.
func secretRefused(err error) bool {
	text := message(err)
	return strings.HasPrefix(text, "Unable to verify secret hash") ||
		strings.HasPrefix(text, "Client ") && strings.Contains(strings.ToLower(text), "secret")
}

// signInFailure is failure for the last AdminInitiateAuth of a call.
func (a *attempt) signInFailure(ctx context.Context, err error) error {
	switch code := awsclient.Code(err); {
	case refused(err), code == codeLambdaRefused:
		return fmt.Errorf("%s: %w (%s)", initiateAuth, account.ErrRefused, code)
	case code == codeResetRequired:
		return fmt.Errorf("%s: %w (%s)", initiateAuth, account.ErrChallenge, code)
	case code == codeInvalidParameter:
		return a.invalidParameter(initiateAuth, err)
	case code == codeNotConfirmed:
		return fmt.Errorf("%s: %w (the user is not confirmed, after a confirmation)", initiateAuth, account.ErrUnavailable)
	}
	return a.failure(ctx, initiateAuth, err)
}

// signUpFailure is failure for SignUp.
func (a *attempt) signUpFailure(ctx context.Context, err error) error {
	switch code := awsclient.Code(err); {
	case code == codeInvalidPassword:
		return &account.InvalidError{Field: "password", Message: a.wording(message(err), "does not conform with the user pool's policy")}
	case code == codeInvalidParameter:
		return a.invalidParameter(signUp, err)
	case code == codeLambdaRefused, code == codeNotAuthorized && strings.HasPrefix(message(err), "SignUp is not permitted"):
		// In a pool that only its operators add users to, nobody is signed up here: an unknown user is refused like a wrong password.
		return fmt.Errorf("%s: %w (%s)", signUp, account.ErrRefused, code)
	}
	return a.failure(ctx, signUp, err)
}

var (
	constraint = regexp.MustCompile(`(?i)at '(username|password)' failed to satisfy constraint: Member (must [^;]*)`)
	// value is what a constraint's text may repeat.
	value = regexp.MustCompile(`(?s)Value '.*' at`)
)

// invalidParameter tells a parameter that the user chose from one that the client's or the pool's settings make wrong. Cognito says
// which only in words.
func (a *attempt) invalidParameter(operation string, err error) error {
	text := message(err)
	if found := constraint.FindStringSubmatch(text); found != nil {
		return &account.InvalidError{Field: strings.ToLower(found[1]), Message: a.wording(found[2], "is not valid")}
	}
	for _, start := range []string{"Username ", "Invalid email address format", "Invalid phone number format"} {
		if strings.HasPrefix(text, start) {
			return &account.InvalidError{Field: "username", Message: a.wording(text, "is not valid")}
		}
	}
	return fmt.Errorf("%s: %s: %s%s", operation, codeInvalidParameter, value.ReplaceAllString(text, "Value at"), requestID(err))
}

// longestWording bounds Cognito's words on their way to a client.
const longestWording = 256

// wording is Cognito's text for a client, or ours where it has none or could repeat what the user sent.
func (a *attempt) wording(text, ours string) string {
	if text == "" || len(text) > longestWording || strings.Contains(text, a.password) || strings.Contains(text, a.username) {
		return ours
	}
	return text
}

// failure turns an error of a call into what SignIn and Ready return. The SDK's error is not wrapped: its text has all that the
// service says.
func (p *Pool) failure(ctx context.Context, operation string, err error) error {
	var (
		final       answered
		credentials *credentialsError
		api         smithy.APIError
		broken      *smithy.DeserializationError
		sending     *smithyhttp.RequestSendError
	)
	code, status := awsclient.Code(err), awsclient.Status(err)
	switch {
	case errors.As(err, &final):
		return final.error
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", operation, context.Canceled)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w: %w", operation, account.ErrUnavailable, ctx.Err())
	case errors.As(err, &credentials):
		return fmt.Errorf("%s: no AWS credentials: %s", operation, credentials.cause.Error())
	case awsclient.Throttled(err), code == codeTooManyFailures, lockedOut(err):
		return fmt.Errorf("%s: %w (%s)", operation, account.ErrThrottled, code)
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%s: %w (status %d%s)", operation, account.ErrUnavailable, status, requestID(err))
	case errors.As(err, &api):
		return fmt.Errorf("%s: %s: %s%s", operation, code, cause(code, err), requestID(err))
	case errors.As(err, &broken):
		return fmt.Errorf("%s: an answer with status %d that is not Cognito's", operation, status)
	case errors.As(err, &sending):
		return fmt.Errorf("%s: %w (%s)", operation, account.ErrUnavailable, sending.Err.Error())
	case status != 0: // the answer broke off
		return fmt.Errorf("%s: %w (status %d, and no whole answer)", operation, account.ErrUnavailable, status)
	}
	return fmt.Errorf("%s: %s", operation, err.Error()) // made by the SDK before anything was sent
}

// cause is what an operator needs to read of an error beside its name.
func cause(code string, err error) string {
	if text, ok := withoutText[code]; ok {
		return text
	}
	if _, ok := forOperator[code]; ok {
		return message(err)
	}
	return "the user pool did not do it"
}

// message is the service's text.
func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// requestID is what AWS's support asks for, in a form to append.
func requestID(err error) string {
	var response interface{ ServiceRequestID() string }
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		return ", request " + response.ServiceRequestID()
	}
	return ""
}
