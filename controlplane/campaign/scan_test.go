package campaign

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scanDocument reports whether data is one JSON value and nothing else.
func scanDocument(data []byte) bool {
	end := scanValue(data, skipSpace(data, 0), 0)
	return end != malformed && skipSpace(data, end) == len(data)
}

var jsonTexts = []string{
	``, ` `, `{}`, `[]`, `{ }`, `[ ]`, ` [1 , 2] `, `{"a":1 , "b" : [{}]}`, `[1,]`, `[,1]`, `[1 2]`, `[1`, `[`, `{`, `{"a"`, `{"a":`, `{"a":1`,
	`{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `{"a":1]`, `[1}`, `{}{}`, `{"a":1{`, `{"a":{"a":1},"b":{}}`,
	`0`, `-0`, `-`, `+1`, `01`, `-01`, `1.`, `.5`, `1.5`, `1.e5`, `1e5`, `1E+5`, `1e-5`, `1e`, `1e+`, `1.5e05`, `0x1`, `1_0`, `NaN`, `-a`,
	`true`, `false`, `null`, `tru`, `truth`, `nul`, `True`, `t`, `"`, `""`, `"a`, `"a"b`, `"\"`, `"\\"`, `"\""`, `"\u"`, `"\u12"`, `"\u123"`,
	`"\u1234"`, `"\uabCD"`, `"\u123g"`, `"\U1234"`, `"\x"`, `"\b\f\n\r\t\/"`, "\"\n\"", "\"\x1f\"", "\"\x7f\"", "\"\xff\"", "\"12345678\x00\"",
	`"1234567"`, `"12345678"`, `"123456789"`, `"1234567\"9"`, "\"1234567\x01\"", "\"é\u2028\"", "\x00", "\ufeff{}", "[1]\v", "\f1",
	`"` + strings.Repeat("a", 100) + `\`, `"` + strings.Repeat("é", 50) + `"`, "\"\x80\x1f\"", "\"123\x1f56789012\"", "\"\xa2\xdc aaaaaaaaa\"",
}

func TestTheScanAcceptsWhatEncodingJSONAccepts(t *testing.T) {
	t.Parallel()
	for _, text := range jsonTexts {
		require.Equal(t, json.Valid([]byte(text)), scanDocument([]byte(text)), "%q", text)
		for _, wrapped := range []string{"[" + text + "]", `{"a":` + text + "}", `{"a":[0,` + text + `]}`} {
			require.Equal(t, json.Valid([]byte(wrapped)), scanDocument([]byte(wrapped)), "%q", wrapped)
		}
	}
	for _, depth := range []int{maxDepth - 1, maxDepth, maxDepth + 1} {
		for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			nested := []byte(strings.Repeat(pair[0], depth) + "1" + strings.Repeat(pair[1], depth))
			require.Equal(t, json.Valid(nested), scanDocument(nested), "%d times %s", depth, pair[0])
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.Equal(t, json.Valid(data), scanDocument(data))
	})
}

// FuzzPlainURL: what is taken to be valid at sight is valid to net/url.
func FuzzPlainURL(f *testing.F) {
	for _, text := range []string{
		"https://v/x", "http://v", "https://v.example/?a=b#c", "https://v:80/", "https://u@v/", "https://v/%zz", "https://v/ ", "https://[::1]/",
		"https://", "https:///", "https://?", "https://v#%", "https://-./?%", "HTTPS://v/", "https://v\\x/", "https://v/\x7f", "https://v/é",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if plainURL(text) {
			require.NoError(t, parseURL(string(text)))
		}
	})
}

func TestPlainURLsAreNotParsed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://www.youtube.com/watch?v=dQw4w9WgXcQ": true, "http://V-1.example": true, "https://v?x": true,
		"https://v/%41": false, "https://v:8080/": false, "ftp://v/": false, "https:///x": false, "https://v/\u00e9": false, "https://v/a b": false,
	} {
		require.Equal(t, want, plainURL([]byte(text)), text)
	}
}

func TestRepeatsAreFoundByIDAndNotByHashAlone(t *testing.T) {
	t.Parallel()
	ids := []string{"a", "b", "a", "c", "b", "a"}
	campaigns := make([]Campaign, len(ids))
	for i, id := range ids {
		campaigns[i].ID = id
	}
	want := []repeat{{2, 0}, {4, 1}, {5, 0}}
	require.Equal(t, want, findRepeats(campaigns, make([]origin, len(ids))), "all hashes are equal")
	last := make([]origin, len(ids))
	for i := range last {
		last[i].hash = ^uint64(0) // the search goes on from the end of the table to its beginning
	}
	require.Equal(t, want, findRepeats(campaigns, last))
	require.Equal(t, []string{"a", "b", "c"}, idsOf(without(campaigns, want)))
}

func idsOf(campaigns []Campaign) (ids []string) {
	for _, c := range campaigns {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestASlabMakesStringsOfAnyLength(t *testing.T) {
	t.Parallel()
	s := slab{size: slabBytes}
	var made, want []string
	for n := range 300 {
		text := strings.Repeat(string(rune('a'+n%26)), n*n%(2*slabBytes))
		want = append(want, text)
		made = append(made, s.keep([]byte(text)))
	}
	require.Equal(t, want, made)
}
