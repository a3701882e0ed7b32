package campaign_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

type rejectCase struct{ ad, field, reason, detail string }

func (tc rejectCase) run(t *testing.T) {
	t.Helper()
	doc, err := campaign.Decode([]byte(`{"ads":[` + tc.ad + `]}`))
	require.NoError(t, err)
	require.Empty(t, doc.Campaigns)
	require.Len(t, doc.Rejects, 1)
	r := doc.Rejects[0]
	require.Equal(t, [3]string{tc.field, tc.reason, tc.detail}, [3]string{r.Field, r.Reason, r.Detail})
	require.Contains(t, campaign.Reasons(), r.Reason)
	require.Equal(t, 1, doc.Rejected)
	require.Equal(t, map[string]int{tc.reason: 1}, doc.Reasons)

	counted, err := campaign.Decode(afterMany(tc.ad))
	require.NoError(t, err)
	require.Empty(t, counted.Campaigns)
	want := map[string]int{"out_of_range": campaign.MaxRejects}
	want[tc.reason]++
	require.Equal(t, want, counted.Reasons, "an ad that is only counted has the same reason")
}

// afterMany is a document of ads after as many rejects, for out_of_range, as a Document describes.
func afterMany(ads ...string) []byte {
	many := strings.Repeat(ad("start_hour", "24")+",\n", campaign.MaxRejects)
	return []byte(`{"ads":[` + many + strings.Join(ads, ",\n") + `]}`)
}

func text(s string, n int) string { return `"` + strings.Repeat(s, n) + `"` }

