// Package token verifies the tokens of an issuer such as an Amazon Cognito user pool: who calls, or why the call is refused.
//
// The rules are those of github.com/awslabs/aws-jwt-verify and of the gateway in front (package envoy), which verifies every token before:
// the user service trusts no header that the gateway sets, so that whoever reaches it past the gateway needs a token as well. Of the forms
// that a token may have, this package takes those that the gateway takes, or fewer.
//
// Keys are read ahead of time by [Verifier.Run], and once more when a token names a key that is not known, at most every 10 s. A set
// that was read replaces the one before, and the verified tokens remembered with it; a failed reading changes nothing.
package token

import (
	"errors"
	"time"
)

// Errors of [Verifier.Verify].
var (
	// ErrUnauthorized is a token that is missing, malformed, expired, or not signed by the issuer.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden is a valid token of another app client or of a kind that is not accepted.
	ErrForbidden = errors.New("the token is of another client or kind")
	// ErrUnavailable is returned while the issuer's keys have never been read, and where the caller's context ended before it was known
	// whether the issuer has a key that is new here.
	ErrUnavailable = errors.New("the issuer's keys are not available")
)

// Claims are what is read of a verified token.
type Claims struct {
	Subject string // sub, not empty
	// Username is cognito:username of an ID token, username of an access token; empty where the issuer has none.
	Username string
	Groups   []string // cognito:groups
	Expires  time.Time
}

// TakenUntil is the last moment at which [Verifier.Verify] takes the token: its expiry, with what the issuer's clock may be off.
func (c Claims) TakenUntil() time.Time { return c.Expires.Add(clockSkew) }
