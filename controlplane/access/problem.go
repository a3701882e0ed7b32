package access

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/internal/web"
)

// problem is an error as clients see it.
type problem struct {
	status     int
	retryAfter time.Duration
	body       web.Error
}

// Error implements error.
func (p *problem) Error() string { return p.body.Code }

func newProblem(status int, code, message string) *problem {
	return &problem{status: status, body: web.Error{Code: code, Message: message}}
}

var (
	errMisdirected  = newProblem(http.StatusMisdirectedRequest, "unknown_host", "This address does not go by that name. Its operator can set admin.name.")
	errCrossOrigin  = newProblem(http.StatusForbidden, "cross_origin", "A page of another site may not change anything here.")
	errCrossRead    = newProblem(http.StatusForbidden, "cross_origin", "A page of another site may not load anything from here. A link may lead here.")
	errUnauthorized = newProblem(http.StatusUnauthorized, "unauthorized", "Sign in, or send a valid token as Authorization: Bearer.")
	errProxied      = newProblem(http.StatusForbidden, "not_local", "Without credentials this address is for its own machine, and a proxy passed this request on. "+
		"Its operator can set admin.tokens_file or admin.cognito.")
	errNoMember  = newProblem(http.StatusForbidden, "not_a_member", "This account is in none of the groups that may come in here.")
	errNameTaken = newProblem(http.StatusForbidden, "name_refused",
		"This account is called as somebody else is here: local, or the owner of a token. Its name or the token's has to change.")
	errNameLong     = newProblem(http.StatusForbidden, "name_refused", "This account's name is longer than 256 bytes, which is too long to be recorded.")
	errReadOnly     = newProblem(http.StatusForbidden, "read_only", "This account may read but not change anything.")
	errForeignToken = newProblem(http.StatusForbidden, "forbidden", "This token is for something else.")
	errWrong        = newProblem(http.StatusUnauthorized, "sign_in_refused", "The user name and password, or the token, are not right.")
	errChallenge    = newProblem(http.StatusForbidden, "challenge_required",
		"This account has to choose a new password first, or needs a second factor, which cannot be done here. "+
			"Ask the user pool's administrator for a permanent password, or sign in with a token.")
	errNotJSON     = newProblem(http.StatusBadRequest, "invalid_body", "Send token, or username and password, as JSON or as a form.")
	errTooLarge    = newProblem(http.StatusRequestEntityTooLarge, "body_too_large", "The body is larger than 16 KiB.")
	errMediaType   = newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "Send application/json or application/x-www-form-urlencoded.")
	errEncoded     = &problem{status: http.StatusUnsupportedMediaType, body: web.ErrEncoded}
	errNothingToDo = newProblem(http.StatusNotFound, "no_credentials", "Nobody signs in here: no credentials are configured.")
	errNoPasswords = newProblem(http.StatusBadRequest, "no_passwords", "Sign in with a token: no user pool is configured.")
	errNotAllowed  = newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed here.")
	errPoolBusy    = &problem{http.StatusTooManyRequests, time.Second, web.Error{Code: "too_many_requests", Message: "The user pool takes no more sign-ins for now. Try again."}}
	errPoolAway    = &problem{http.StatusServiceUnavailable, time.Second, web.Error{Code: "user_pool_unavailable", Message: "The user pool is not available. Try again."}}
	errInternal    = &problem{status: http.StatusInternalServerError, body: web.Internal}
)

// limitedError is for a client that has to wait.
type limitedError struct{ wait time.Duration }

// Error implements error.
func (e *limitedError) Error() string { return "too many sign-ins failed" }

// problemOf is the one place where errors become statuses.
func problemOf(err error) *problem {
	var own *problem
	var invalid *account.InvalidError
	var limited *limitedError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &limited):
		p := newProblem(http.StatusTooManyRequests, "too_many_failures", "Too many sign-ins failed. Wait a little, or sign in with a token.")
		p.retryAfter = limited.wait
		return p
	case errors.As(err, &invalid):
		p := newProblem(http.StatusBadRequest, "invalid_field", invalid.Error())
		p.body.Field = invalid.Field
		return p
	case errors.Is(err, token.ErrUnauthorized):
		return errUnauthorized
	case errors.Is(err, token.ErrForbidden):
		return errForeignToken
	case errors.Is(err, account.ErrRefused):
		return errWrong
	case errors.Is(err, account.ErrChallenge):
		return errChallenge
	case errors.Is(err, account.ErrThrottled):
		return errPoolBusy
	case errors.Is(err, token.ErrUnavailable), errors.Is(err, account.ErrUnavailable):
		return errPoolAway
	}
	return errInternal
}

// refuse answers with what is wrong.
func (g *Guard) refuse(w http.ResponseWriter, err error) {
	p := problemOf(err)
	h := w.Header()
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="adsidecar"`)
	}
	if p == errEncoded {
		h.Set("Accept-Encoding", "identity")
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	g.write(w, p.status, p.body)
}

func (g *Guard) write(w http.ResponseWriter, status int, v any) {
	if err := web.WriteIndented(w, status, v); err != nil {
		g.log.Error("encode answer", zap.Error(err))
	}
}
