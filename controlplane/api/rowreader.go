package api

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"adsidecar/controlplane/campaign"
)

// maxRow is the longest row of an import, in bytes: the longest campaign.
const maxRow = campaign.MaxOneBytes

// shape is what a document must be.
const shape = `must be {"ads":[…]} and nothing else`

// Beginnings of a document, at whose ends a rowReader may find something else than it must. A row in them is [].
const (
	atStart    = ``
	atName     = `{`
	behindName = `{"ads"`
	atArray    = `{"ads":`
	atFirstRow = `{"ads":[`
	atRow      = `{"ads":[[],`
	behindRow  = `{"ads":[[]`
	behindRows = `{"ads":[]`
	atEnd      = `{"ads":[]}`
)

// lenient is what is no error of the document: campaign.ParseOne says what is wrong inside of a campaign.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// errDocument is a finding of the document as a whole, at a place.
type errDocument struct {
	line int
	text string
}

func (e *errDocument) Error() string { return e.text }

// rowReader reads {"ads":[…]} row by row. It finds the rows by their brackets and quotes alone, and holds one buffer of twice maxRow,
// whatever the document is made of: a decoder would hold the longest value in it. What exactly is wrong with one that is not as it must be
// a decoder says all the same, of what is in the buffer then.
type rowReader struct {
	b    *bufio.Reader
	err  error // of reading, io.EOF too: no more comes than what is in the buffer
	line int   // of the buffer's first byte
	mark int   // the line of the last byte that was taken

	at   string // the beginning up to the last row
	row  int    // the length of the last row's part in the buffer
	rest bounds // of that row
	open bool   // it goes on behind that part
}

// newRowReader reads up to the first row. The error is an *errDocument, or that of reading.
func newRowReader(from io.Reader) (*rowReader, error) {
	r := &rowReader{b: bufio.NewReaderSize(from, 2*maxRow), line: 1}
	if !r.take('{') {
		return nil, r.wrong(atStart)
	}
	if r.next() != '"' {
		return nil, r.wrong(atName)
	}
	name, _ := r.value()
	if unquoted, err := jsontext.AppendUnquote(nil, name); err != nil || string(unquoted) != "ads" {
		return nil, r.wrong(atName)
	}
	r.consume(len(name))
	if !r.take(':') {
		return nil, r.wrong(behindName)
	}
	if !r.take('[') {
		return nil, r.wrong(atArray)
	}
	return r, nil
}

// nextRow returns the text of the next row, and its line counted from 1. A row that is longer than maxRow is cut off behind maxRow+1 bytes.
// The text may be anything that its brackets and quotes hold together; it is valid until the next call. The error is io.EOF behind the last
// row, where the document has ended as it must, or an *errDocument, or that of reading.
func (r *rowReader) nextRow() (text []byte, line int, err error) {
	r.pass()
	if r.take(']') {
		return nil, 0, r.end()
	}
	if r.at == "" {
		r.at = atFirstRow
	} else if r.at = atRow; !r.take(',') {
		return nil, 0, r.wrong(behindRow)
	}
	r.next()
	text, ended := r.value()
	if r.err != nil && !ended {
		return nil, 0, r.malformed()
	}
	r.row, r.open = len(text), !ended
	if len(text) > maxRow {
		if line, err := r.look(r.at, true); isSyntax(err) {
			return nil, 0, r.problem(line, err)
		}
		text = text[:maxRow+1]
	}
	return text, r.line, nil
}

// pass leaves the last row behind.
func (r *rowReader) pass() {
	r.consume(r.row)
	r.row = 0
	for r.open {
		n, ended := r.rest.scan(r.buffered())
		r.consume(n)
		r.open = !ended && r.more()
	}
}

// end reads what is behind the rows, and returns io.EOF if that is as it must be.
func (r *rowReader) end() error {
	if !r.take('}') {
		return r.wrong(behindRows)
	}
	if r.next(); r.b.Buffered() > 0 || !errors.Is(r.err, io.EOF) {
		return r.wrong(atEnd)
	}
	return io.EOF
}

// buffered is what is in the buffer, until the next more.
func (r *rowReader) buffered() []byte {
	b, _ := r.b.Peek(r.b.Buffered())
	return b
}

// more reads on behind what is in the buffer, which must not be full. false: there is no more.
func (r *rowReader) more() bool {
	if r.err == nil {
		_, r.err = r.b.Peek(r.b.Buffered() + 1)
	}
	return r.err == nil
}

func (r *rowReader) consume(n int) {
	if n == 0 {
		return
	}
	r.line += bytes.Count(r.buffered()[:n], []byte{'\n'})
	_, _ = r.b.Discard(n) // they are there
}

// next passes white space and returns the byte behind it, which stays there; 0 at the end.
func (r *rowReader) next() byte {
	for {
		b, n := r.buffered(), 0
		for n < len(b) && (b[n] == ' ' || b[n] == '\n' || b[n] == '\t' || b[n] == '\r') {
			n++
		}
		if r.consume(n); n < len(b) {
			return b[n]
		}
		if !r.more() {
			return 0
		}
	}
}

