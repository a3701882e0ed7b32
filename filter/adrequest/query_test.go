package adrequest

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseReadsAValidQuery(t *testing.T) {
	tests := map[string]struct {
		method, path  string
		country, lang string
		head          bool
	}{
		"plain":                                     {path: "/ad_request?country=us&lang=eng", country: "us", lang: "eng"},
		"upper case is folded":                      {path: "/ad_request?country=US&lang=ENG", country: "us", lang: "eng"},
		"mixed case is folded":                      {path: "/ad_request?country=uS&lang=EnG", country: "us", lang: "eng"},
		"the order does not matter":                 {path: "/ad_request?lang=eng&country=us", country: "us", lang: "eng"},
		"a language of two letters stays":           {path: "/ad_request?country=us&lang=en", country: "us", lang: "en"},
		"UK is GB":                                  {path: "/ad_request?country=UK&lang=eng", country: "gb", lang: "eng"},
		"uk is no country code in a language":       {path: "/ad_request?country=ua&lang=uk", country: "ua", lang: "uk"},
		"values are percent-decoded":                {path: "/ad_request?country=%75%73&lang=%45ng", country: "us", lang: "eng"},
		"hex digits of an escape in either case":    {path: "/ad_request?country=%4a%4A&lang=eng", country: "jj", lang: "eng"},
		"names are percent-decoded":                 {path: "/ad_request?c%6funtry=us&%6Cang=eng", country: "us", lang: "eng"},
		"a repeated equal value":                    {path: "/ad_request?country=us&country=us&lang=eng", country: "us", lang: "eng"},
		"a repeated value equal but for case":       {path: "/ad_request?country=us&lang=eng&country=%55S", country: "us", lang: "eng"},
		"a repeated value equal but for UK and GB":  {path: "/ad_request?country=uk&country=gb&country=GB&lang=eng", country: "gb", lang: "eng"},
		"unknown parameters are ignored":            {path: "/ad_request?country=us&lang=eng&hour=3&now=0&user_id=x&foo=bar", country: "us", lang: "eng"},
		"names are case-sensitive":                  {path: "/ad_request?country=us&Country=ca&lang=eng&LANG=spa", country: "us", lang: "eng"},
		"a name with a bad escape is unknown":       {path: "/ad_request?country=us&countr%zz=ca&%=1&count%72=1&lang=eng", country: "us", lang: "eng"},
		"longer and shorter names are unknown":      {path: "/ad_request?country=us&country2=ca&countr=mx&lang=eng&langs=spa", country: "us", lang: "eng"},
		"a name is not trimmed":                     {path: "/ad_request?country=us&+country=ca&lang+=spa&lang=eng", country: "us", lang: "eng"},
		"empty pairs are skipped":                   {path: "/ad_request?&&country=us&&lang=eng&", country: "us", lang: "eng"},
		"a value is read up to the next ampersand":  {path: "/ad_request?x=1=2&country=us&lang=eng", country: "us", lang: "eng"},
		"only what follows the first question mark": {path: "/ad_request?a?country=ca&country=us&lang=eng", country: "us", lang: "eng"},
		"any path":                                   {path: "?country=us&lang=eng", country: "us", lang: "eng"},
		"an unknown but well-formed code":            {path: "/ad_request?country=xx&lang=zzz", country: "xx", lang: "zzz"},
		"a query of exactly 1,024 bytes":             {path: "/ad_request?" + pad("country=us&lang=eng&x=", 1024), country: "us", lang: "eng"},
		"the length of the path does not count":      {path: "/" + strings.Repeat("p", 4096) + "?country=us&lang=eng", country: "us", lang: "eng"},
		"HEAD is read as GET":                        {method: "HEAD", path: "/ad_request?country=us&lang=eng", country: "us", lang: "eng", head: true},
		"the first and the last letter":              {path: "/ad_request?country=Az&lang=zA", country: "az", lang: "za"},
		"a semicolon elsewhere separates nothing":    {path: "/ad_request?x=;country=ca&country=us&lang=eng", country: "us", lang: "eng"},
		"an encoded ampersand separates nothing":     {path: "/ad_request?x=1%26country=ca&country=us&lang=eng", country: "us", lang: "eng"},
		"an encoded equals sign belongs to the name": {path: "/ad_request?country%3Dca=1&country=us&lang=eng", country: "us", lang: "eng"},
		"a bad value of an unknown name":             {path: "/ad_request?x=%zz&y=%&country=us&lang=eng", country: "us", lang: "eng"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.method == "" {
				tc.method = "GET"
			}
			q, reply := parse(tc.method, tc.path)
			require.Nil(t, reply)
			require.Equal(t, tc.country, q.Country.String())
			require.Equal(t, tc.lang, q.Lang.String())
			require.Equal(t, tc.head, q.Head)
		})
	}
}

