package refmodel

import (
	_ "embed"
	"strings"
	"sync"
)

// iso639 is the table of the standard, so that the model's aliases share nothing with the product's.
//
//go:embed iso639.txt
var iso639 string

// Language is one language of ISO 639-2. A code that it does not have is empty; Bibliographic is set only where it
// differs from Terminology.
type Language struct{ Alpha2, Terminology, Bibliographic string }

// Languages returns every language of ISO 639-2.
func Languages() []Language {
	var all []Language
	for line := range strings.Lines(iso639) {
		f := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(f) != 3 {
			continue
		}
		for i := range f {
			f[i] = strings.Trim(f[i], "-")
		}
		all = append(all, Language{Alpha2: f[0], Terminology: f[1], Bibliographic: f[2]})
	}
	return all
}

// rows numbers the languages by each of their codes.
var rows = sync.OnceValue(func() map[string]int {
	byCode := make(map[string]int)
	for i, l := range Languages() {
		for _, code := range []string{l.Alpha2, l.Terminology, l.Bibliographic} {
			if code != "" {
				byCode[code] = i
			}
		}
	}
	return byCode
})

// sameLanguage says whether two lower-case codes name one language.
func sameLanguage(a, b string) bool {
	ra, knownA := rows()[a]
	rb, knownB := rows()[b]
	return a == b || knownA && knownB && ra == rb
}
