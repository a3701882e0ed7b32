package console

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// visibleControls writes the characters that have no shape of their own as the command line does, such as those that turn the direction of
// what follows: a foreign name must not look like another. What is in a field or an attribute stays, as it is sent back. The page is
// html/template's, which leaves no < and > in texts and attributes.
func visibleControls(page []byte) []byte {
	if !bytes.ContainsFunc(page, hidden) {
		return page
	}
	var b bytes.Buffer
	tag, field := false, false // where the rest begins
	for rest := page; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch r {
		case '<':
			tag = true
			field = bytes.HasPrefix(rest, []byte("<textarea")) || field && !bytes.HasPrefix(rest, []byte("</textarea"))
		case '>':
			tag = false
		}
		if !tag && !field && hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.Write(rest[:size])
		}
		rest = rest[size:]
	}
	return b.Bytes()
}

// hidden reports whether a character has no shape: of formats, of other line ends, and controls.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}
