package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// DocumentError says why a document is unusable as a whole, and where.
type DocumentError struct {
	Line   int // counted from 1
	Column int // in bytes, counted from 1
	Err    error
}

// Error returns the reason with its place: "line 3, column 7: invalid character …".
func (e *DocumentError) Error() string {
	return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns the reason without the place.
func (e *DocumentError) Unwrap() error { return e.Err }

var byteOrderMark = []byte("\xef\xbb\xbf")

// Decode reads a source document, {"ads":[…]}. The result keeps no part of data, which is not written to. An error is
// always a *DocumentError: the document cannot be used at all. A bad ad is no error; it is counted, and is in Rejects unless MaxRejects
// others are before it. What the rejects of a document take does not grow with it: a document of bad ads alone may be a small download.
//
// What the JSON standard leaves open is settled so:
//
//   - names are compared exactly: "ID" is an unknown field. Unknown fields are ignored, in the document and in an ad;
//   - nothing is chosen from a contradiction: a document with two "ads" members is unusable, an ad that has a known field
//     twice is rejected (duplicate_field). Repeated unknown fields are ignored. Labels and days are sets: one that stands there twice
//     counts once;
//   - bytes that are not UTF-8 and lone surrogate escapes reject the ad if they stand in a known field, and are ignored
//     elsewhere;
//   - one byte order mark before the document is skipped; anything but white space after it is an error, and so is
//     nesting deeper than encoding/json allows (10,000);
//   - of two ads with one id the first valid one is served. An invalid ad does not take its id.
func Decode(data []byte) (*Document, error) { return decode(data, partBytes) }

func decode(data []byte, partBytes int) (*Document, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	parts, err := adsArray(data, partBytes)
	if err != nil {
		return nil, err
	}
	return join(data, parts), nil
}

// adsArray reads the document's "ads" array. What is wrong with the syntax, wherever it is, counts before all else.
func adsArray(data []byte, partBytes int) ([]part, error) {
	start := skipSpace(data, 0)
	var ads []part
	var problem error
	var end int
	if byteAt(data, start) == '{' {
		ads, end, problem = adsMember(data, start, partBytes)
	} else if end = scanValue(data, start, 0); end != malformed {
		problem = documentError(data, start, fmt.Errorf("the document is %s, not an object", kindOf(data[start:])))
	}
	if end == malformed || skipSpace(data, end) != len(data) {
		return nil, syntaxError(data)
	}
	return ads, problem
}

// adsMember reads the object that begins at start, and returns its end as a scan does. A problem is the first other than of syntax.
func adsMember(data []byte, start, partBytes int) (ads []part, end int, problem error) {
	found := false
	m := members{text: data, at: start}
	for m.next() {
		begin := m.at
		name, err := unquote(m.key())
		if err == nil && string(name) == "ads" && !found && byteAt(data, begin) == '[' {
			found = true
			ads, m.at = readAds(data, begin, partBytes)
			continue
		}
		m.at = scanValue(data, begin, 1)
		switch {
		case err != nil || string(name) != "ads" || m.at == malformed || problem != nil:
		case found:
			problem = documentError(data, m.keyAt, errors.New(`a second "ads"`))
		default:
			problem = documentError(data, begin, fmt.Errorf(`"ads" is %s, not an array`, kindOf(data[begin:])))
		}
	}
	if !found && problem == nil {
		problem = documentError(data, start, errors.New(`no "ads" array`))
	}
	return ads, m.at, problem
}

// ignored takes any JSON value and keeps nothing of it.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// endsEarly is what encoding/json says of a text that could still be continued.
const endsEarly = "unexpected end of JSON input"

// syntaxError reads the document once more with encoding/json, to say what is wrong with it and where.
func syntaxError(data []byte) error {
	err := json.Unmarshal(data, &ignored{})
	offset := 0
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = int(syntax.Offset)
		if offset > 0 && syntax.Error() != endsEarly {
			offset-- // Offset counts the bytes read, the offending one included
		}
	}
	return documentError(data, offset, err)
}

func documentError(data []byte, offset int, err error) error {
	offset = min(offset, len(data))
	before := data[:offset]
	return &DocumentError{
		Line:   1 + bytes.Count(before, []byte{'\n'}),
		Column: offset - bytes.LastIndexByte(before, '\n'),
		Err:    err,
	}
}

// lineCounter turns ascending offsets into lines in one pass over the document.
type lineCounter struct {
	data       []byte
	seen, line int
}

func (l *lineCounter) at(offset int) int {
	l.line += bytes.Count(l.data[l.seen:offset], []byte{'\n'})
	l.seen = offset
	return l.line
}