func TestParseNamesTheFirstFinding(t *testing.T) {
	const (
		missing   = "missing_parameter"
		duplicate = "duplicate_parameter"
		invalid   = "invalid_parameter"
	)
	tests := map[string]struct {
		query       string
		code, param string
	}{
		"no query":                                       {"", missing, "country"},
		"no country":                                     {"lang=eng", missing, "country"},
		"no language":                                    {"country=us", missing, "lang"},
		"an empty country":                               {"country=&lang=eng", missing, "country"},
		"an empty language":                              {"country=us&lang=", missing, "lang"},
		"a country without an equals sign":               {"country&lang=eng", missing, "country"},
		"empty twice":                                    {"country=&country&lang=eng", missing, "country"},
		"names are case-sensitive":                       {"Country=us&lang=eng", missing, "country"},
		"a name with a bad escape":                       {"countr%zz=us&lang=eng", missing, "country"},
		"a name that ends inside an escape":              {"country=us&lan%6=eng", missing, "lang"},
		"a name decoded once":                            {"%2563ountry=us&lang=eng", missing, "country"},
		"a country of three letters":                     {"country=usa&lang=eng", invalid, "country"},
		"a country of one letter":                        {"country=u&lang=eng", invalid, "country"},
		"a digit":                                        {"country=u5&lang=eng", invalid, "country"},
		"a leading space":                                {"country=+us&lang=eng", invalid, "country"},
		"an encoded trailing space":                      {"country=us%20&lang=eng", invalid, "country"},
		"an encoded zero byte":                           {"country=u%00&lang=eng", invalid, "country"},
		"a bad escape":                                   {"country=%zz&lang=eng", invalid, "country"},
		"a bad second digit of an escape":                {"country=u%7g&lang=eng", invalid, "country"},
		"an escape that ends early":                      {"country=u%7&lang=eng", invalid, "country"},
		"a lone percent sign":                            {"country=us%&lang=eng", invalid, "country"},
		"a line break and a header":                      {"country=%0d%0aX:y&lang=eng", invalid, "country"},
		"a dotted capital I":                             {"country=%C4%B0s&lang=eng", invalid, "country"},
		"the Kelvin sign, which folds to k":              {"country=u%E2%84%AA&lang=eng", invalid, "country"},
		"fullwidth letters":                              {"country=ｕｓ&lang=eng", invalid, "country"},
		"a semicolon separates nothing":                  {"country=us;lang=eng&lang=eng", invalid, "country"},
		"dots and a slash":                               {"country=../&lang=eng", invalid, "country"},
		"values are decoded once":                        {"country=%2575s&lang=eng", invalid, "country"},
		"the bytes before the letters":                   {"country=%40%60&lang=eng", invalid, "country"},
		"the bytes after the letters":                    {"country=%5B%7B&lang=eng", invalid, "country"},
		"a second equals sign":                           {"country=us=&lang=eng", invalid, "country"},
		"a wildcard":                                     {"country=us&lang=*", invalid, "lang"},
		"a language of four letters":                     {"country=us&lang=engl", invalid, "lang"},
		"a language of one letter":                       {"country=us&lang=e", invalid, "lang"},
		"a fragment":                                     {"country=us&lang=en#x", invalid, "lang"},
		"two countries":                                  {"country=us&country=ca&lang=eng", duplicate, "country"},
		"two countries, the first again":                 {"country=us&country=ca&country=us&lang=eng", duplicate, "country"},
		"two spellings of a language":                    {"country=us&lang=en&lang=eng", duplicate, "lang"},
		"a prefix":                                       {"country=us&lang=eng&lang=en", duplicate, "lang"},
		"a country and an empty one":                     {"country=us&country=&lang=eng", duplicate, "country"},
		"an empty country and one":                       {"country&country=us&lang=eng", duplicate, "country"},
		"a country and a malformed one":                  {"country=us&country=usa&lang=eng", duplicate, "country"},
		"a malformed and an empty country":               {"country=usa&country=&lang=eng", duplicate, "country"},
		"two malformed countries":                        {"country=usa&country=u5&lang=eng", invalid, "country"},
		"the country first, even where it is better":     {"lang=&country=usa", invalid, "country"},
		"an invalid country before a duplicate language": {"lang=en&lang=fr&country=usa", invalid, "country"},
		"a missing country before an invalid language":   {"lang=engl", missing, "country"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			q, reply := parse("GET", "/ad_request?"+tc.query)
			require.NotNil(t, reply)
			require.Zero(t, q)
			require.EqualValues(t, 400, reply.Status)
			body := decodeReply(t, reply)
			require.Equal(t, tc.code, body.Code)
			require.Equal(t, tc.param, body.Param)
		})
	}
}

