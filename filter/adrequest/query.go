package adrequest

import "bytes"

const (
	// maxQuery is the longest query that is read, in bytes as received.
	maxQuery = 1024

	methodGet  = "GET"
	methodHead = "HEAD"
)

// Query is a valid ad request.
type Query struct {
	// Country is two letters, with UK written as GB.
	Country Code
	// Lang is two or three letters as the client wrote them: which codes mean the same language is the index's knowledge.
	Lang Code
	// Head says that the answer goes without its body, and that it takes no turn in the rotation.
	Head bool
}

// Code is a country or a language: up to three lower-case ASCII letters. It is a value and compares with ==.
type Code struct {
	letters [3]byte
	n       uint8
}

// String returns the letters. It is small enough to be inlined, and then allocates only if the string outlives its caller.
func (c Code) String() string { return string(c.letters[:c.n]) }

// Parse reads a request's method and path, the path with its query as the client sent it; only what follows the first "?"
// counts. It returns the query, or the reply for the first finding in this order: the method, the length of the query, the
// country, the language.
//
// Of one parameter, which may be repeated, the findings are in this order: it is absent, or all its values are empty
// (missing_parameter); its values differ after normalising (duplicate_parameter); they have the wrong shape
// (invalid_parameter). To normalise is to decode, to fold to lower case and to write UK as GB. All values of a wrong shape
// count as the same one, so "usa" and "usb" are invalid while "us" and "usa", or "us" and an empty value, are duplicates.
//
// Parse allocates nothing, and keeps neither slice. The reply is shared and must not be changed.
func Parse(method, path []byte) (Query, *Reply) {
	head := string(method) == methodHead
	if !head && string(method) != methodGet {
		return Query{}, &methodNotAllowed
	}
	_, query := cut(path, '?')
	if len(query) > maxQuery {
		return Query{}, &uriTooLong
	}
	var country, lang parameter
	for len(query) > 0 {
		var pair []byte
		pair, query = cut(query, '&')
		name, value := cut(pair, '=')
		switch {
		case decodesTo(name, "country"):
			country.add(parseCountry(value))
		case decodesTo(name, "lang"):
			lang.add(parseCode(value, 2, 3))
		}
	}
	if reply := country.finding(&countryReplies); reply != nil {
		return Query{}, reply
	}
	if reply := lang.finding(&langReplies); reply != nil {
		return Query{}, reply
	}
	return Query{Country: country.value.code, Lang: lang.value.code, Head: head}, nil
}

// cut returns what s has before and behind the first of a byte; all and nothing where it has none.
func cut(s []byte, separator byte) (before, after []byte) {
	if i := bytes.IndexByte(s, separator); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, nil
}

// parameter gathers the values of one name. Its zero value has none.
type parameter struct {
	value  value
	seen   bool
	differ bool
}

func (p *parameter) add(v value) {
	if p.seen && v != p.value {
		p.differ = true
	}
	p.value, p.seen = v, true
}

func (p *parameter) finding(replies *parameterReplies) *Reply {
	switch {
	case p.differ:
		return &replies.duplicate
	case p.value.shape == empty:
		return &replies.missing
	case p.value.shape == malformed:
		return &replies.invalid
	default:
		return nil
	}
}

// value is a normalised value. Two values are equal when == says so.
type value struct {
	code  Code
	shape shape
}

type shape uint8

const (
	empty shape = iota
	malformed
	wellFormed
)

var (
	uk = Code{letters: [3]byte{'u', 'k'}, n: 2}
	gb = Code{letters: [3]byte{'g', 'b'}, n: 2}
)

// parseCountry writes UK, which is reserved but not assigned, as GB, its ISO 3166-1 code.
func parseCountry(raw []byte) value {
	v := parseCode(raw, 2, 2)
	if v.code == uk {
		v.code = gb
	}
	return v
}

// parseCode decodes raw and folds its letters. Its code is zero unless it has between least and most letters and nothing else.
func parseCode(raw []byte, least, most uint8) value {
	if len(raw) == 0 {
		return value{}
	}
	var c Code
	for len(raw) > 0 {
		b, rest, ok := decodeByte(raw)
		// Setting this bit folds A–Z to a–z, and turns no other byte into a letter.
		b |= 0x20
		if !ok || b < 'a' || b > 'z' || c.n == most {
			return value{shape: malformed}
		}
		c.letters[c.n] = b
		c.n++
		raw = rest
	}
	if c.n < least {
		return value{shape: malformed}
	}
	return value{code: c, shape: wellFormed}
}

// decodesTo reports whether raw is name once decoded. A raw with a bad escape is no name at all.
func decodesTo(raw []byte, name string) bool {
	for i := range len(name) {
		if len(raw) == 0 {
			return false
		}
		b, rest, ok := decodeByte(raw)
		if !ok || b != name[i] {
			return false
		}
		raw = rest
	}
	return len(raw) == 0
}

// decodeByte returns the first byte of a form-encoded text that is not empty, and what follows it. It leaves "+" as it is: the
// space that it stands for is no part of a name or a code either.
func decodeByte(s []byte) (b byte, rest []byte, ok bool) {
	if s[0] != '%' {
		return s[0], s[1:], true
	}
	if len(s) < 3 {
		return 0, nil, false
	}
	hi, okHi := unhex(s[1])
	lo, okLo := unhex(s[2])
	return hi<<4 | lo, s[3:], okHi && okLo
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	default:
		return 0, false
	}
}
