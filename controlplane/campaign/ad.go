package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// field is one of the six fields of an ad.
type field int

const (
	fieldID field = iota
	fieldVideoURL
	fieldCountry
	fieldLang
	fieldStartHour
	fieldEndHour
	fieldCount
)

var fieldNames = [fieldCount]string{"id", "video_url", "country", "lang", "start_hour", "end_hour"}

func (f field) String() string { return fieldNames[f] }

// fieldOf returns the field that a quoted key names, or fieldCount for any other key.
func fieldOf(key []byte) field {
	for f, name := range fieldNames {
		if len(key) == len(name)+2 && string(key[1:len(key)-1]) == name {
			return field(f)
		}
	}
	if bytes.IndexByte(key, '\\') < 0 {
		return fieldCount
	}
	decoded, err := unquote(key)
	if err != nil {
		return fieldCount
	}
	for f, name := range fieldNames {
		if decoded == name {
			return field(f)
		}
	}
	return fieldCount
}

// problem is one thing that is wrong with an ad.
type problem struct {
	field          field
	reason, detail string
}

// ad is the JSON of one ad while it is read.
type ad struct {
	raw      [fieldCount][]byte
	repeated [fieldCount]bool
	problems []problem
}

// decodeAd reads one element of the "ads" array. It leaves Index and Line to its caller.
func decodeAd(text []byte) (Campaign, *Reject) {
	if text[0] != '{' {
		return Campaign{}, &Reject{
			Reason: ReasonWrongType,
			Detail: fmt.Sprintf("must be an object, is %s", kind(text)),
		}
	}
	var a ad
	for m := range members(text) {
		if f := fieldOf(m.key); f != fieldCount {
			a.repeated[f] = a.raw[f] != nil
			a.raw[f] = m.value
		}
	}
	c := Campaign{
		ID:        a.id(),
		VideoURL:  a.videoURL(),
		Country:   a.code(fieldCountry, ReasonInvalidCountry, ParseCountry),
		Lang:      a.code(fieldLang, ReasonInvalidLang, ParseLang),
		StartHour: a.hour(fieldStartHour, MaxStartHour),
		EndHour:   a.hour(fieldEndHour, MaxEndHour),
	}
	if len(a.problems) > 0 {
		return Campaign{}, a.reject(c)
	}
	return c, nil
}

func (a *ad) reject(c Campaign) *Reject {
	first := a.problems[0]
	var detail strings.Builder
	detail.WriteString(first.detail)
	for _, p := range a.problems[1:] {
		fmt.Fprintf(&detail, "; also %s: %s", p.field, p.detail)
	}
	return &Reject{
		ID: c.ID, Country: c.Country, Lang: c.Lang,
		Field: first.field.String(), Reason: first.reason, Detail: detail.String(),
	}
}

func (a *ad) fail(f field, reason, format string, args ...any) {
	a.problems = append(a.problems, problem{field: f, reason: reason, detail: fmt.Sprintf(format, args...)})
}

// value returns the text of a field that stands in the ad exactly once.
func (a *ad) value(f field) ([]byte, bool) {
	switch {
	case a.repeated[f]:
		a.fail(f, ReasonDuplicateField, "stands in the ad more than once")
		return nil, false
	case a.raw[f] == nil:
		a.fail(f, ReasonMissingField, "is missing")
		return nil, false
	}
	return a.raw[f], true
}

// text returns the value of a string field; invalid is the reason given for a string that cannot be decoded.
func (a *ad) text(f field, invalid string) (string, bool) {
	raw, ok := a.value(f)
	if !ok {
		return "", false
	}
	if raw[0] != '"' {
		a.fail(f, ReasonWrongType, "must be a string, is %s", kind(raw))
		return "", false
	}
	s, err := unquote(raw)
	if err != nil {
		a.fail(f, invalid, "%v", err)
		return "", false
	}
	return s, true
}

func (a *ad) id() string {
	s, ok := a.text(fieldID, ReasonInvalidID)
	switch {
	case !ok:
	case s == "":
		a.fail(fieldID, ReasonInvalidID, "is empty")
	case len(s) > MaxIDBytes:
		a.fail(fieldID, ReasonTooLong, "is %d bytes long, at most %d are allowed", len(s), MaxIDBytes)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }):
		a.fail(fieldID, ReasonInvalidID, "must be printable ASCII, is %s", quote(s))
	default:
		return s
	}
	return ""
}

func (a *ad) videoURL() string {
	s, ok := a.text(fieldVideoURL, ReasonInvalidURL)
	if !ok {
		return ""
	}
	if len(s) > MaxURLBytes {
		a.fail(fieldVideoURL, ReasonTooLong, "is %d bytes long, at most %d are allowed", len(s), MaxURLBytes)
		return ""
	}
	if err := checkURL(s); err != nil {
		a.fail(fieldVideoURL, ReasonInvalidURL, "%v, is %s", err, quote(s))
		return ""
	}
	return s
}

func checkURL(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("must not have control characters")
	}
	u, err := url.Parse(s)
	if err != nil {
		var parse *url.Error // its text would repeat the whole URL
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return fmt.Errorf("must be an absolute http(s) URL (%s)", shorten(err.Error()))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("must be an absolute http(s) URL")
	}
	if u.Hostname() == "" {
		return errors.New("must have a host")
	}
	return nil
}

func (a *ad) code(f field, invalid string, parse func(string) (string, error)) string {
	s, ok := a.text(f, invalid)
	if !ok {
		return ""
	}
	code, err := parse(s)
	if err != nil {
		a.fail(f, invalid, "%v, is %s", err, quote(s))
	}
	return code
}

// hour returns the value of an hour field. JSON has one number type: what counts as an integer is decided by how it is
// written, so 1.0 and 1e0 are not.
func (a *ad) hour(f field, highest int) int {
	raw, ok := a.value(f)
	if !ok {
		return 0
	}
	if k := kind(raw); k != kindNumber {
		a.fail(f, ReasonWrongType, "must be an integer, is %s", k)
		return 0
	}
	text := string(raw)
	if strings.ContainsAny(text, ".eE") {
		a.fail(f, ReasonWrongType, "must be written as an integer, is %s", shorten(text))
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > highest {
		a.fail(f, ReasonOutOfRange, "must be from 0 to %d, is %s", highest, shorten(text))
		return 0
	}
	return n
}

const kindNumber = "a number"

// kind names the JSON type of a value.
func kind(value []byte) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return kindNumber
	}
}

// maxQuoted keeps one bad value from filling a log line or a status page.
const maxQuoted = 64

func quote(s string) string {
	if len(s) <= maxQuoted {
		return strconv.QuoteToASCII(s)
	}
	return strconv.QuoteToASCII(s[:maxQuoted]) + "…"
}

func shorten(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	return strings.ToValidUTF8(s[:maxQuoted], "") + "…"
}
