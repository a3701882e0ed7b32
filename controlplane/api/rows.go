package api

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// maxFindings is how many findings of an import are named; all are counted.
const maxFindings = 1000

// imported is what an import sends.
type imported struct {
	campaigns []campaign.Campaign
	findings  []apiv1.FieldError
	found     int
	seen      map[string]int // id → row
}

func (im *imported) find(f apiv1.FieldError) {
	if im.found++; len(im.findings) < maxFindings {
		im.findings = append(im.findings, f)
	}
}

// errDocument is a finding of the document as a whole, at a place.
type errDocument struct {
	line int
	text string
}

func (e *errDocument) Error() string { return e.text }

// shape is what a document must be.
const shape = `must be {"ads":[…]} and nothing else`

// readRows reads {"ads":[…]} piece by piece: what it keeps is the campaigns, and of the text no more than the longest value in it. Errors
// of rows are in the result; the error is that of the document, an *errDocument, or of reading.
func readRows(r io.Reader) (*imported, error) {
	source := &lines{r: r}
	// ParseOne says what is wrong inside of a campaign.
	d := &rowReader{lines: source, d: jsontext.NewDecoder(source, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	im := &imported{seen: map[string]int{}}
	if err := d.expect('{', '"', '['); err != nil {
		return nil, err
	}
	for d.d.PeekKind() != ']' {
		value, err := d.d.ReadValue()
		if err != nil {
			return nil, d.fail(err)
		}
		if im.add(value, d.lines.at(d.d.InputOffset()-int64(len(value)))); len(im.campaigns) > revision.MaxChanges {
			return nil, &errDocument{line: d.lines.passed + 1, text: fmt.Sprintf("has more than %d campaigns", revision.MaxChanges)}
		}
	}
	if err := d.expect(']', '}'); err != nil {
		return nil, err
	}
	if _, err := d.d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, d.fail(err)
	}
	return im, nil
}

// rowReader is a decoder that knows its lines.
type rowReader struct {
	lines *lines
	d     *jsontext.Decoder
}

// expect reads tokens of these kinds; the only name that there may be is "ads".
func (r *rowReader) expect(kinds ...jsontext.Kind) error {
	for _, kind := range kinds {
		token, err := r.d.ReadToken()
		if err != nil || token.Kind() != kind || kind == '"' && token.String() != "ads" {
			return r.fail(err)
		}
	}
	return nil
}

// fail is the error of a document: that of reading it, its syntax, its end, or where err is nil its shape.
func (r *rowReader) fail(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case r.lines.err != nil && !errors.Is(r.lines.err, io.EOF):
		return r.lines.err
	case errors.As(err, &syntax):
		return &errDocument{line: r.lines.at(syntax.ByteOffset), text: "is not valid JSON"}
	case err != nil:
		return &errDocument{line: r.lines.at(r.d.InputOffset()), text: "ends early"}
	}
	return &errDocument{line: r.lines.at(r.d.InputOffset()), text: shape}
}

// add reads the next campaign.
func (im *imported) add(value []byte, line int) {
	row := len(im.campaigns) + 1
	c, found := campaign.ParseOne(value)
	im.campaigns = append(im.campaigns, c)
	id := ""
	if len(found) > 0 && len(im.findings) < maxFindings {
		id = idOf(value)
	}
	for _, f := range found {
		e := fieldError(f)
		e.Row, e.Line, e.ID = row, line, id
		im.find(e)
	}
	if len(found) > 0 {
		return
	}
	if first, taken := im.seen[c.ID]; taken {
		im.find(apiv1.FieldError{
			Field: "id", Code: campaign.ReasonDuplicate, Message: fmt.Sprintf("id: row %d has this id already", first), Row: row, Line: line, ID: c.ID,
		})
		return
	}
	im.seen[c.ID] = row
}

// idOf is the id of a faulty campaign, where it can be read.
func idOf(value jsontext.Value) string {
	var of struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(value, &of, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil || len(of.ID) > revision.MaxIDBytes {
		return ""
	}
	return of.ID
}

// lines counts the lines of what is read through it.
type lines struct {
	r      io.Reader
	err    error
	read   int64
	breaks []int64 // places of those behind the last place that was asked for
	passed int
}

// maxBreaks bounds the lines between two values, each of which is remembered until the next value is read.
const maxBreaks = 1 << 20

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	if len(l.breaks) > maxBreaks {
		l.err = &errDocument{line: l.passed + 1, text: fmt.Sprintf("has more than %d lines without a campaign", maxBreaks)}
		return 0, l.err
	}
	n, err := l.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			l.breaks = append(l.breaks, l.read+int64(i))
		}
	}
	l.read += int64(n)
	l.err = err
	return n, err
}

// at returns the line of a place, counted from 1. Places are asked for in ascending order.
func (l *lines) at(offset int64) int {
	n := 0
	for n < len(l.breaks) && l.breaks[n] < offset {
		n++
	}
	l.passed += n
	l.breaks = l.breaks[n:]
	return l.passed + 1
}
