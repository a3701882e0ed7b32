// Package account is what every program knows of signing in, whoever does it: the session that somebody gets, and why there is none.
package account

import "errors"

// Session is a successful sign-in.
type Session struct {
	// IDToken is the signed token that the client sends from now on.
	IDToken string
	// UserID is the token's sub.
	UserID string
	// New reports that this call signed the user up.
	New bool
}

// Errors of a sign-in. Whoever signs in users (package cognito) returns one of these, wrapped; anything else is an internal failure.
var (
	// ErrRefused is a wrong password, or a user that may not sign in. Its text for clients never tells which.
	ErrRefused = errors.New("the username or password is incorrect")
	// ErrChallenge is returned where the user pool asks for more than a password: another factor, a new password, a reset.
	ErrChallenge = errors.New("the user pool asks for more than a password")
	// ErrThrottled is returned where the user pool has had too many requests: try later.
	ErrThrottled = errors.New("the user pool is throttled")
	// ErrUnavailable is returned where the user pool cannot be reached or fails: try later.
	ErrUnavailable = errors.New("the user pool is unavailable")
)

// InvalidError is a username or a password that the user pool does not accept for a new user.
type InvalidError struct {
	// Field is "username" or "password".
	Field string
	// Message says what is asked for, without the value.
	Message string
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }
