package campaign

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// problem is one thing that is wrong with an ad.
type problem struct {
	field          field
	reason, detail string
}

// ad reads the JSON of ads, one after the other. One goroutine has it; newAd makes it.
type ad struct {
	raw      [fieldCount][]byte
	repeated uint32              // bit f: field f stands in the ad more than once
	problems [fieldCount]problem // a field has at most one
	failed   int                 // problems found

	// Of the last ad, where they are valid. The texts alias the document.
	id, url            []byte
	country, lang      string
	startHour, endHour int

	extended bool // the last ad has optional fields
	optional optional

	// brief asks for the first problem's reason alone: no text is made for an ad that is only counted.
	brief bool

	// The codes met so far as they are written, with what they stand for: there are few, and each is parsed once.
	countries, langs, zones map[string]string

	strings slab
}

func newAd(brief bool) *ad {
	return &ad{
		brief: brief, countries: make(map[string]string), langs: make(map[string]string), zones: make(map[string]string),
		strings: slab{size: slabBytes},
	}
}

// adDepth is the nesting of an ad: in the array of the document's object.
const adDepth = 3

// scan reads the element of the "ads" array that begins at i and returns its end, or malformed. The ad is valid if nothing failed:
// then keep returns it, else reject.
func (a *ad) scan(b []byte, i int) int {
	a.failed = 0
	if byteAt(b, i) != '{' {
		a.id, a.country, a.lang = nil, "", ""
		end := scanValue(b, i, adDepth-1)
		if end != malformed {
			a.fail(fieldCount, ReasonWrongType, "must be an object, is %s", kindOf(b[i:]))
		}
		return end
	}
	clear(a.raw[:plainFields])
	if a.extended {
		clear(a.raw[plainFields:])
		a.extended = false
	}
	a.repeated = 0
	m := members{text: b, at: i}
	for m.next() {
		begin := m.at
		m.at = scanValue(b, begin, adDepth)
		if f := fieldOf(m.key()); f != fieldCount && m.at != malformed {
			if a.raw[f] != nil {
				a.repeated |= 1 << f
			}
			a.raw[f] = b[begin:m.at]
			a.extended = a.extended || f >= plainFields
		}
	}
	if m.at == malformed {
		return malformed
	}
	a.id = a.parseID()
	a.url = a.parseURL()
	a.country = a.code(fieldCountry, ReasonInvalidCountry, a.countries, countryOrAny)
	a.lang = a.code(fieldLang, ReasonInvalidLang, a.langs, langOrAny)
	a.startHour = a.integer(fieldStartHour, 0, MaxStartHour)
	a.endHour = a.integer(fieldEndHour, 0, MaxEndHour)
	if a.extended {
		a.parseOptional()
	}
	return m.at
}

// reject says what is wrong with the last ad, and nothing of its place. A brief one has the reason alone, the same.
func (a *ad) reject() Reject {
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
		ID: string(a.id), Country: a.country, Lang: a.lang,
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
	case a.repeated>>f&1 != 0:
		a.fail(f, ReasonDuplicateField, "stands in the ad more than once")
		return nil, false
	case a.raw[f] == nil:
		a.fail(f, ReasonMissingField, "is missing")
		return nil, false
	}
	return a.raw[f], true
}

// text returns the value of a string field; invalid is the reason given for a string that cannot be decoded.
func (a *ad) text(f field, invalid string) ([]byte, bool) {
	raw, ok := a.value(f)
	if !ok {
		return nil, false
	}
	if raw[0] != '"' {
		a.fail(f, ReasonWrongType, "must be a string, is %s", kindOf(raw))
		return nil, false
	}
	s, err := unquote(raw)
	if err != nil {
		a.fail(f, invalid, "%v", err)
		return nil, false
	}
	return s, true
}

func (a *ad) parseID() []byte {
	s, ok := a.text(fieldID, ReasonInvalidID)
	switch {
	case !ok:
	case len(s) == 0:
		a.fail(fieldID, ReasonInvalidID, "is empty")
	case len(s) > MaxIDBytes:
		a.fail(fieldID, ReasonTooLong, "is %d bytes long, at most %d are allowed", len(s), MaxIDBytes)
	case !printable(s):
		a.fail(fieldID, ReasonInvalidID, "must be printable ASCII, is %s", quoted(s))
	default:
		return s
	}
	return nil
}

func printable(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func (a *ad) parseURL() []byte {
	s, ok := a.text(fieldVideoURL, ReasonInvalidURL)
	if !ok {
		return nil
	}
	if len(s) > MaxURLBytes {
		a.fail(fieldVideoURL, ReasonTooLong, "is %d bytes long, at most %d are allowed", len(s), MaxURLBytes)
		return nil
	}
	if err := checkURL(s); err != nil {
		a.fail(fieldVideoURL, ReasonInvalidURL, "%v, is %s", err, quoted(s))
		return nil
	}
	return s
}

// countryOrAny and langOrAny are the codes of a campaign, which a request cannot have.
func countryOrAny(s string) (string, error) {
	if s == Any {
		return Any, nil
	}
	return ParseCountry(s)
}

func langOrAny(s string) (string, error) {
	if s == Any {
		return Any, nil
	}
	return ParseLang(s)
}

func (a *ad) code(f field, invalid string, met map[string]string, parse func(string) (string, error)) string {
	s, ok := a.text(f, invalid)
	if !ok {
		return ""
	}
	if code, ok := met[string(s)]; ok {
		return code
	}
	code, err := parse(string(s))
	if err != nil {
		a.fail(f, invalid, "%v, is %s", err, quoted(s))
		return ""
	}
	met[string(s)] = code
	return code
}

// integer returns the value of a number field. JSON has one number type: what counts as an integer is decided by how it is
// written, so 1.0 and 1e0 are not.
func (a *ad) integer(f field, lowest, highest int) int {
	raw, ok := a.value(f)
	if !ok {
		return 0
	}
	if n, ok := shortNumber(raw); ok && lowest <= n && n <= highest {
		return n
	}
	if k := kindOf(raw); k != kindNumber {
		a.fail(f, ReasonWrongType, "must be an integer, is %s", k)
		return 0
	}
	if bytes.ContainsAny(raw, ".eE") {
		a.fail(f, ReasonWrongType, "must be written as an integer, is %s", shortened(raw))
		return 0
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < lowest || n > highest {
		a.fail(f, ReasonOutOfRange, "must be from %d to %d, is %s", lowest, highest, shortened(raw))
		return 0
	}
	return n
}

// shortNumber reads a number of one digit or two, as hours are written.
func shortNumber(text []byte) (int, bool) {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, len(text) <= 2
}
