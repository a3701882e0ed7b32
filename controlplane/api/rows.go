package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// maxFindings is how many findings of an import are named; all are counted.
const maxFindings = 1000

// imported is what an import sends.
type imported struct {
	campaigns []campaign.Campaign // of all rows, if nothing was found
	rows      int
	findings  []apiv1.FieldError
	found     int
	seen      map[string]int // id → row
}

func (im *imported) find(f apiv1.FieldError) {
	im.campaigns = nil
	if im.found++; len(im.findings) < maxFindings {
		im.findings = append(im.findings, f)
	}
}

// readRows reads {"ads":[…]} row by row: what it keeps is the campaigns, and of the text one buffer. Errors of rows are in the result; the
// error is that of the document, an *errDocument, or of reading.
func readRows(from io.Reader) (*imported, error) {
	r, err := newRowReader(from)
	if err != nil {
		return nil, err
	}
	im := &imported{seen: map[string]int{}}
	for {
		text, line, err := r.nextRow()
		if errors.Is(err, io.EOF) {
			return im, nil
		}
		if err != nil {
			return nil, err
		}
		if !im.add(text, line) {
			return nil, r.malformed()
		}
		if im.rows > revision.MaxChanges {
			return nil, &errDocument{line: line, text: fmt.Sprintf("has more than %d campaigns", revision.MaxChanges)}
		}
	}
}

// add reads the next row; false: it is no JSON.
func (im *imported) add(text []byte, line int) bool {
	im.rows++
	c, found := campaign.ParseOne(text)
	if len(found) == 0 {
		im.keep(&c, line)
		return true
	}
	if found[0].Reason == campaign.ReasonMalformed {
		return false
	}
	id := ""
	if len(im.findings) < maxFindings {
		id = idOf(text)
	}
	for _, f := range found {
		e := fieldError(f)
		e.Row, e.Line, e.ID = im.rows, line, id
		im.find(e)
	}
	return true
}

func (im *imported) keep(c *campaign.Campaign, line int) {
	if first, taken := im.seen[c.ID]; taken {
		im.find(apiv1.FieldError{
			Field: "id", Code: campaign.ReasonDuplicate, Message: fmt.Sprintf("id: row %d has this id already", first), Row: im.rows, Line: line, ID: c.ID,
		})
		return
	}
	im.seen[c.ID] = im.rows
	if im.found == 0 {
		im.campaigns = append(im.campaigns, *c)
	}
}

// idOf is the id of a faulty campaign, where it can be read: also of the beginning of one.
func idOf(text []byte) (id string) {
	d := jsontext.NewDecoder(bytes.NewReader(text), lenient)
	if begin, err := d.ReadToken(); err != nil || begin.Kind() != '{' {
		return ""
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return id
		}
		if name.String() != "id" {
			if err := d.SkipValue(); err != nil {
				return id
			}
			continue
		}
		value, err := d.ReadToken()
		if err != nil {
			return id
		}
		if id = ""; value.Kind() == '"' {
			id = value.String()
		}
		if value.Kind() != '"' || len(id) > revision.MaxIDBytes {
			return ""
		}
	}
}
