package adindex

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMakeKeyPacksTheLetters(t *testing.T) {
	tests := map[string]struct {
		country, lang string
		want          Key
	}{
		"two letters of language":   {"us", "en", 21<<20 | 19<<15 | 5<<10 | 14<<5},
		"three letters of language": {"us", "eng", 21<<20 | 19<<15 | 5<<10 | 14<<5 | 7},
		"the first letters":         {"aa", "aaa", 1<<20 | 1<<15 | 1<<10 | 1<<5 | 1},
		"the last letters":          {"zz", "zzz", 26<<20 | 26<<15 | 26<<10 | 26<<5 | 26},
		"any country":               {"*", "eng", 5<<10 | 14<<5 | 7},
		"any language":              {"us", "*", 21<<20 | 19<<15},
		"anything":                  {"*", "*", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			k, ok := MakeKey(tc.country, tc.lang)
			require.True(t, ok)
			require.Equal(t, tc.want, k)
			require.True(t, k.valid())
			require.Equal(t, tc.country, k.Country())
			require.Equal(t, tc.lang, k.Lang())
			require.Equal(t, tc.country+"/"+tc.lang, k.String())
		})
	}
}

func TestMakeKeyRefusesOtherShapes(t *testing.T) {
	tests := map[string]struct{ country, lang string }{
		"no country":                {"", "eng"},
		"no language":               {"us", ""},
		"one letter of country":     {"u", "eng"},
		"three letters of country":  {"usa", "eng"},
		"one letter of language":    {"us", "e"},
		"four letters of language":  {"us", "engl"},
		"upper case":                {"US", "eng"},
		"upper case language":       {"us", "enG"},
		"the byte before a":         {"u`", "eng"},
		"the byte after z":          {"us", "en{"},
		"a star among letters":      {"u*", "eng"},
		"two stars":                 {"**", "eng"},
		"a star in the language":    {"us", "e*"},
		"two bytes of one rune":     {"é", "eng"},
		"two zero bytes of country": {"\x00\x00", "eng"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			k, ok := MakeKey(tc.country, tc.lang)
			require.False(t, ok, k)
		})
	}
}

func TestAKeyIsValidWhenMakeKeyMakesIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Key(rapid.OneOf(rapid.Uint32(), rapid.Uint32Max(1<<25)).Draw(t, "key"))
		made, ok := MakeKey(k.Country(), k.Lang())
		require.Equal(t, k.valid(), ok && made == k)
	})
}

func TestKeysSortAsTheirLetters(t *testing.T) {
	code := rapid.StringMatching(`[a-z]{2}|\*`)
	lang := rapid.StringMatching(`[a-z]{2,3}|\*`)
	rapid.Check(t, func(t *rapid.T) {
		a := [2]string{code.Draw(t, "country"), lang.Draw(t, "lang")}
		b := [2]string{code.Draw(t, "other country"), lang.Draw(t, "other lang")}
		ka, _ := MakeKey(a[0], a[1])
		kb, _ := MakeKey(b[0], b[1])
		require.Equal(t, a[0] < b[0] || a[0] == b[0] && a[1] < b[1], ka < kb)
	})
}
