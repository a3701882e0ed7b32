package revision

import (
	"errors"
	"fmt"
)

// Errors of a [Service]. Besides it returns joined [*InvalidError], [*ConflictError], and errors of the [Store].
var (
	// ErrUnchanged is returned by Apply where every edit asks for what is there already. No revision was made.
	ErrUnchanged = errors.New("nothing would change")
	// ErrNotFound is returned for a revision that there is not.
	ErrNotFound = errors.New("there is no such revision")
	// ErrContended is returned where other replicas wrote during each of the tries. Nothing was changed: try later.
	ErrContended = errors.New("others keep writing")
	// ErrDamaged is returned for stored bytes that make no sense.
	ErrDamaged = errors.New("the stored history is damaged")
)

// Conflict is an edit of a row that is not what its editor saw.
type Conflict struct {
	ID string
	// Present is nil where there is no row now.
	Present *Present
	// Wanted is what the row was to become: nil where it was to be removed.
	Wanted *Row
}

// ConflictError is returned by Apply and Revert for rows that somebody else has changed. Nothing was changed.
type ConflictError struct {
	// Conflicts are in the order of the IDs, and at most maxConflicts of All.
	Conflicts []Conflict
	All       int
}

const maxConflicts = 100

// Error returns "2 campaigns were changed by others, the first is x".
func (e *ConflictError) Error() string {
	if e.All == 1 {
		return fmt.Sprintf("the campaign %q was changed by others", e.Conflicts[0].ID)
	}
	return fmt.Sprintf("%d campaigns were changed by others, the first is %q", e.All, e.Conflicts[0].ID)
}
