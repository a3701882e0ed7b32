package record

import (
	"errors"
	"strconv"
)

// Errors of a [Service]. Besides it returns joined [*InvalidError], [*RevisionError], and the store's [ErrNotFound] and [ErrUnavailable].
// Anything else, [ErrDamaged] too, is an internal failure.
var (
	// ErrIdempotencyConflict is returned by Create for an idempotency key that the caller has used with other attributes.
	ErrIdempotencyConflict = errors.New("the idempotency key was used with other attributes")
	// ErrContended is returned by Update where others wrote the record during each of its tries. Nothing was changed: try later.
	ErrContended = errors.New("others keep writing the record")
)

// InvalidError is a value that is not accepted. Where several are not, they are joined: the user ID, attributes in the order of [Limits],
// the idempotency key. errors.As finds the first.
type InvalidError struct {
	// Field is where the value was, as a path: "address.postcode", "userId", "Idempotency-Key".
	Field string
	// Message is for clients. It names the field and the rule, and never has the value.
	Message string
}

// Error returns the message.
func (e *InvalidError) Error() string { return e.Message }

// RevisionError is returned by Update for a record whose version the client's [Match] does not name. Nothing was changed.
type RevisionError struct {
	// Current is the version of the record.
	Current int64
}

// Error returns "the record has version 3".
func (e *RevisionError) Error() string {
	return "the record has version " + strconv.FormatInt(e.Current, 10)
}