func TestParseChecksTheMethodThenTheSizeThenTheParameters(t *testing.T) {
	tooLong := "/ad_request?" + pad("country=us&lang=eng&x=", 1025)
	tests := map[string]struct {
		method, path string
		status       uint32
		code         string
	}{
		"POST":                                 {"POST", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"PUT":                                  {"PUT", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"PATCH":                                {"PATCH", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"DELETE":                               {"DELETE", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"OPTIONS":                              {"OPTIONS", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"methods are case-sensitive":           {"get", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"no method":                            {"", "/ad_request?country=us&lang=eng", 405, "method_not_allowed"},
		"the method before the size":           {"POST", tooLong, 405, "method_not_allowed"},
		"the method before the parameters":     {"POST", "/ad_request", 405, "method_not_allowed"},
		"a valid query of 1,025 bytes":         {"GET", tooLong, 414, "uri_too_long"},
		"HEAD too":                             {"HEAD", tooLong, 414, "uri_too_long"},
		"the size before the parameters":       {"GET", "/ad_request?" + strings.Repeat("x", 5*1024), 414, "uri_too_long"},
		"the size is counted as received":      {"GET", "/ad_request?country=us&lang=eng&x=" + strings.Repeat("%41", 400), 414, "uri_too_long"},
		"the size counts later question marks": {"GET", "/ad_request?country=us&lang=eng&" + strings.Repeat("?", 1024), 414, "uri_too_long"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			q, reply := parse(tc.method, tc.path)
			require.NotNil(t, reply)
			require.Zero(t, q)
			require.Equal(t, tc.status, reply.Status)
			body := decodeReply(t, reply)
			require.Equal(t, tc.code, body.Code)
			require.Empty(t, body.Param)
		})
	}
}

// The standard library's decoder agrees about every byte, raw and escaped, in a place where a letter may stand.
func TestParseDecodesAsFormsDo(t *testing.T) {
	for b := range 256 {
		for _, raw := range []string{string([]byte{byte(b)}), "%" + string("0123456789abcdef"[b>>4]) + string("0123456789ABCDEF"[b&15])} {
			if strings.ContainsAny(raw, "&") {
				continue
			}
			q, reply := parse("GET", "/?lang=eng&country=a"+raw)
			decoded, err := url.QueryUnescape("a" + raw)
			letters := err == nil && len(decoded) == 2 && strings.Contains("abcdefghijklmnopqrstuvwxyz", strings.ToLower(decoded[1:])) && decoded[1] < 128
			require.Equal(t, letters, reply == nil, "country=a%s", raw)
			if letters {
				require.Equal(t, strings.ToLower(decoded), q.Country.String())
			}
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for name, path := range map[string]string{
		"a plain query":     "/ad_request?country=us&lang=eng",
		"an escaped query":  "/ad_request?c%6funtry=%55K&lang=EN&country=gb&hour=3",
		"a refused query":   "/ad_request?country=us&lang=engl",
		"a query too long":  "/ad_request?" + strings.Repeat("x", 1025),
		"a parameterless ?": "/ad_request?",
	} {
		t.Run(name, func(t *testing.T) {
			letters, get, raw := 0, []byte("GET"), []byte(path)
			require.Zero(t, testing.AllocsPerRun(100, func() {
				q, _ := Parse(get, raw)
				letters += count(q.Country.String()) + count(q.Lang.String())
			}))
		})
	}
}

// count reads a string without keeping it, as whoever makes a key of it does.
func count(s string) (n int) {
	for range s {
		n++
	}
	return n
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{
		"/ad_request?country=us&lang=eng",
		"/prod/ad_request?lang=EN&country=%55k&country=gb",
		"/ad_request?country=%2575s&lang=%",
		"/ad_request?country=us&country=ca&lang=",
		"/ad_request?country=ｕｓ&lang=+eng",
		"/ad_request",
	} {
		f.Add("GET", path)
	}
	f.Add("HEAD", "/ad_request?country=us&lang=en")
	f.Add("POST", "/ad_request?country=us&lang=en")
	f.Fuzz(func(t *testing.T, method, path string) {
		q, reply := parse(method, path)
		if reply != nil {
			require.Zero(t, q)
			require.Contains(t, []uint32{400, 405, 414}, reply.Status)
			decodeReply(t, reply)
			return
		}
		require.Regexp(t, `^[a-z]{2}$`, q.Country.String())
		require.Regexp(t, `^[a-z]{2,3}$`, q.Lang.String())
		require.NotEqual(t, "uk", q.Country.String())
		require.Contains(t, []string{"GET", "HEAD"}, method)

		_, raw, _ := strings.Cut(path, "?")
		require.LessOrEqual(t, len(raw), 1024)
		requireSameAsNaive(t, raw, q)
	})
}

// requireSameAsNaive reads an accepted query once more with the standard library.
func requireSameAsNaive(t *testing.T, raw string, q Query) {
	t.Helper()
	got := map[string]map[string]bool{"country": {}, "lang": {}}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || got[name] == nil {
			continue
		}
		value, err = url.QueryUnescape(value)
		require.NoError(t, err)
		value = strings.ToLower(value)
		if name == "country" && value == "uk" {
			value = "gb"
		}
		got[name][value] = true
	}
	require.Equal(t, map[string]map[string]bool{
		"country": {q.Country.String(): true},
		"lang":    {q.Lang.String(): true},
	}, got)
}

func BenchmarkParse(b *testing.B) {
	method, path := []byte("GET"), []byte("/ad_request?country=us&lang=eng")
	_, reply := Parse(method, path)
	require.Nil(b, reply)
	b.ReportAllocs()
	for b.Loop() {
		Parse(method, path)
	}
}

func parse(method, path string) (Query, *Reply) { return Parse([]byte(method), []byte(path)) }

// pad fills s up to n bytes.
func pad(s string, n int) string { return s + strings.Repeat("x", n-len(s)) }

type errorBody struct{ Message, Code, Param string }

func decodeReply(t *testing.T, r *Reply) errorBody {
	t.Helper()
	var body errorBody
	require.NoError(t, json.Unmarshal(r.Body, &body))
	require.NotEmpty(t, body.Message)
	return body
}
