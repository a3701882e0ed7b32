package revision

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of what is accepted.
const (
	MaxIDBytes       = 128
	MaxCampaignBytes = 16 << 10
	MaxRows          = 1_000_000
	MaxRowBytes      = 1 << 30 // IDs and campaigns of all rows
	MaxChanges       = 200_000 // of a revision
	MaxChangeBytes   = 512 << 20
	MaxCommentRunes  = 1000
	MaxWhoBytes      = 256
	MaxVersionBytes  = 128
)

// InvalidError is a value that is not accepted. Where several are not, they are joined; errors.As finds the first.
type InvalidError struct {
	// Field is where it was: "who", "comment", "version", "edits", "edits[3].id", "edits[3].campaign".
	Field string
	// Message names the field and the rule, and never has the value.
	Message string
}

// Error returns the message.
func (e *InvalidError) Error() string { return e.Message }

func invalid(field, rule string, args ...any) error {
	return &InvalidError{Field: field, Message: field + " " + fmt.Sprintf(rule, args...)}
}

// maxInvalid bounds how many faulty edits of a set are named.
const maxInvalid = 100

func (c ChangeSet) validate() error {
	errs := []error{validateSigned(c.Who, c.Comment)}
	switch c.Kind {
	case Create, Edit, Pause, Resume, Delete, Import:
	default:
		errs = append(errs, invalid("kind", "must be create, edit, pause, resume, delete or import"))
	}
	if len(c.Edits) > MaxChanges {
		errs = append(errs, invalid("edits", "must be at most %d", MaxChanges))
		return errors.Join(errs...)
	}
	seen := make(map[string]struct{}, len(c.Edits))
	for i, e := range c.Edits {
		if len(errs) > maxInvalid {
			break
		}
		if n := len(e.ID); n == 0 || n > MaxIDBytes {
			errs = append(errs, invalid(fmt.Sprintf("edits[%d].id", i), "must have 1 to %d bytes", MaxIDBytes))
		}
		if _, twice := seen[e.ID]; twice {
			errs = append(errs, invalid(fmt.Sprintf("edits[%d].id", i), "is that of an edit before it"))
		}
		seen[e.ID] = struct{}{}
		if e.After != nil && len(e.After.Campaign) > MaxCampaignBytes {
			errs = append(errs, invalid(fmt.Sprintf("edits[%d].campaign", i), "must have at most %d bytes", MaxCampaignBytes))
		}
	}
	return errors.Join(errs...)
}

func validateSigned(who, comment string) error {
	var errs []error
	if who == "" || len(who) > MaxWhoBytes || !utf8.ValidString(who) {
		errs = append(errs, invalid("who", "must have 1 to %d bytes of UTF-8", MaxWhoBytes))
	}
	if !utf8.ValidString(comment) || utf8.RuneCountInString(comment) > MaxCommentRunes {
		errs = append(errs, invalid("comment", "must have at most %d characters of UTF-8", MaxCommentRunes))
	}
	return errors.Join(errs...)
}

func validateVersion(field, version string, least int) error {
	if n := len(version); n < least || n > MaxVersionBytes || !utf8.ValidString(version) {
		return invalid(field, "must have %d to %d bytes of UTF-8", least, MaxVersionBytes)
	}
	return nil
}
