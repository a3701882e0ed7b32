package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/internal/web"
	"adsidecar/users/record"
)

// problem is an error as clients see it.
type problem struct {
	status int
	header map[string]string
	body   web.Error
}

// Error implements error. It has the message for clients, which may repeat what they sent: it is not for logs.
func (p *problem) Error() string { return p.body.Message }

// signInBody is the body of /authenticate's errors: its own shape and the product's in one.
type signInBody struct {
	Status string `json:"status"`
	Msg    string `json:"msg"`
	web.Error
}

// answer is the answer to an error.
func (c *call) answer(err error) answer {
	p := c.problem(err)
	a := answer{status: p.status, header: p.header, body: p.body}
	if c.endpoint == Authenticate {
		a.body = signInBody{Status: "fail", Msg: p.body.Message, Error: p.body}
	}
	return a
}

// errClientGone is for the metrics alone: nobody is there to read it.
var errClientGone = newProblem(499, "client_gone", "The client closed the request.", nil)

// Headers of errors.
var (
	retryAfter   = map[string]string{"Retry-After": "1"}
	authenticate = map[string]string{"WWW-Authenticate": "Bearer"}
)

// problem is the one place where errors become statuses. What is not known here is internal, and its text stays in the log.
func (c *call) problem(err error) *problem {
	var (
		own      *problem
		input    *record.InvalidError
		signIn   *account.InvalidError
		revision *record.RevisionError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &input):
		return invalidField(input.Field, input.Message)
	case errors.As(err, &signIn):
		return invalidField(signIn.Field, signIn.Error())
	case errors.As(err, &revision):
		return newProblem(http.StatusPreconditionFailed, "revision_conflict",
			"The record has changed: its version is not one of If-Match. Read it again.", map[string]string{"ETag": etag(revision.Current)})
	case errors.Is(err, token.ErrUnauthorized):
		return newProblem(http.StatusUnauthorized, "unauthorized", "Unauthorized", authenticate)
	case errors.Is(err, account.ErrRefused):
		return newProblem(http.StatusUnauthorized, "unauthorized", "The username or password is incorrect", authenticate)
	case errors.Is(err, token.ErrForbidden):
		return newProblem(http.StatusForbidden, "forbidden", "Not allowed here with this token.", nil)
	case errors.Is(err, account.ErrChallenge):
		return newProblem(http.StatusForbidden, "challenge_required",
			"This account needs more than a password to sign in, such as a second factor or a new password. It cannot sign in here.", nil)
	case errors.Is(err, record.ErrNotFound):
		return newProblem(http.StatusNotFound, "user_not_found", "userId: "+c.userID+", does not exist!", nil)
	case errors.Is(err, record.ErrIdempotencyConflict):
		return newProblem(http.StatusConflict, "idempotency_conflict", "This Idempotency-Key was used with another body. Take a new key.", nil)
	case errors.Is(err, account.ErrThrottled):
		return newProblem(http.StatusTooManyRequests, "too_many_requests", "Too many requests.", retryAfter)
	case errors.Is(err, record.ErrContended):
		return unavailable("store_unavailable", "Too many updates of this record at once. Try again.")
	case errors.Is(err, account.ErrUnavailable), errors.Is(err, token.ErrUnavailable):
		return unavailable("user_pool_unavailable", "The user pool is not available. Try again.")
	case errors.Is(err, record.ErrUnavailable):
		return unavailable("store_unavailable", "The store is not available. Try again.")
	default:
		return &problem{status: http.StatusInternalServerError, body: web.Internal}
	}
}

func newProblem(status int, code, message string, header map[string]string) *problem {
	return &problem{status: status, header: header, body: web.Error{Message: message, Code: code}}
}

func unavailable(code, message string) *problem {
	return newProblem(http.StatusServiceUnavailable, code, message, retryAfter)
}

func invalidField(field, message string) *problem {
	p := newProblem(http.StatusBadRequest, "invalid_field", message, nil)
	p.body.Field = field
	return p
}

func methodNotAllowed(methods []string) *problem {
	allow := strings.Join(methods, ", ")
	return newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "Only "+allow+" is allowed here.", map[string]string{"Allow": allow})
}

// blame puts the end of the request's time down to a part, or returns err as it is. A client that went away is no failure of the part.
func blame(err, part error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", part, err)
	}
	return err
}

// panicError is a handler's panic.
type panicError struct {
	value any
	stack []byte
}

// Error implements error. A panic's value may hold anything of a request; only a runtime error's is known not to.
func (e *panicError) Error() string {
	if err, ok := e.value.(interface{ RuntimeError() }); ok {
		return fmt.Sprintf("panic: %v", err)
	}
	return fmt.Sprintf("panic: a %T", e.value)
}

// cause are the fields of a log line about an internal error.
func cause(err error) []zap.Field {
	fields := []zap.Field{zap.Error(err)}
	if p := (*panicError)(nil); errors.As(err, &p) {
		fields = append(fields, zap.ByteString("stack", p.stack))
	}
	return fields
}
