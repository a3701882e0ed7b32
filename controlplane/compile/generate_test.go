package compile_test

import (
	"encoding/json"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// The generators mix what a source may send: aliases and upper case, UK and GB, equal ids, ads with one or several bad
// fields, and elements that are no ads at all. The pools are small, so that ads meet in one key.

type query struct{ country, lang string }

// sourceDocument is a document with the queries that its own ads suggest, well-formed or not.
type sourceDocument struct {
	text    string
	queries []query
}

var (
	goodIDs       = rapid.OneOf(rapid.StringMatching(`[ab]{1,2}`), rapid.StringMatching(`[ -~]{1,12}`))
	goodURLs      = rapid.SampledFrom([]string{"https://v/x", "http://v.example:80/a?b=1&c=\"q\"<é>", "HTTPS://v/😀\\/\u2028"})
	goodCountries = rapid.SampledFrom([]string{"us", "US", "uS", "uk", "UK", "Uk", "gb", "GB", "fr", "FR", "xx"})
	goodLangs     = rapid.SampledFrom([]string{
		"en", "eng", "EN", "Eng", "fr", "fre", "fra", "FRA", "de", "ger", "deu", "he", "heb", "iw", "no", "nor", "nb", "nob",
		"tl", "fil", "ro", "rum", "mo", "zz", "zzz", "cmn", "zh", "chi",
	})
	badIDs       = rapid.SampledFrom([]string{`""`, `null`, `1`, `"é"`, `"a\n"`, `["a"]`, `"` + strings.Repeat("a", 129) + `"`})
	badURLs      = rapid.SampledFrom([]string{`""`, `"v/x"`, `"ftp://v/x"`, `"https://"`, `"https:///x"`, `"https://v/\u0000"`, `{}`, `null`})
	badCountries = rapid.SampledFrom([]string{`""`, `"u"`, `"usa"`, `"u5"`, `"**"`, `"us "`, `"ｕｓ"`, `null`, `1`})
	badLangs     = rapid.SampledFrom([]string{`""`, `"e"`, `"engl"`, `"e1"`, `"**"`, `"ñ"`, `false`, `null`})
	badHours     = rapid.SampledFrom([]string{`-1`, `25`, `24.0`, `1.0`, `1e0`, `"1"`, `null`, `true`, `99999999999999999999`})
	noAds        = rapid.SampledFrom([]string{`null`, `1`, `"a"`, `[]`, `{}`, `[{"id":"a"}]`, `true`})

	badQueries = rapid.SampledFrom([]query{{"usa", "eng"}, {"us", "e"}, {"", "eng"}, {"us", "engl"}, {"*", "*"}, {"u5", "en"}})
	queries    = rapid.Custom(func(t *rapid.T) query {
		if oneIn(t, 20) {
			return badQueries.Draw(t, "bad query")
		}
		return query{goodCountries.Draw(t, "country"), goodLangs.Draw(t, "lang")}
	})
)

func oneIn(t *rapid.T, n int) bool { return rapid.IntRange(1, n).Draw(t, "one in") == n }

func quoted(s string) string {
	text, _ := json.Marshal(s) // a string always has a JSON text
	return string(text)
}

// fieldText draws a field's JSON text: a bad one now and then, an empty one for a missing field.
func fieldText(t *rapid.T, good string, bad *rapid.Generator[string]) string {
	switch {
	case !oneIn(t, 24):
		return good
	case oneIn(t, 5):
		return ""
	default:
		return bad.Draw(t, "bad")
	}
}

var sourceDocuments = rapid.Custom(func(t *rapid.T) sourceDocument {
	var doc sourceDocument
	var elements []string
	for range rapid.IntRange(0, 25).Draw(t, "ads") {
		if oneIn(t, 20) {
			elements = append(elements, noAds.Draw(t, "no ad"))
			continue
		}
		country, lang := goodCountries.Draw(t, "country"), goodLangs.Draw(t, "lang")
		if oneIn(t, 4) {
			doc.queries = append(doc.queries, query{country, lang})
		}
		fields := []struct{ name, text string }{
			{"id", fieldText(t, quoted(goodIDs.Draw(t, "id")), badIDs)},
			{"video_url", fieldText(t, quoted(goodURLs.Draw(t, "url")), badURLs)},
			{"country", fieldText(t, quoted(country), badCountries)},
			{"lang", fieldText(t, quoted(lang), badLangs)},
			{"start_hour", fieldText(t, strconv.Itoa(rapid.IntRange(0, 23).Draw(t, "start")), badHours)},
			{"end_hour", fieldText(t, strconv.Itoa(rapid.IntRange(0, 24).Draw(t, "end")), badHours)},
			{"name", quoted(country)}, // unknown fields are ignored
		}
		var members []string
		for _, f := range rapid.Permutation(fields).Draw(t, "order") {
			if f.text != "" {
				members = append(members, quoted(f.name)+":"+f.text)
			}
		}
		elements = append(elements, "{"+strings.Join(members, ",")+"}")
	}
	doc.text = `{"ads":[` + strings.Join(elements, ", ") + `]}`
	return doc
})
