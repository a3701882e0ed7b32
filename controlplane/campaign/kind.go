package campaign

import (
	"strconv"
	"strings"
)

// kind is the JSON type of a value: the byte that such a value begins with.
type kind byte

const (
	kindObject  kind = '{'
	kindArray   kind = '['
	kindString  kind = '"'
	kindBoolean kind = 't'
	kindNull    kind = 'n'
	kindNumber  kind = '0'
)

func kindOf(value []byte) kind {
	switch k := kind(value[0]); k {
	case kindObject, kindArray, kindString, kindBoolean, kindNull:
		return k
	case 'f':
		return kindBoolean
	default:
		return kindNumber
	}
}

func (k kind) String() string {
	switch k {
	case kindObject:
		return "an object"
	case kindArray:
		return "an array"
	case kindString:
		return "a string"
	case kindBoolean:
		return "a boolean"
	case kindNull:
		return "null"
	default:
		return "a number"
	}
}

// maxQuoted keeps one bad value from filling a log line or a status page.
const maxQuoted = 64

// quoted and shortened are made into text only if somebody reads it.
type quoted []byte

func (q quoted) String() string {
	if len(q) <= maxQuoted {
		return strconv.QuoteToASCII(string(q))
	}
	return strconv.QuoteToASCII(string(q[:maxQuoted])) + "…"
}

type shortened []byte

func (s shortened) String() string {
	if len(s) <= maxQuoted {
		return string(s)
	}
	return strings.ToValidUTF8(string(s[:maxQuoted]), "") + "…"
}
