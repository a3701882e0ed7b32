package campaign

import (
	"encoding/binary"
	"math/bits"
)

// The scan checks JSON and finds its parts in one pass and in place: nothing is copied, and a value's position in the document
// is its position in the slice. It accepts what encoding/json accepts, which a fuzz test proves, in a fraction of the time; what
// exactly is wrong with the rest it leaves to encoding/json.
//
// A scan function takes the place at which something begins and returns the place behind it, or malformed.
const malformed = -1

// maxDepth is how deep encoding/json lets objects and arrays nest.
const maxDepth = 10_000

// scanValue scans any value; depth is how many objects and arrays it lies in.
func scanValue(b []byte, i, depth int) int {
	switch byteAt(b, i) {
	case '"':
		return scanString(b, i)
	case '{':
		return scanObject(b, i, depth+1)
	case '[':
		return scanArray(b, i, depth+1)
	case 't':
		return scanLiteral(b, i, "true")
	case 'f':
		return scanLiteral(b, i, "false")
	case 'n':
		return scanLiteral(b, i, "null")
	default:
		return scanNumber(b, i)
	}
}

func scanObject(b []byte, i, depth int) int {
	if depth > maxDepth {
		return malformed
	}
	m := members{text: b, at: i}
	for m.next() {
		m.at = scanValue(b, m.at, depth)
	}
	return m.at
}

func scanArray(b []byte, i, depth int) int {
	if depth > maxDepth {
		return malformed
	}
	if i = skipSpace(b, i+1); byteAt(b, i) == ']' {
		return i + 1
	}
	for {
		if i = scanValue(b, i, depth); i == malformed {
			return malformed
		}
		switch i = skipSpace(b, i); byteAt(b, i) {
		case ',':
			i = skipSpace(b, i+1)
		case ']':
			return i + 1
		default:
			return malformed
		}
	}
}

// members walks an object: after each next its user moves at to the end of the member's value. Keys may repeat.
type members struct {
	text          []byte
	keyAt, keyEnd int // the member's key, with its quotes

	// at is where the object begins, then where the member's value begins, and behind the object after the last next; malformed
	// if there is no such place.
	at int
}

func (m *members) next() bool {
	if m.at == malformed {
		return false
	}
	b, first, i := m.text, m.keyEnd == 0, m.at
	if first {
		i++ // the bracket
	}
	i = skipSpace(b, i)
	switch c := byteAt(b, i); {
	case c == '}':
		m.at = i + 1
		return false
	case c == ',' && !first:
		i = skipSpace(b, i+1)
	case !first:
		m.at = malformed
		return false
	}
	m.at = malformed
	if byteAt(b, i) != '"' {
		return false
	}
	end := scanString(b, i)
	if end == malformed {
		return false
	}
	m.keyAt, m.keyEnd = i, end
	if i = skipSpace(b, end); byteAt(b, i) != ':' {
		return false
	}
	m.at = skipSpace(b, i+1)
	return true
}

func (m *members) key() []byte { return m.text[m.keyAt:m.keyEnd] }

// byteAt returns 0, which JSON has nowhere outside a string and not inside either, behind the end.
func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scanString scans eight bytes at a time as long as none of them needs a look: a string is most of a document.
func scanString(b []byte, i int) int {
	for i++; i < len(b); {
		if len(b)-i >= 8 {
			word := binary.LittleEndian.Uint64(b[i:])
			found := below(word, ' ') | below(word^'"'*ones, 1) | below(word^'\\'*ones, 1)
			if found == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(found) / 8
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = scanEscape(b, i); i == malformed {
				return malformed
			}
		case c < ' ':
			return malformed
		default:
			i++
		}
	}
	return malformed
}

const (
	ones  uint64 = 0x0101010101010101
	highs        = 0x80 * ones
)

// below finds the bytes of a word that are less than n, which is at most 128. The lowest bit of the result is in the first
// such byte; behind it the result may be wrong.
func below(word, n uint64) uint64 { return (word - n*ones) &^ word & highs }

func scanEscape(b []byte, i int) int {
	switch byteAt(b, i+1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for n := range 4 {
			c := byteAt(b, i+2+n)
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return malformed
			}
		}
		return i + 6
	default:
		return malformed
	}
}

func scanLiteral(b []byte, i int, literal string) int {
	if end := i + len(literal); end <= len(b) && string(b[i:end]) == literal {
		return end
	}
	return malformed
}

func scanNumber(b []byte, i int) int {
	if byteAt(b, i) == '-' {
		i++
	}
	if byteAt(b, i) == '0' {
		i++
	} else if i = scanDigits(b, i); i == malformed {
		return malformed
	}
	if byteAt(b, i) == '.' {
		if i = scanDigits(b, i+1); i == malformed {
			return malformed
		}
	}
	if c := byteAt(b, i); c != 'e' && c != 'E' {
		return i
	}
	if c := byteAt(b, i+1); c == '+' || c == '-' {
		i++
	}
	return scanDigits(b, i+1)
}

func scanDigits(b []byte, i int) int {
	begin := i
	for c := byteAt(b, i); '0' <= c && c <= '9'; c = byteAt(b, i) {
		i++
	}
	if i == begin {
		return malformed
	}
	return i
}
