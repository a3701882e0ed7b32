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
//   - nothing is chosen from a contradiction: a document with two "ads" members is unusable, an ad that has one of the
//     six fields twice is rejected (duplicate_field). Repeated unknown fields are ignored;
//   - bytes that are not UTF-8 and lone surrogate escapes reject the ad if they stand in one of its six fields, and are
//     ignored elsewhere;
//   - one byte order mark before the document is skipped; anything but white space after it is an error, and so is
//     nesting deeper than encoding/json allows (10,000);
//   - of two ads with one id the first valid one is served. An invalid ad does not take its id.
func Decode(data []byte) (*Document, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	if err := validate(data); err != nil {
		return nil, err
	}
	ads, at, err := adsArray(data)
	if err != nil {
		return nil, err
	}

	doc := &Document{Reasons: make(map[string]int)}
	byID := make(map[string]int)
	line := lineCounter{data: data, line: 1}
	index := 0
	for offset, text := range elements(ads) {
		brief := len(doc.Rejects) == MaxRejects
		c, reject := decodeAd(text, brief)
		if reject.Reason == "" {
			if first, taken := byID[c.ID]; taken {
				reject = duplicate(&c, first, brief)
			}
		}
		if reject.Reason == "" {
			c.Index, byID[c.ID] = index, index
			doc.Campaigns = append(doc.Campaigns, c)
		} else {
			doc.Rejected++
			doc.Reasons[reject.Reason]++
			if !brief {
				reject.Index, reject.Line = index, line.at(at+offset)
				doc.Rejects = append(doc.Rejects, reject)
			}
		}
		index++
	}
	return doc, nil
}

// duplicate rejects a valid ad whose id the ad at the place first has.
func duplicate(c *Campaign, first int, brief bool) Reject {
	if brief {
		return Reject{Reason: ReasonDuplicate}
	}
	return Reject{
		ID: c.ID, Country: c.Country, Lang: c.Lang, Field: fieldID.String(), Reason: ReasonDuplicate,
		Detail: fmt.Sprintf("ad %d has this id already", first),
	}
}

// ignored takes any JSON value and keeps nothing of it.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// endsEarly is what encoding/json says of a text that could still be continued.
const endsEarly = "unexpected end of JSON input"

func validate(data []byte) error {
	if json.Valid(data) {
		return nil
	}
	err := json.Unmarshal(data, &ignored{}) // reads once more to say what Valid does not
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

// adsArray returns the "ads" array of a valid JSON text and its offset.
func adsArray(data []byte) ([]byte, int, error) {
	start := skipSpace(data, 0)
	object := data[start:]
	if object[0] != '{' {
		return nil, 0, documentError(data, start, fmt.Errorf("the document is %s, not an object", kindOf(object)))
	}
	var ads []byte
	at := 0
	for m := range members(object) {
		switch name, err := unquote(m.key); {
		case err != nil || name != "ads":
		case ads != nil:
			return nil, 0, documentError(data, start+m.keyAt, errors.New(`a second "ads"`))
		case m.value[0] != '[':
			err := fmt.Errorf(`"ads" is %s, not an array`, kindOf(m.value))
			return nil, 0, documentError(data, start+m.valueAt, err)
		default:
			ads, at = m.value, start+m.valueAt
		}
	}
	if ads == nil {
		return nil, 0, documentError(data, start, errors.New(`no "ads" array`))
	}
	return ads, at, nil
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
