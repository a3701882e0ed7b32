package campaign_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func TestDecodeKeepsWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	data := []byte(`{"version":7, "ads" : [
		{"id":"a 1~","video_url":"HTTPS://user@v.example:8080/x?a=1&b=\"q\"<é>\u00e9\/","country":"Uk","lang":"FRE",
		 "start_hour":23,"end_hour":24,"title":"ignored","tags":{"id":["other"]}},
		{"end_hour":0,"start_hour":-0,"lang":"gsw","country":"us","video_url":"http://[::1]/","id":"A"}
	], "next":null}`)
	before := bytes.Clone(data)
	doc, err := campaign.Decode(data)
	require.NoError(t, err)
	require.Equal(t, before, data)
	clear(data)
	require.Empty(t, doc.Rejects)
	require.Equal(t, []campaign.Campaign{
		{
			ID: "a 1~", VideoURL: `HTTPS://user@v.example:8080/x?a=1&b="q"<é>é/`, Country: "gb", Lang: "fra",
			StartHour: 23, EndHour: 24, Index: 0, Weight: 1,
		},
		{ID: "A", VideoURL: "http://[::1]/", Country: "us", Lang: "gsw", StartHour: 0, EndHour: 0, Index: 1, Weight: 1},
	}, doc.Campaigns)
}

func TestDecodeTheHundredAds(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../compile/testdata/campaigns-100.json")
	require.NoError(t, err)
	doc, err := campaign.Decode(data)
	require.NoError(t, err)
	require.Len(t, doc.Campaigns, 100)
	require.Empty(t, doc.Rejects)
	require.Equal(t, campaign.Campaign{
		ID: "dca2f40d4e01441aa8eb91dfe62aa257", VideoURL: "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
		Country: "fr", Lang: "fra", StartHour: 12, EndHour: 18, Index: 0, Weight: 1,
	}, doc.Campaigns[0])
}

func TestDecodeDocumentsThatAreUnusable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		document, want string
	}{
		"nothing":                {"", "line 1, column 1: unexpected end of JSON input"},
		"white space":            {" \n ", "line 2, column 2: unexpected end of JSON input"},
		"HTML":                   {"<html>", "line 1, column 1: invalid character '<' looking for beginning of value"},
		"zeros":                  {"\x00\x00\x00", "line 1, column 1: invalid character '\\x00' looking for beginning of value"},
		"cut off":                {"{\"ads\":[\n  {\"id\":\"a\"", "line 2, column 12: unexpected end of JSON input"},
		"a wrong last byte":      {"{\"ads\":[]\n]", "line 2, column 1: invalid character ']' after object key:value pair"},
		"a trailing comma":       {"{\"ads\":[\n{},\n]}", "line 3, column 1: invalid character ']' looking for beginning of value"},
		"a bad escape":           {`{"ads":[{"id":"\x"}]}`, `line 1, column 17: invalid character 'x' in string escape code`},
		"a raw control byte":     {"{\"ads\":[{\"id\":\"\n\"}]}", "line 1, column 16: invalid character '\\n' in string literal"},
		"a number with zeros":    {`{"ads":[{"start_hour":01}]}`, "line 1, column 24: invalid character '1' after object key:value pair"},
		"more after the end":     {"{\"ads\":[]}\n\n x", "line 3, column 2: invalid character 'x' after top-level value"},
		"a second document":      {`{"ads":[]}{"ads":[]}`, "line 1, column 11: invalid character '{' after top-level value"},
		"an array":               {"\n []", "line 2, column 2: the document is an array, not an object"},
		"null":                   {"null", "line 1, column 1: the document is null, not an object"},
		"a string":               {`"ads"`, "line 1, column 1: the document is a string, not an object"},
		"a number":               {`-1`, "line 1, column 1: the document is a number, not an object"},
		"a boolean":              {`true`, "line 1, column 1: the document is a boolean, not an object"},
		"no ads":                 {"{}", `line 1, column 1: no "ads" array`},
		"ads in another case":    {`{"Ads":[]}`, `line 1, column 1: no "ads" array`},
		"ads deeper down":        {`{"data":{"ads":[]}}`, `line 1, column 1: no "ads" array`},
		"ads is null":            {"{\"ads\":\n null}", `line 2, column 2: "ads" is null, not an array`},
		"ads is an object":       {`{"ads":{"0":{}}}`, `line 1, column 8: "ads" is an object, not an array`},
		"ads twice":              {"{\"ads\":[],\n\"a\\u0064s\":[]}", `line 2, column 1: a second "ads"`},
		"several that are wrong": {`{"ads":null,"ads":7,"ads":[]}`, `line 1, column 8: "ads" is null, not an array`},
		"after a byte order":     {"\ufeff x", "line 1, column 2: invalid character 'x' looking for beginning of value"},
		"two byte order marks":   {"\ufeff\ufeff{}", "line 1, column 1: invalid character 'ï' looking for beginning of value"},
		"nested too deep":        {`{"ads":` + strings.Repeat("[", 20_000), "line 1, column 10007: invalid character '[' exceeded max depth"},
		"closed, but too deep":   {`{"ads":[],"x":` + nested(100_000) + `}`, "line 1, column 10014: invalid character '[' exceeded max depth"},
		"too deep inside an ad":  {`{"ads":[{"x":` + nested(100_000) + `}]}`, "line 1, column 10011: invalid character '[' exceeded max depth"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := campaign.Decode([]byte(tc.document))
			require.EqualError(t, err, tc.want)
			require.Nil(t, doc)
			var documentError *campaign.DocumentError
			require.ErrorAs(t, err, &documentError)
		})
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestDecodeDocumentsThatAreUsable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		document string
		ads      int
	}{
		"no ads at all":              {`{"ads":[]}`, 0},
		"white space everywhere":     {" \t\r\n{ \"ads\" : [ \n ] } \n", 0},
		"a byte order mark":          {"\ufeff" + `{"ads":[]}`, 0},
		"an escaped name":            {`{"\u0061ds":[` + ad("id", `"a"`) + `]}`, 1},
		"unknown members twice":      {`{"x":1,"ads":[],"x":{"ads":[1]}}`, 0},
		"deep nesting, but allowed":  {`{"x":` + nested(9_000) + `,"ads":[` + ad("x", nested(9_000)) + `]}`, 1},
		"bytes not UTF-8, unused":    {"{\"\xff\":\"\xff\",\"ads\":[" + ad("\xff", "\"\xff\"") + "]}", 1},
		"brackets inside of strings": {`{"x":"]}\"[{","ads":[` + ad("x", `"]}\\\"[{\\"`) + `]}`, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := campaign.Decode([]byte(tc.document))
			require.NoError(t, err)
			require.Len(t, doc.Campaigns, tc.ads)
			require.Empty(t, doc.Rejects)
		})
	}
}

