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

// ad is the JSON of one ad while it is read. A field has at most one problem.
type ad struct {
	raw      [fieldCount][]byte
	repeated [fieldCount]bool
	problems [fieldCount]problem
	failed   int // problems found

	// brief asks for the first problem's reason alone: no text is made for an ad that is only counted.
	brief bool
}

// decodeAd reads one element of the "ads" array, and says nothing of its place. Unless brief is set, a Reject is complete but for the
// place; a brief one has the reason alone, the same. One with an empty reason means that the ad is valid.
func decodeAd(text []byte, brief bool) (Campaign, Reject) {
	if text[0] != '{' {
		return Campaign{}, notAnObject(text, brief)
	}
	a := ad{brief: brief}
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
	if a.failed > 0 {
		return Campaign{}, a.reject(&c)
	}
	return c, Reject{}
}

func notAnObject(text []byte, brief bool) Reject {
	r := Reject{Reason: ReasonWrongType}
	if !brief {
		r.Detail = "must be an object, is " + kindOf(text).String()
	}
	return r
}

func (a *ad) reject(c *Campaign) Reject {
	first := a.problems[0]
	if a.brief {
		return Reject{Reason: first.reason}
	}
	var detail strings.Builder
	detail.WriteString(first.detail)
	for _, p := range a.problems[1:a.failed] {
		fmt.Fprintf(&detail, "; also %s: %s", p.field, p.detail)
	}
	return Reject{
		ID: c.ID, Country: c.Country, Lang: c.Lang,
		Field: first.field.String(), Reason: first.reason, Detail: detail.String(),
	}
}

// done reports whether the rest of the ad cannot change what is told of it.
func (a *ad) done() bool { return a.brief && a.failed > 0 }

func (a *ad) fail(f field, reason, format string, args ...any) {
	p := problem{field: f, reason: reason}
	if !a.brief {
		p.detail = fmt.Sprintf(format, args...)
	}
	a.problems[a.failed] = p
	a.failed++
}

// value returns the text of a field that stands in the ad exactly once.
func (a *ad) value(f field) ([]byte, bool) {
	switch {
	case a.done():
		return nil, false
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
		a.fail(f, ReasonWrongType, "must be a string, is %s", kindOf(raw))
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
		a.fail(fieldID, ReasonInvalidID, "must be printable ASCII, is %s", quoted(s))
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
		a.fail(fieldVideoURL, ReasonInvalidURL, "%v, is %s", err, quoted(s))
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
		return unparsable{err}
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("must be an absolute http(s) URL")
	}
	if u.Hostname() == "" {
		return errors.New("must have a host")
	}
	return nil
}

// unparsable is the error of a URL that net/url does not take.
type unparsable struct{ error }

func (u unparsable) Error() string {
	err := u.error
	var parse *url.Error // its text would repeat the whole URL
	if errors.As(err, &parse) {
		err = parse.Err
	}
	return fmt.Sprintf("must be an absolute http(s) URL (%s)", shortened(err.Error()))
}

func (a *ad) code(f field, invalid string, parse func(string) (string, error)) string {
	s, ok := a.text(f, invalid)
	if !ok {
		return ""
	}
	code, err := parse(s)
	if err != nil {
		a.fail(f, invalid, "%v, is %s", err, quoted(s))
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
	if k := kindOf(raw); k != kindNumber {
		a.fail(f, ReasonWrongType, "must be an integer, is %s", k)
		return 0
	}
	text := string(raw)
	if strings.ContainsAny(text, ".eE") {
		a.fail(f, ReasonWrongType, "must be written as an integer, is %s", shortened(text))
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > highest {
		a.fail(f, ReasonOutOfRange, "must be from 0 to %d, is %s", highest, shortened(text))
		return 0
	}
	return n
}

// kind is the JSON type of a value: the byte that such a value begins with.
type kind byte

const (
	kindObject  kind = '{'
	kindArray   kind = '['
	kindString  kind = '"'
	kindBoolean kind = 't'
	kindNull    kind = 'n'
	kindNumber  kind = '0'
)

func kindOf(value []byte) kind {
	switch k := kind(value[0]); k {
	case kindObject, kindArray, kindString, kindBoolean, kindNull:
		return k
	case 'f':
		return kindBoolean
	default:
		return kindNumber
	}
}

func (k kind) String() string {
	switch k {
	case kindObject:
		return "an object"
	case kindArray:
		return "an array"
	case kindString:
		return "a string"
	case kindBoolean:
		return "a boolean"
	case kindNull:
		return "null"
	default:
		return "a number"
	}
}

// maxQuoted keeps one bad value from filling a log line or a status page.
const maxQuoted = 64

// quoted and shortened are made into text only if somebody reads it.
type quoted string

func (q quoted) String() string {
	if len(q) <= maxQuoted {
		return strconv.QuoteToASCII(string(q))
	}
	return strconv.QuoteToASCII(string(q[:maxQuoted])) + "…"
}

type shortened string

func (s shortened) String() string {
	if len(s) <= maxQuoted {
		return string(s)
	}
	return strings.ToValidUTF8(string(s[:maxQuoted]), "") + "…"
}
