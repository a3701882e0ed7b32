package record

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Limit says how long a value may be, in code points.
type Limit struct {
	// Field is the value's path in JSON: "address.postcode".
	Field    string
	Min, Max int
}

// Limits are those of all attributes, in the order in which faults are reported.
var Limits = [...]Limit{
	{"title", 1, 32},
	{"firstName", 1, 100},
	{"lastName", 1, 100},
	{"mobileNumber", 0, 32},
	{"address.postcode", 0, 16},
	{"address.suburb", 0, 100},
	{"address.state", 0, 50},
	{"address.fullAddress", 0, 300},
}

// values are one pointer for each of Limits, nil for a value that is not there.
type values [len(Limits)]*string

func (a *Attributes) values() values {
	return values{
		&a.Title, &a.FirstName, &a.LastName, &a.MobileNumber,
		&a.Address.Postcode, &a.Address.Suburb, &a.Address.State, &a.Address.FullAddress,
	}
}

func (c *Change) values() values {
	v := values{c.Title, c.FirstName, c.LastName, c.MobileNumber}
	if a := c.Address; a != nil {
		copy(v[4:], []*string{a.Postcode, a.Suburb, a.State, a.FullAddress})
	}
	return v
}

// Validate returns an [*InvalidError] for each value that is not accepted, joined. Accepted is valid UTF-8 within its [Limit], without
// control characters, line and paragraph separators, noncharacters, and the controls that reorder text around them, by which one value
// could pass for another on a screen.
func (a Attributes) Validate() error { return a.values().validate() }

// Validate is [Attributes.Validate] for the values that are there. Those that stay untouched are not looked at: records of the table that
// was there before may have others.
func (c Change) Validate() error { return c.values().validate() }

func (v values) validate() error {
	var errs []error
	for i, value := range v {
		if value == nil {
			continue
		}
		if f := Limits[i].fault(*value); f != "" {
			errs = append(errs, &InvalidError{Field: Limits[i].Field, Message: Limits[i].Field + " " + f})
		}
	}
	return errors.Join(errs...)
}

// fault is what a value must be and is not, or "".
func (l Limit) fault(s string) string {
	if !utf8.ValidString(s) {
		return "must be valid UTF-8"
	}
	n := 0
	for _, r := range s {
		if forbidden(r) {
			return fmt.Sprintf("must not contain the character %U", r)
		}
		n++
	}
	switch {
	case n >= l.Min && n <= l.Max:
		return ""
	case l.Min > 0:
		return fmt.Sprintf("must have %d to %d characters", l.Min, l.Max)
	default:
		return fmt.Sprintf("must have at most %d characters", l.Max)
	}
}

func forbidden(r rune) bool {
	switch {
	case unicode.IsControl(r):
	case r == '\u2028', r == '\u2029': // line and paragraph separator
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // bidi embeddings, overrides and isolates
	case r&0xfffe == 0xfffe, r >= '\ufdd0' && r <= '\ufdef': // noncharacters (Unicode 23.7)
	default:
		return false
	}
	return true
}
