package adindex

const (
	letterBits  = 5
	letterMask  = 1<<letterBits - 1
	langBits    = 3 * letterBits
	countryBits = 2 * letterBits

	langMask    Key = 1<<langBits - 1
	countryMask Key = (1<<countryBits - 1) << langBits

	wildcard = "*"
)

// Key is a country and a language, packed so that the order of the numbers is the order of the letters: 10 bits of country
// (two letters) above 15 bits of language (two or three letters), five bits a letter, a = 1 to z = 26. The third letter of a
// language of two is 0. A country or a language that is 0 as a whole is the wildcard "*"; the zero Key is "*/*".
type Key uint32

// MakeKey packs a country of two lower-case ASCII letters and a language of two or three; either may be "*". It returns false
// for anything else. It neither folds case nor resolves aliases, and it keeps neither string.
func MakeKey(country, lang string) (Key, bool) {
	if country != wildcard && len(country) != 2 || lang != wildcard && len(lang) != 2 && len(lang) != 3 {
		return 0, false
	}
	c, okCountry := pack(country, 2)
	l, okLang := pack(lang, 3)
	return c<<langBits | l, okCountry && okLang
}

// pack returns the letters of s in the upper of width places.
func pack(s string, width int) (Key, bool) {
	if s == wildcard {
		return 0, true
	}
	var k Key
	for i := range width {
		k <<= letterBits
		if i < len(s) {
			if s[i] < 'a' || s[i] > 'z' {
				return 0, false
			}
			k |= Key(s[i]-'a') + 1
		}
	}
	return k, true
}

// Country returns the two letters of the country, or "*".
func (k Key) Country() string { return unpack(k&countryMask>>langBits, 2) }

// Lang returns the two or three letters of the language, or "*".
func (k Key) Lang() string { return unpack(k&langMask, 3) }

// String returns the key as people write it: "us/eng", "*/eng".
func (k Key) String() string { return k.Country() + "/" + k.Lang() }

func unpack(k Key, width int) string {
	if k == 0 {
		return wildcard
	}
	var letters [3]byte
	n := 0
	for i := range width {
		if letter := k >> (letterBits * (width - 1 - i)) & letterMask; letter != 0 {
			letters[n] = 'a' - 1 + byte(letter)
			n++
		}
	}
	return string(letters[:n])
}

// valid reports whether MakeKey can make k. It is the structural check of Open, where each key of the index passes.
func (k Key) valid() bool {
	if k>>(countryBits+langBits) != 0 {
		return false
	}
	if c := k >> langBits; c != 0 && !(isLetter(c>>letterBits) && isLetter(c)) {
		return false
	}
	l := k & langMask
	return l == 0 || isLetter(l>>(2*letterBits)) && isLetter(l>>letterBits) && (l&letterMask == 0 || isLetter(l))
}

// isLetter reports whether the lowest five bits of k are a letter.
func isLetter(k Key) bool { return k&letterMask-1 < 26 }
