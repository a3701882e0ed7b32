package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/users/record"
)

func TestIfMatchIsReadAsRFC9110SaysIt(t *testing.T) {
	versions := func(v ...int64) *record.Match { return &record.Match{Versions: v} }
	for name, c := range map[string]struct {
		lines []string
		want  *record.Match // nil with lines: refused
	}{
		"no header":                      {nil, nil},
		"any":                            {[]string{"*"}, &record.Match{Any: true}},
		"any between spaces":             {[]string{" * "}, &record.Match{Any: true}},
		"one":                            {[]string{`"3"`}, versions(3)},
		"a list":                         {[]string{`"3" ,"4",	"5"`}, versions(3, 4, 5)},
		"a list over lines":              {[]string{`"3"`, `"4", "5"`}, versions(3, 4, 5)},
		"empty elements":                 {[]string{`, "3",, ,"4",`}, versions(3, 4)},
		"a weak tag matches nothing":     {[]string{`W/"3"`}, versions()},
		"a weak one among others":        {[]string{`W/"3", "4"`}, versions(4)},
		"a tag of something else":        {[]string{`"abc"`}, versions()},
		"a comma inside a tag":           {[]string{`"3,4"`}, versions()},
		"an empty tag":                   {[]string{`""`}, versions()},
		"bytes above ASCII":              {[]string{"\"\xe9\""}, versions()},
		"another spelling of 3":          {[]string{`"03"`, `"+3"`, `"3.0"`, `"3e0"`}, versions()},
		"less than nought":               {[]string{`"-1"`}, versions()},
		"nought":                         {[]string{`"0"`}, versions(0)},
		"the last version":               {[]string{`"9223372036854775807"`}, versions(9223372036854775807)},
		"one more than that":             {[]string{`"9223372036854775808"`}, versions()},
		"nothing in it":                  {[]string{""}, nil},
		"commas alone":                   {[]string{",,"}, nil},
		"no quotes":                      {[]string{"3"}, nil},
		"half of the quotes":             {[]string{`"3`}, nil},
		"a weak tag in lower case":       {[]string{`w/"3"`}, nil},
		"a space in a tag":               {[]string{`"3 4"`}, nil},
		"a control character in a tag":   {[]string{"\"3\x7f\""}, nil},
		"no comma":                       {[]string{`"3""4"`}, nil},
		"a space for a comma":            {[]string{`"3" "4"`}, nil},
		"something behind it":            {[]string{`"3"x`}, nil},
		"any in a list":                  {[]string{`*, "3"`}, nil},
		"any behind a list":              {[]string{`"3"`, "*"}, nil},
		"any twice":                      {[]string{"*", "*"}, nil},
		"a list with something after it": {[]string{`"3", x`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ifMatch(c.lines)
			if c.lines != nil && c.want == nil {
				require.ErrorIs(t, err, errIfMatch)
				return
			}
			require.NoError(t, err)
			if c.want != nil && c.want.Versions == nil {
				c.want.Versions = got.Versions[:0]
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestABadIfMatchIsRefusedByName(t *testing.T) {
	h := start(t, nil)
	id := h.create(t)
	got := h.do(t, request{
		method: "PUT", path: "/update", token: "alice", body: `{"userId":"` + id + `"}`, header: http.Header{"If-Match": {"1"}},
	})
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "If-Match", got.json(t)["field"])
	require.Equal(t, int64(1), h.store.all()[0].Version)
}

func TestIdempotencyKeysAreOneOrNone(t *testing.T) {
	h := start(t, nil)
	for name, values := range map[string][]string{
		"an empty one":   {""},
		"two":            {"a", "b"},
		"the same twice": {"a", "a"},
		"not ASCII":      {"\xc3\xbc"},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.do(t, request{
				method: "POST", path: "/create", token: "alice", body: john, header: http.Header{"Idempotency-Key": values}, lax: true,
			})
			require.Equal(t, http.StatusBadRequest, got.status)
			require.Equal(t, "invalid_field", got.json(t)["code"])
			require.Equal(t, "Idempotency-Key", got.json(t)["field"])
		})
	}
	require.Empty(t, h.store.all())
}

func TestQueriesOfRead(t *testing.T) {
	h := start(t, nil)
	id := h.create(t)
	const invalid = "This is not a valid userId, it must contain only 8 numeric characters!"
	for name, c := range map[string]struct{ query, code, field, message string }{
		"none":                        {"", "invalid_field", "userId", "The parameter userId is missing."},
		"an empty one":                {"?userId=", "invalid_field", "userId", invalid},
		"no value":                    {"?userId", "invalid_field", "userId", invalid},
		"seven digits":                {"?userId=1234567", "invalid_field", "userId", invalid},
		"nine digits":                 {"?userId=123456789", "invalid_field", "userId", invalid},
		"a letter":                    {"?userId=1234567a", "invalid_field", "userId", invalid},
		"digits of another script":    {"?userId=%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7%D9%A8", "invalid_field", "userId", invalid},
		"spaces around":               {"?userId=+" + id, "invalid_field", "userId", invalid},
		"not UTF-8":                   {"?userId=%ff%ff%ff%ff%ff%ff%ff%ff", "invalid_field", "userId", invalid},
		"two":                         {"?userId=" + id + "&userId=00000001", "invalid_field", "userId", "The parameter userId is there more than once."},
		"the same twice":              {"?userId=" + id + "&userId=" + id, "invalid_field", "userId", "The parameter userId is there more than once."},
		"another case":                {"?userid=" + id, "invalid_field", "userid", "The parameter userid is not known here."},
		"something besides":           {"?userId=" + id + "&fields=title", "invalid_field", "fields", "The parameter fields is not known here."},
		"several, the first by name":  {"?zebra=1&ant=2&userId=" + id, "invalid_field", "ant", "The parameter ant is not known here."},
		"an escape that is none":      {"?userId=%zz", "bad_request", "", "The query is malformed."},
		"an escape cut off":           {"?userId=" + id + "%3", "bad_request", "", "The query is malformed."},
		"a semicolon as separator":    {"?userId=" + id + ";x=1", "bad_request", "", "The query is malformed."},
		"a name that is not UTF-8":    {"?%ff=1", "invalid_field", "\ufffd", "The parameter \ufffd is not known here."},
		"a parameter without a name":  {"?=1", "invalid_field", "", "The parameter  is not known here."},
		"a header inside the userId":  {"?userId=%0d%0aX-Evil:1", "invalid_field", "userId", invalid},
		"another query inside of one": {"?userId=" + id + "?userId=" + id, "invalid_field", "userId", invalid},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.do(t, request{method: "GET", path: "/read" + c.query, token: "alice", lax: true})
			require.Equal(t, http.StatusBadRequest, got.status)
			body := got.json(t)
			require.Equal(t, c.code, body["code"])
			require.Equal(t, c.message, body["message"])
			if c.field == "" {
				require.NotContains(t, body, "field")
			} else {
				require.Equal(t, c.field, body["field"])
			}
			require.Empty(t, got.header.Get("X-Evil"))
		})
	}
	t.Run("escaped digits are digits", func(t *testing.T) {
		got := h.do(t, request{method: "GET", path: "/read?userId=%30" + id[1:], token: "alice"})
		require.Equal(t, http.StatusOK, got.status)
	})
}
