package campaign

import (
	"fmt"
	"slices"
)

// MaxOneBytes bounds the JSON of one campaign; the longest that is valid, with every character escaped, is a third of it.
const MaxOneBytes = 64 << 10

// maxUnknown is how many unknown fields are named.
const maxUnknown = 16

// FieldError is one thing that is wrong with a campaign.
type FieldError struct {
	Field   string // empty if the whole is wrong; a long unknown field is cut off
	Reason  string // one of the constants
	Message string // for people, to be read behind the field's name; quotes at most a few bytes, escaped
}

// Error returns the field and the message.
func (e FieldError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// ParseOne reads the JSON of one campaign as an ad of a source document is read, but strictly: an unknown field is an error. It
// returns every error that there is, the known fields in their order first, at most one for each; of the unknown ones it names the first few.
// The campaign is valid if there is no error, has Index 0, and keeps no part of data.
func ParseOne(data []byte) (Campaign, []FieldError) {
	if len(data) > MaxOneBytes {
		return whole(ReasonTooLong, "the campaign is longer than %d bytes", MaxOneBytes)
	}
	a := newAd(false)
	a.strings.size = 0 // a campaign that is kept for long must not keep others' memory
	begin := skipSpace(data, 0)
	end := a.scan(data, begin)
	if end == malformed || skipSpace(data, end) != len(data) {
		return whole(ReasonMalformed, "%v", syntaxError(data))
	}
	var errs []FieldError
	for _, p := range a.problems[:a.failed] {
		errs = append(errs, FieldError{Field: p.field.String(), Reason: p.reason, Message: p.detail})
	}
	errs = append(errs, unknownFields(data, begin)...)
	if len(errs) > 0 {
		return Campaign{}, errs
	}
	var c Campaign
	k := a.keep(0)
	k.campaign(&c, 0)
	return c, nil
}

func whole(reason, format string, args ...any) (Campaign, []FieldError) {
	return Campaign{}, []FieldError{{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// unknownFields returns an error for each unknown field of the value that begins at begin, which the scan has accepted.
func unknownFields(data []byte, begin int) []FieldError {
	if byteAt(data, begin) != '{' {
		return nil
	}
	var errs []FieldError
	m := members{text: data, at: begin}
	for m.next() && len(errs) < maxUnknown {
		m.at = scanValue(data, m.at, adDepth)
		if fieldOf(m.key()) != fieldCount {
			continue
		}
		name, err := unquote(m.key())
		if err != nil {
			name = m.key()
		}
		e := FieldError{Field: shortened(name).String(), Reason: ReasonUnknownField, Message: "is no field of a campaign"}
		if !slices.Contains(errs, e) {
			errs = append(errs, e)
		}
	}
	return errs
}