func TestRejectedAds(t *testing.T) {
	t.Parallel()
	const notHTTP = "must be an absolute http(s) URL, is "
	tests := map[string]rejectCase{
		"null":      {`null`, "", "wrong_type", "must be an object, is null"},
		"a string":  {`"id"`, "", "wrong_type", "must be an object, is a string"},
		"a number":  {`1.5`, "", "wrong_type", "must be an object, is a number"},
		"a boolean": {`false`, "", "wrong_type", "must be an object, is a boolean"},
		"an array":  {`[` + ad() + `]`, "", "wrong_type", "must be an object, is an array"},

		"an empty object names all": {
			`{}`, "id", "missing_field",
			"is missing; also video_url: is missing; also country: is missing; also lang: is missing; " +
				"also start_hour: is missing; also end_hour: is missing",
		},
		"the first field by order of the fields, not of the ad": {
			`{"lang":1,"video_url":"https://v/x","country":"us","id":2,"end_hour":3,"start_hour":4}`, "id", "wrong_type",
			"must be a string, is a number; also lang: must be a string, is a number",
		},
		"names in another case": {
			ad("id", "", "ID", `"a"`), "id", "missing_field", "is missing",
		},
		"a name with the Kelvin sign": { // encoding/json would fold U+212A to k, U+017F to s
			ad("start_hour", "", "\u017ftart_hour", `1`), "start_hour", "missing_field", "is missing",
		},
		"a field twice":         {ad("\\u0069d", `"b"`), "id", "duplicate_field", "stands in the ad more than once"},
		"a field twice, equal":  {ad("\\u006cang", `"eng"`), "lang", "duplicate_field", "stands in the ad more than once"},
		"a field three times":   {ad("\\u0069d", `"b"`, "i\\u0064", `"c"`), "id", "duplicate_field", "stands in the ad more than once"},
		"a field twice as null": {ad("id", `null`, "\\u0069d", `null`), "id", "duplicate_field", "stands in the ad more than once"},

		"id missing":      {ad("id", ""), "id", "missing_field", "is missing"},
		"id null":         {ad("id", `null`), "id", "wrong_type", "must be a string, is null"},
		"id a number":     {ad("id", `12`), "id", "wrong_type", "must be a string, is a number"},
		"id an object":    {ad("id", `{"id":"a"}`), "id", "wrong_type", "must be a string, is an object"},
		"id empty":        {ad("id", `""`), "id", "invalid_id", "is empty"},
		"id of 129 bytes": {ad("id", text("a", 129)), "id", "too_long", "is 129 bytes long, at most 128 are allowed"},
		"id not ASCII":    {ad("id", `"é"`), "id", "invalid_id", `must be printable ASCII, is "\u00e9"`},
		"id with DEL":     {ad("id", "\"a\x7f\""), "id", "invalid_id", `must be printable ASCII, is "a\x7f"`},
		"id with a newline": {
			ad("id", `"a\n`+strings.Repeat("b", 100)+`"`), "id", "invalid_id",
			`must be printable ASCII, is "a\n` + strings.Repeat("b", 62) + `"…`,
		},
		"id with a lone surrogate": {ad("id", `"\ud800"`), "id", "invalid_id", "has half a surrogate pair"},
		"id not UTF-8":             {ad("id", "\"\xff\""), "id", "invalid_id", "is not valid UTF-8"},

		"video_url missing":        {ad("video_url", ""), "video_url", "missing_field", "is missing"},
		"video_url a boolean":      {ad("video_url", `true`), "video_url", "wrong_type", "must be a string, is a boolean"},
		"video_url empty":          {ad("video_url", `""`), "video_url", "invalid_url", notHTTP + `""`},
		"video_url relative":       {ad("video_url", `"/x"`), "video_url", "invalid_url", notHTTP + `"/x"`},
		"video_url without scheme": {ad("video_url", `"//v/x"`), "video_url", "invalid_url", notHTTP + `"//v/x"`},
		"video_url of ftp":         {ad("video_url", `"ftp://v/x"`), "video_url", "invalid_url", notHTTP + `"ftp://v/x"`},
		"video_url a script":       {ad("video_url", `"javascript:x"`), "video_url", "invalid_url", notHTTP + `"javascript:x"`},
		"video_url httpx":          {ad("video_url", `"httpx://v/"`), "video_url", "invalid_url", notHTTP + `"httpx://v/"`},
		"video_url opaque":         {ad("video_url", `"http:v/x"`), "video_url", "invalid_url", `must have a host, is "http:v/x"`},
		"video_url without host":   {ad("video_url", `"http:///x"`), "video_url", "invalid_url", `must have a host, is "http:///x"`},
		"video_url with only port": {ad("video_url", `"http://:80/"`), "video_url", "invalid_url", `must have a host, is "http://:80/"`},
		"video_url with only user": {ad("video_url", `"http://u@/"`), "video_url", "invalid_url", `must have a host, is "http://u@/"`},
		"video_url after a space": {
			ad("video_url", `" https://v/"`), "video_url", "invalid_url",
			`must be an absolute http(s) URL (first path segment in URL cannot contain colon), is " https://v/"`,
		},
		"video_url with a newline": {
			ad("video_url", `"https://v/x\n"`), "video_url", "invalid_url", `must not have control characters, is "https://v/x\n"`,
		},
		"video_url with NUL": {
			ad("video_url", `"https://v/\u0000"`), "video_url", "invalid_url", `must not have control characters, is "https://v/\x00"`,
		},
		"video_url with a C1 control character": {
			ad("video_url", `"https://v/\u0085"`), "video_url", "invalid_url", `must not have control characters, is "https://v/\u0085"`,
		},
		"video_url of 2049 bytes": {
			ad("video_url", `"https://v/`+strings.Repeat("a", 2039)+`"`), "video_url", "too_long",
			"is 2049 bytes long, at most 2048 are allowed",
		},
		"video_url not UTF-8 at its end":       {ad("video_url", "\"https://v/123\xff\""), "video_url", "invalid_url", "is not valid UTF-8"},
		"video_url not UTF-8 at its beginning": {ad("video_url", "\"https:\xff/v/1234567890\""), "video_url", "invalid_url", "is not valid UTF-8"},
		"video_url with half a pair": {
			ad("video_url", `"https://v/\ud83d"`), "video_url", "invalid_url", "has half a surrogate pair",
		},
		"video_url with a pair the wrong way round": {
			ad("video_url", `"https://v/\ude00\ud83d"`), "video_url", "invalid_url", "has half a surrogate pair",
		},
		"video_url not UTF-8": {ad("video_url", "\"https://v/\xc3\""), "video_url", "invalid_url", "is not valid UTF-8"},

		"country missing":          {ad("country", ""), "country", "missing_field", "is missing"},
		"country null":             {ad("country", "null"), "country", "wrong_type", "must be a string, is null"},
		"country empty":            {ad("country", `""`), "country", "invalid_country", `must be 2 ASCII letters, is ""`},
		"country of three letters": {ad("country", `"usa"`), "country", "invalid_country", `must be 2 ASCII letters, is "usa"`},
		"country with a digit":     {ad("country", `"u5"`), "country", "invalid_country", `must be 2 ASCII letters, is "u5"`},
		"country with a space":     {ad("country", `"us "`), "country", "invalid_country", `must be 2 ASCII letters, is "us "`},
		"country two wildcards":    {ad("country", `"**"`), "country", "invalid_country", `must be 2 ASCII letters, is "**"`},
		"country not ASCII":        {ad("country", `"é"`), "country", "invalid_country", `must be 2 ASCII letters, is "\u00e9"`},

		"lang missing":         {ad("lang", ""), "lang", "missing_field", "is missing"},
		"lang an array":        {ad("lang", `["eng"]`), "lang", "wrong_type", "must be a string, is an array"},
		"lang of one letter":   {ad("lang", `"e"`), "lang", "invalid_lang", `must be 2 or 3 ASCII letters, is "e"`},
		"lang of four letters": {ad("lang", `"engl"`), "lang", "invalid_lang", `must be 2 or 3 ASCII letters, is "engl"`},
		"lang with a region":   {ad("lang", `"en-"`), "lang", "invalid_lang", `must be 2 or 3 ASCII letters, is "en-"`},
		"lang two wildcards":   {ad("lang", `"**"`), "lang", "invalid_lang", `must be 2 or 3 ASCII letters, is "**"`},

		"start_hour missing":    {ad("start_hour", ""), "start_hour", "missing_field", "is missing"},
		"start_hour a string":   {ad("start_hour", `"1"`), "start_hour", "wrong_type", "must be an integer, is a string"},
		"start_hour null":       {ad("start_hour", `null`), "start_hour", "wrong_type", "must be an integer, is null"},
		"start_hour with .0":    {ad("start_hour", `1.0`), "start_hour", "wrong_type", "must be written as an integer, is 1.0"},
		"start_hour 1e0":        {ad("start_hour", `1e0`), "start_hour", "wrong_type", "must be written as an integer, is 1e0"},
		"start_hour 1E0":        {ad("start_hour", `1E0`), "start_hour", "wrong_type", "must be written as an integer, is 1E0"},
		"start_hour -1":         {ad("start_hour", `-1`), "start_hour", "out_of_range", "must be from 0 to 23, is -1"},
		"start_hour 24":         {ad("start_hour", `24`), "start_hour", "out_of_range", "must be from 0 to 23, is 24"},
		"end_hour 25":           {ad("end_hour", `25`), "end_hour", "out_of_range", "must be from 0 to 24, is 25"},
		"end_hour a boolean":    {ad("end_hour", `true`), "end_hour", "wrong_type", "must be an integer, is a boolean"},
		"end_hour over 64 bits": {ad("end_hour", `18446744073709551617`), "end_hour", "out_of_range", "must be from 0 to 24, is 18446744073709551617"},
		"end_hour of 100 digits": {
			ad("end_hour", strings.Repeat("9", 100)), "end_hour", "out_of_range", "must be from 0 to 24, is " + strings.Repeat("9", 64) + "…",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.run(t)
		})
	}
}

