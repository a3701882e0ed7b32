package strictfake

import (
	"net/http"
)

// Fault is something that goes wrong in one call.
type Fault struct {
	// Error is answered instead of carrying the call out. Nil: the call is carried out, or Lose and Hang say what happens.
	Error *Error
	// Lose cuts the connection instead of answering: before the call is carried out, or with After after it.
	Lose bool
	// Hang never answers: before the call is carried out, or with After after it. It ends with the client's connection, or Close.
	Hang bool
	// After is for Lose, Hang and Error.
	After bool
	// Body is answered with status 200 in place of the answer; the call is carried out.
	Body string
}

// Error is an answer in AWS's form.
type Error struct {
	// Status is 0 for 400.
	Status int
	Type   string
	// Message has AWS's wording where it is known.
	Message string
}

// The errors that AWS documents beside those that the pool comes to on its own.
var (
	TooManyRequests = &Error{Type: "TooManyRequestsException", Message: "Rate exceeded"}
	LimitExceeded   = &Error{Type: "LimitExceededException", Message: "Attempt limit exceeded, please try after some time."}
	Throttling      = &Error{Type: "ThrottlingException", Message: "Rate exceeded"}
	Internal        = &Error{Status: http.StatusInternalServerError, Type: "InternalErrorException", Message: "Something went wrong"}
	AccessDenied    = &Error{
		Type: "AccessDeniedException",
		Message: "User: arn:aws:sts::123456789012:assumed-role/users/task is not authorized to perform: cognito-idp:AdminInitiateAuth " +
			"on resource: arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_StrictFake because no identity-based policy allows " +
			"the cognito-idp:AdminInitiateAuth action",
	}
	PreSignUpFailed = &Error{Type: "UserLambdaValidationException", Message: "PreSignUp failed with error not today."}
	WebACL          = &Error{Status: http.StatusForbidden, Type: "ForbiddenException", Message: "Request not allowed due to WAF block."}
)

// Fail lets the next calls of an operation meet these faults, one each, after those that are still to come.
func (s *Server) Fail(operation string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[operation] = append(s.faults[operation], faults...)
}

// Heal drops the faults that are still to come.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// begin notes the call and takes its fault.
func (s *Server) begin(operation string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, operation)
	if pending := s.faults[operation]; len(pending) > 0 {
		s.faults[operation] = pending[1:]
		return pending[0]
	}
	return Fault{}
}

// strike does what the fault says and reports whether that was the answer.
func (s *Server) strike(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch {
	case f.Error != nil:
		writeError(w, f.Error)
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.stopped:
		}
		cut(w)
	case f.Lose:
		cut(w)
	default:
		return false
	}
	return true
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			_ = conn.Close() // it is to be broken
		}
	}
}
