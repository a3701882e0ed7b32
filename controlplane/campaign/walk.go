package campaign

import (
	"encoding/json"
	"errors"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// The walk visits JSON that encoding/json has already accepted, in place: nothing is copied, nothing recurses, and a
// value's position in the document is its position in the slice. On other bytes it may stop early or yield nonsense,
// but it neither panics nor loops.

// elements yields the offset and the text of each element of an array.
func elements(array []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for i := skipSpace(array, 1); i < len(array) && array[i] != ']'; {
			end := skipValue(array, i)
			if !yield(i, array[i:end]) {
				return
			}
			i = skipSeparator(array, end)
		}
	}
}

// member is one member of an object. The offsets are those of its texts in the object.
type member struct {
	key, value     []byte // the key is quoted, as it stands
	keyAt, valueAt int
}

// members yields the members of an object in order. Keys may repeat.
func members(object []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		for i := skipSpace(object, 1); i < len(object) && object[i] != '}'; {
			m := member{keyAt: i}
			i = skipValue(object, i)
			m.key = object[m.keyAt:i]
			i = min(skipSpace(object, i)+1, len(object)) // the colon
			m.valueAt = skipSpace(object, i)
			i = skipValue(object, m.valueAt)
			m.value = object[m.valueAt:i]
			if !yield(m) {
				return
			}
			i = skipSeparator(object, i)
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipSeparator skips the comma, if there is one, and the space around it. It always moves on, or stays at a bracket.
func skipSeparator(b []byte, i int) int {
	if i = skipSpace(b, i); i < len(b) && b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	return i
}

// skipValue returns the end of the value that begins at i. It moves at least one byte unless i is the end of b.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i++; i < len(b); i++ {
		switch b[i] {
		case ',', ']', '}', ':', ' ', '\n', '\t', '\r':
			return i
		}
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if i++; depth == 0 {
			return i
		}
	}
	return len(b)
}

func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

var (
	errNotUTF8   = errors.New("is not valid UTF-8")
	errSurrogate = errors.New("has half a surrogate pair")
)

// unquote decodes a JSON string. Unlike encoding/json it refuses what has no exact meaning, bytes that are not UTF-8
// and lone surrogates, instead of replacing them.
func unquote(quoted []byte) (string, error) {
	if len(quoted) < 2 {
		return "", errNotUTF8
	}
	text, escaped := quoted[1:len(quoted)-1], false
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		escaped = true
		n, ok := escape(text[i:])
		if !ok {
			return "", errSurrogate
		}
		i += n - 1
	}
	if !utf8.Valid(text) {
		return "", errNotUTF8
	}
	if !escaped {
		return string(text), nil
	}
	var s string
	err := json.Unmarshal(quoted, &s)
	return s, err
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