func TestAcceptedAds(t *testing.T) {
	t.Parallel()
	type c = campaign.Campaign
	longURL := "https://v/" + strings.Repeat("a", 2038)
	tests := map[string]struct {
		ad   string
		want func(*c)
	}{
		"nothing special":        {ad(), func(*c) {}},
		"an id of 128 bytes":     {ad("id", text("~", 128)), func(want *c) { want.ID = strings.Repeat("~", 128) }},
		"an id of one space":     {ad("id", `" "`), func(want *c) { want.ID = " " }},
		"a URL of 2048 bytes":    {ad("video_url", `"`+longURL+`"`), func(want *c) { want.VideoURL = longURL }},
		"a URL with a pair":      {ad("video_url", `"https://v/\uD83d\uDe00\\ud800"`), func(want *c) { want.VideoURL = `https://v/😀\ud800` }},
		"a URL with U+FFFD":      {ad("video_url", `"https://v/\ufffd�"`), func(want *c) { want.VideoURL = "https://v/\ufffd\ufffd" }},
		"a URL with a space":     {ad("video_url", `"https://v/a b"`), func(want *c) { want.VideoURL = "https://v/a b" }},
		"a URL of a host alone":  {ad("video_url", `"http://v"`), func(want *c) { want.VideoURL = "http://v" }},
		"a slash as an escape":   {ad("video_url", `"https:\/\/v\/"`), func(want *c) { want.VideoURL = "https://v/" }},
		"hours at the least":     {ad("start_hour", `0`, "end_hour", `0`), func(want *c) { want.EndHour = 0 }},
		"hours at the most":      {ad("start_hour", `23`, "end_hour", `24`), func(want *c) { want.StartHour = 23 }},
		"an integer minus zero":  {ad("end_hour", `-0`), func(want *c) { want.EndHour = 0 }},
		"an unknown country":     {ad("country", `"XX"`), func(want *c) { want.Country = "xx" }},
		"letters as escapes":     {ad("country", `"\u0055\u004b"`), func(want *c) { want.Country = "gb" }},
		"an unknown language":    {ad("lang", `"ZZZ"`), func(want *c) { want.Lang = "zzz" }},
		"every country":          {ad("country", `"*"`), func(want *c) { want.Country = campaign.Any }},
		"every language":         {ad("lang", `"\u002a"`), func(want *c) { want.Lang = campaign.Any }},
		"unknown fields twice":   {`{"y":1,` + ad("y", `2`)[1:], func(*c) {}},
		"known names inside":     {ad("x", `{"id":1,"id":2}`), func(*c) {}},
		"a null unknown field":   {ad("ID", `null`), func(*c) {}},
		"half a pair elsewhere":  {ad("x", `"\ud800"`), func(*c) {}},
		"half a pair in a name":  {ad("\\ud800", `1`), func(*c) {}},
		"an escape in some name": {ad("i\\u0065", `1`), func(*c) {}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := c{ID: "x", VideoURL: "https://v/x", Country: "us", Lang: "eng", EndHour: 24, Weight: 1}
			tc.want(&want)
			doc, err := campaign.Decode([]byte(`{"ads":[` + tc.ad + `]}`))
			require.NoError(t, err)
			require.Empty(t, doc.Rejects)
			require.Equal(t, []c{want}, doc.Campaigns)
		})
	}
}
