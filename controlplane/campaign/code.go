package campaign

import (
	"errors"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

var (
	errCountryShape = errors.New("must be 2 ASCII letters")
	errLangShape    = errors.New("must be 2 or 3 ASCII letters")
)

// ParseCountry returns the canonical form of a country code: lower case, "gb" for UK. Any two ASCII letters are a code;
// there is no membership check.
func ParseCountry(s string) (string, error) {
	if len(s) != 2 || !letters(s) {
		return "", errCountryShape
	}
	if s = strings.ToLower(s); s == "uk" {
		return "gb", nil
	}
	return s, nil
}

// ParseLang returns the canonical form of a language code, as CanonicalLang does for lower case. Any two or three ASCII
// letters are a code; there is no membership check.
func ParseLang(s string) (string, error) {
	if len(s) != 2 && len(s) != 3 || !letters(s) {
		return "", errLangShape
	}
	return CanonicalLang(strings.ToLower(s)), nil
}

func letters(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// CanonicalLang returns the ISO 639-2/T code of the language that a lower-case ISO 639-1, 639-2/T or 639-2/B code
// names (fr, fra and fre give fra), and any other code unchanged. Only codes that the standard has today are the same
// language: the withdrawn iw, in, ji, jw, mo and sh stay themselves, and so do macrolanguages and their members.
func CanonicalLang(code string) string {
	if l, ok := languages().byCode[code]; ok {
		return l.terminology
	}
	return code
}

// LangAliases returns every code of the language with the canonical code given, in the order 639-1, 639-2/T, 639-2/B
// (fra gives fr, fra, fre). A code outside ISO 639-1 is its own only alias.
func LangAliases(canonical string) []string {
	l, ok := languages().byCode[canonical]
	if !ok {
		return []string{canonical}
	}
	if l.bibliographic == "" {
		return []string{l.alpha2, l.terminology}
	}
	return []string{l.alpha2, l.terminology, l.bibliographic}
}

// lang is a language that has more than one code: all of those have an ISO 639-1 code.
type lang struct{ alpha2, terminology, bibliographic string }

type langTable struct{ byCode map[string]lang }

// bibliographicCodes are the 20 languages whose ISO 639-2/B code differs from the 639-2/T code; x/text does not know
// these codes as aliases.
var bibliographicCodes = map[string]string{
	"bod": "tib", "ces": "cze", "cym": "wel", "deu": "ger", "ell": "gre", "eus": "baq", "fas": "per", "fra": "fre",
	"hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac", "mri": "mao", "msa": "may", "mya": "bur", "nld": "dut",
	"ron": "rum", "slk": "slo", "sqi": "alb", "zho": "chi",
}

// withdrawn are the two-letter codes that x/text still resolves although ISO 639-1 has them no more. Resolving them
// would make he and iw one language here and two in the standard.
var withdrawn = map[string]bool{"iw": true, "in": true, "ji": true, "jw": true, "mo": true, "sh": true}

// languages asks x/text from two letters to three only: in the other direction it prefers some withdrawn codes (heb
// gives iw).
var languages = sync.OnceValue(func() langTable {
	t := langTable{byCode: make(map[string]lang, 3*184)}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			alpha2 := string([]rune{a, b})
			base, err := language.ParseBase(alpha2)
			if err != nil || withdrawn[alpha2] {
				continue
			}
			l := lang{alpha2: alpha2, terminology: base.ISO3()}
			l.bibliographic = bibliographicCodes[l.terminology]
			t.byCode[l.alpha2], t.byCode[l.terminology] = l, l
			if l.bibliographic != "" {
				t.byCode[l.bibliographic] = l
			}
		}
	}
	return t
})
