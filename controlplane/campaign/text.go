package campaign

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errNotUTF8   = errors.New("is not valid UTF-8")
	errSurrogate = errors.New("has half a surrogate pair")
)

// unquote decodes a JSON string that the scan has accepted; what it returns aliases quoted where it can. Unlike encoding/json it
// refuses what has no exact meaning, bytes that are not UTF-8 and lone surrogates, instead of replacing them.
func unquote(quoted []byte) ([]byte, error) {
	text, escaped := quoted[1:len(quoted)-1], false
	if plain(text) {
		return text, nil
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		escaped = true
		n, ok := escape(text[i:])
		if !ok {
			return nil, errSurrogate
		}
		i += n - 1
	}
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	if !escaped {
		return text, nil
	}
	var s string
	err := json.Unmarshal(quoted, &s)
	return []byte(s), err
}

// plain reports whether a text is ASCII without escapes, and so stands for itself.
func plain(text []byte) bool {
	for ; len(text) >= 8; text = text[8:] {
		word := binary.LittleEndian.Uint64(text)
		if word&highs|below(word^'\\'*ones, 1) != 0 {
			return false
		}
	}
	for _, c := range text {
		if c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

// escape returns the length of the escape sequence, or pair of sequences, that b begins with, and whether it stands for
// a character.
func escape(b []byte) (n int, ok bool) {
	if len(b) < 6 || b[1] != 'u' {
		return 2, true
	}
	r := hex4(b[2:6])
	if !utf16.IsSurrogate(r) {
		return 6, true
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return 6, false
	}
	return 12, utf16.DecodeRune(r, hex4(b[8:12])) != utf8.RuneError
}

func hex4(b []byte) rune {
	var r rune
	for _, c := range b {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c&0xf)
	}
	return r
}

// slab makes strings many at a time: one allocation for some hundred ads. A string keeps its whole slab alive, so what may
// outlive the document is not made by it. A slab of size 0 makes each string by itself.
type slab struct {
	b    strings.Builder
	size int
}

const slabBytes = 32 << 10

// keep returns the texts, one behind the other.
func (s *slab) keep(texts ...[]byte) string {
	length := 0
	for _, text := range texts {
		length += len(text)
	}
	if s.b.Cap()-s.b.Len() < length {
		s.b.Reset()
		s.b.Grow(max(s.size, length))
	}
	begin := s.b.Len()
	for _, text := range texts {
		s.b.Write(text)
	}
	return s.b.String()[begin:]
}
