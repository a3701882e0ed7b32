package refmodel_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/refmodel"
)

func document(ads ...string) []byte { return []byte(`{"ads":[` + strings.Join(ads, ",") + `]}`) }

func ad(id, country, lang string, start, end int) string {
	return fmt.Sprintf(`{"id":%q,"video_url":"https://v/%s","country":%q,"lang":%q,"start_hour":%d,"end_hour":%d}`,
		id, id, country, lang, start, end)
}

// TestFixture is the fixture of the rules page, with the windows that it makes from the current hour.
func TestFixture(t *testing.T) {
	t.Parallel()
	for h := range 24 {
		model, err := refmodel.New(document(
			ad("F", "de", "ger", h, 0), ad("E", "fr", "fre", 0, 24), ad("D", "UK", "eng", 0, 0),
			ad("C", "mx", "spa", (h+2)%24, (h+1)%24), ad("B", "ca", "fre", (h+1)%24, (h+2)%24),
			ad("A3", "us", "eng", h, (h+1)%24), ad("A2", "US", "ENG", 7, 7), ad("A1", "us", "eng", 0, 24),
			`{"id":"J","video_url":"https://v/x?a=1&b=\"q\"<é>","country":"jp","lang":"jpn","start_hour":0,"end_hour":24}`,
		))
		require.NoError(t, err)
		require.Empty(t, model.Rejected())
		at := time.Date(2027, 1, 2, h, 59, 59, 0, time.UTC)
		for request, want := range map[string]string{
			"us eng": "A1 A2 A3", "US ENG": "A1 A2 A3", "us en": "A1 A2 A3", "ca fre": "", "mx spa": "C", "gb eng": "D", "uk eng": "D",
			"fr fra": "E", "fr fr": "E", "de deu": "F", "us spa": "", "xx zzz": "", "jp jpn": "J", "usa eng": "", "us engl": "", "u5 eng": "",
		} {
			country, lang, _ := strings.Cut(request, " ")
			var ids []string
			for _, ad := range model.Eligible(country, lang, at) {
				ids = append(ids, ad.ID)
			}
			require.Equal(t, want, strings.Join(ids, " "), "%s at hour %d", request, h)
		}
		require.Equal(t, `https://v/x?a=1&b="q"<é>`, model.Eligible("jp", "ja", at)[0].URL)
	}
}

func TestRejected(t *testing.T) {
	t.Parallel()
	model, err := refmodel.New(document(
		`null`, ad("a", "usa", "eng", 0, 1), ad("a", "us", "eng", 0, 1), ad("a", "us", "eng", 0, 1), ad("", "us", "eng", 0, 1),
		ad("b", "us", "*", 0, 1), ad("c", "us", "eng", 24, 1), ad("d", "us", "eng", 0, 25),
		strings.ReplaceAll(ad("e", "us", "eng", 0, 1), "https:", "ftp:"), strings.ReplaceAll(ad("f", "us", "eng", 0, 1), ":0", ":0.0"),
		strings.ReplaceAll(ad("g", "us", "eng", 0, 1), `"id"`, `"ID"`), ad("h", "us", "eng", 0, 1),
	))
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 3, 4, 5, 6, 7, 8, 9, 10}, model.Rejected())
	require.Len(t, model.Ads(), 2)
}

func TestUnusableDocuments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "<html>", "null", "[]", `{}`, `{"ads":null}`, `{"Ads":[]}`, `{"ads":[]`, `{"ads":[]} x`, `{"ads":[]}{}`} {
		_, err := refmodel.New([]byte(text))
		require.ErrorContains(t, err, "read document: ", "%q", text)
	}
	model, err := refmodel.New([]byte(" {\"ads\":[]}\n"))
	require.NoError(t, err)
	require.Empty(t, model.Ads())
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	codes := make(map[string]bool)
	for _, l := range refmodel.Languages() {
		require.Regexp(t, `^([a-z]{2})?/[a-z]{3}/([a-z]{3})?$`, l.Alpha2+"/"+l.Terminology+"/"+l.Bibliographic)
		for _, code := range []string{l.Alpha2, l.Terminology, l.Bibliographic} {
			require.False(t, code != "" && codes[code], "%s names two languages", code)
			codes[code] = true
		}
	}
	require.Len(t, refmodel.Languages(), 486)
	require.Contains(t, refmodel.Languages(), refmodel.Language{Alpha2: "de", Terminology: "deu", Bibliographic: "ger"})
	require.Contains(t, refmodel.Languages(), refmodel.Language{Terminology: "gsw"})
}