// take passes the byte c, which is not 0, if that is what comes next.
func (r *rowReader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.mark = r.line
	r.consume(1)
	return true
}

// value returns the value that the buffer begins with, or as much of it as the end or the buffer allows, which is more than maxRow; it
// stays there. Whether it is one is not looked at.
func (r *rowReader) value() (text []byte, ended bool) {
	r.rest = bounds{}
	n := 0
	for {
		var more int
		if more, ended = r.rest.scan(r.buffered()[n:]); ended || n+more > maxRow || !r.more() {
			return r.buffered()[:n+more], ended
		}
		n += more
	}
}

// wrong is the error for what comes behind a beginning of the document. It reads on for as long as that is not clear and the buffer allows.
func (r *rowReader) wrong(beginning string) error {
	for {
		line, err := r.look(beginning, false)
		n := r.b.Buffered()
		if !errors.Is(err, errMore) || n > maxRow {
			return r.problem(line, err)
		}
		for r.b.Buffered() < max(2*n, 1) && r.more() { // twice as much each time, as all of it is looked at again
		}
	}
}

// malformed is the error for a row that is no JSON, or not complete. It is still in the buffer.
func (r *rowReader) malformed() error {
	line, err := r.look(r.at, true)
	if err == nil || errors.Is(err, errMore) {
		line, err = r.line, io.ErrUnexpectedEOF
	}
	return r.problem(line, err)
}

func (r *rowReader) problem(line int, err error) error {
	switch {
	case r.err != nil && !errors.Is(r.err, io.EOF):
		return r.err
	case errors.Is(err, io.EOF):
		return &errDocument{line: 1, text: "ends early"}
	case err == nil, errors.Is(err, errMore): // a token that is longer than the buffer
		return &errDocument{line: line, text: shape}
	}
	return &errDocument{line: line, text: "is not valid JSON"}
}

func isSyntax(err error) bool { return errors.As(err, new(*jsontext.SyntacticError)) }

// errMore is returned where it takes more than what is in the buffer to tell.
var errMore = errors.New("there is more")

// unread is what is behind the buffer.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, errMore }

// look decodes what is in the buffer as what comes behind a beginning of the document: one token, or a value as a whole. The error is errMore,
// a *jsontext.SyntacticError, or io.EOF. It returns the line of that, or else the one behind what was decoded.
func (r *rowReader) look(beginning string, value bool) (line int, err error) {
	text := r.buffered()
	parts := []io.Reader{strings.NewReader(beginning), bytes.NewReader(text)}
	if r.err == nil {
		parts = append(parts, unread{})
	}
	d := jsontext.NewDecoder(io.MultiReader(parts...), lenient)
	for d.InputOffset() < int64(len(strings.TrimRight(beginning, ",:"))) {
		_, _ = d.ReadToken() // there is no error in it
	}
	if value {
		_, err = d.ReadValue() // which puts some errors elsewhere than its tokens would
	} else {
		_, err = d.ReadToken()
	}
	if errors.Is(err, errMore) {
		return r.line, errMore
	}
	at := d.InputOffset()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at = syntax.ByteOffset
	}
	if at -= int64(len(beginning)); at < 0 {
		return r.mark, err // as for a comma that nothing follows
	}
	return r.line + bytes.Count(text[:at], []byte{'\n'}), err
}

// bounds finds where a value ends, piece by piece, by its brackets and quotes alone.
type bounds struct {
	begun, quoted, escaped bool
	depth                  int
}

// scan looks at more of the value. It returns how many of these bytes are of the value, and whether it ends behind them. A number or a word
// ends only before something else.
func (v *bounds) scan(b []byte) (n int, ended bool) {
	for n < len(b) {
		if v.quoted {
			if n += v.text(b[n:]); !v.quoted && v.depth == 0 {
				return n, true
			}
			continue
		}
		switch b[n] {
		case '"':
			if v.begun && v.depth == 0 {
				return n, true
			}
			v.quoted = true
		case '{', '[':
			if v.begun && v.depth == 0 {
				return n, true
			}
			v.depth++
		case '}', ']':
			if v.depth == 0 {
				return n, true
			}
			if v.depth--; v.depth == 0 {
				return n + 1, true
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if v.depth == 0 {
				return n, true
			}
		}
		v.begun = true
		n++
	}
	return n, false
}

// text looks at more of a string, one byte at least, and returns how many of these bytes are of it, with its closing quote.
func (v *bounds) text(b []byte) int {
	i := 0
	if v.escaped {
		i, v.escaped = 1, false
	}
	for i < len(b) {
		switch b[i] {
		case '"':
			v.quoted = false
			return i + 1
		case '\\':
			if i += 2; i > len(b) {
				v.escaped = true
			}
		default:
			i++
		}
	}
	return len(b)
}
