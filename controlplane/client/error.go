package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
)

// Error is what the control plane, or a proxy before it, answered in place of what was asked for. Its texts are the server's: they may
// have any character.
type Error struct {
	Status  int
	Code    string // of the API; empty if the answer was not the API's
	Message string
	Field   string
	// Fields are the findings in a campaign or document (422), and More counts those that the server left out.
	Fields []apiv1.FieldError
	More   int
	// Conflict is of a change to something that has changed meanwhile (412).
	Conflict *apiv1.Conflict
	// RetryAfter is how long the server asks to wait.
	RetryAfter time.Duration
}

// Error returns the message with code and status.
func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" && !strings.HasPrefix(text, e.Field) {
		text = e.Field + ": " + text
	}
	if e.Code == "" {
		return text
	}
	return fmt.Sprintf("%s (%s, status %d)", text, e.Code, e.Status)
}

// Unclear reports whether what was asked for may have been done all the same: who answered did not hear what became of it.
func (e *Error) Unclear() bool {
	switch e.Code {
	case "store_unavailable", "timeout":
		return true
	case "": // of a proxy
		return e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
	}
	return false
}

// FormatError says that an answer is not what the API answers: the address may be that of another server.
type FormatError struct{ Err error }

// Error implements error.
func (e *FormatError) Error() string { return "the answer is not one of this API: " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *FormatError) Unwrap() error { return e.Err }

// problem reads an answer that is an error, of ours or of whatever else answers at that address.
func (c *Client) problem(response *http.Response) error {
	var after time.Duration
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		after = time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
	}
	body, err := readBounded(response.Body, maxProblem)
	if err != nil {
		body = nil // it is a problem, whatever it says
	}
	return c.refusal(response.StatusCode, body, after)
}

// refusal is the error of a status and its body.
func (c *Client) refusal(status int, body []byte, after time.Duration) error {
	e := &Error{Status: status, RetryAfter: after}
	e.Message = fmt.Sprintf("the server answered with status %d %s", e.Status, http.StatusText(e.Status))
	if c.token != "" {
		body = bytes.ReplaceAll(body, []byte(c.token), []byte("[token]"))
	}
	var known struct {
		Message, Code, Field string
		Fields               []apiv1.FieldError
		More                 int
	}
	if json.Unmarshal(body, &known) != nil || known.Message == "" || known.Code == "" {
		return e
	}
	e.Message, e.Code, e.Field, e.Fields, e.More = known.Message, known.Code, known.Field, known.Fields, known.More
	if e.Status == http.StatusPreconditionFailed {
		var conflict apiv1.Conflict
		if json.Unmarshal(body, &conflict) == nil {
			e.Conflict = &conflict
		}
	}
	return e
}