// ad returns a valid ad with some members (name, JSON text) replaced, added, or left out if the text is empty.
func ad(changes ...string) string {
	members := [][2]string{
		{"id", `"x"`}, {"video_url", `"https://v/x"`}, {"country", `"us"`}, {"lang", `"eng"`}, {"start_hour", `0`}, {"end_hour", `24`},
	}
	for i := 0; i < len(changes); i += 2 {
		replaced := false
		for j := range members {
			if members[j][0] == changes[i] {
				members[j][1], replaced = changes[i+1], true
			}
		}
		if !replaced {
			members = append(members, [2]string{changes[i], changes[i+1]})
		}
	}
	var parts []string
	for _, m := range members {
		if m[1] != "" {
			parts = append(parts, fmt.Sprintf(`"%s":%s`, m[0], m[1]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestDecodeDuplicates(t *testing.T) {
	t.Parallel()
	doc, err := campaign.Decode([]byte(`{"ads":[
		` + ad("id", `"a"`, "country", `"usa"`) + `,
		` + ad("id", `"a"`, "country", `"ca"`) + `,
		` + ad("id", `"A"`) + `,
		` + ad("id", `"\u0061"`, "country", `"UK"`, "lang", `"fr"`) + `,
		` + ad("id", `"a"`, "lang", `"x"`) + `
	]}`))
	require.NoError(t, err)
	require.Len(t, doc.Campaigns, 2)
	require.Equal(t, "ca", doc.Campaigns[0].Country, "an invalid ad does not take its id")
	require.Equal(t, "A", doc.Campaigns[1].ID)
	require.Equal(t, []campaign.Reject{
		{
			Index: 0, Line: 2, ID: "a", Lang: "eng", Field: "country", Reason: "invalid_country",
			Detail: `must be 2 ASCII letters, is "usa"`,
		},
		{
			Index: 3, Line: 5, ID: "a", Country: "gb", Lang: "fra", Field: "id", Reason: "duplicate",
			Detail: "ad 2 has this id already",
		},
		{
			Index: 4, Line: 6, ID: "a", Country: "us", Field: "lang", Reason: "invalid_lang",
			Detail: `must be 2 or 3 ASCII letters, is "x"`,
		},
	}, doc.Rejects)
}

func TestDecodeOneBadAdOfThree(t *testing.T) {
	t.Parallel()
	doc, err := campaign.Decode([]byte(`{"ads":[` + ad("id", `"a"`) + `,` + ad("id", `"b"`, "end_hour", `25`) + `,` + ad("id", `"c"`) + `]}`))
	require.NoError(t, err)
	require.Equal(t, []int{0, 2}, []int{doc.Campaigns[0].Index, doc.Campaigns[1].Index})
	require.Len(t, doc.Rejects, 1)
	require.Equal(t, 1, doc.Rejects[0].Index)
}
