package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// longest are the limits of a record's values in code points (README, openapi.json).
var longest = map[string]int{
	"title": 32, "firstName": 100, "lastName": 100, "mobileNumber": 32,
	"address.postcode": 16, "address.suburb": 100, "address.state": 50, "address.fullAddress": 300,
}

// set is the record's JSON with this as the JSON of the value at path.
func set(t *testing.T, record, path, json string) string {
	t.Helper()
	name := path[strings.LastIndexByte(path, '.')+1:]
	at := strings.Index(record, `"`+name+`":`)
	require.Positive(t, at)
	at += len(name) + 3
	return record[:at] + json + record[at+strings.IndexAny(record[at:], ",}"):]
}

// values of a record that are none, each by its name.
func (f form) values(t *testing.T, l *line) {
	for path, most := range longest {
		for name, json := range map[string]string{
			"a number": "47777777", "true": "true", "null": "null", "an array": `["` + marked + `"]`, "an object": `{"a":"` + marked + `"}`,
			"too long": `"` + strings.Repeat("é", most+1) + `"`, "much too long": `"` + strings.Repeat(marked, 1000) + `"`,
			"too long of pairs": `"` + strings.Repeat(`\ud83d\ude00`, most+1) + `"`,
			"NUL":               `"a\u0000` + marked + `"`, "a line end": `"a\nb"`, "a tab": `"a\tb"`, "DEL": `"a\u007fb"`, "a C1 control": `"a\u0085b"`, "a raw C1 control": "\"a\u0085b\"",
			"an override": `"a\u202e` + marked + `"`, "a raw override": "\"a\u202eb\"", "an embedding": `"a\u202ab"`, "an isolate": `"a\u2066b"`,
			"a raw isolate's end": "\"a\u2069b\"", "a line separator": `"a\u2028b"`, "a raw paragraph separator": "\"a\u2029b\"",
			"a noncharacter": `"a\uffffb"`, "a noncharacter of another plane": `"a\ud83f\udffeb"`, "a raw noncharacter": "\"a\ufdd0b\"",
		} {
			t.Run(strings.Join([]string{f.path, path, name}, " "), func(t *testing.T) {
				f.refused(t, l, set(t, f.body, path, json), "invalid_field", path)
			})
		}
		for name, json := range map[string]string{"a raw NUL": "\"a\x00b\"", "half a surrogate pair": `"\udfff"`, "not UTF-8": "\"\xff\""} {
			t.Run(strings.Join([]string{f.path, path, name}, " "), func(t *testing.T) {
				f.refused(t, l, set(t, f.body, path, json), "invalid_json", path)
			})
		}
		t.Run(strings.Join([]string{f.path, path, "there twice"}, " "), func(t *testing.T) {
			inner := path[strings.LastIndexByte(path, '.')+1:]
			f.refused(t, l, strings.Replace(f.body, `"`+inner+`":`, `"`+inner+`":"`+marked+`","`+inner+`":`, 1), "invalid_field", path)
		})
		if inner, ok := strings.CutPrefix(path, "address."); ok {
			if f.path == "/create" {
				t.Run(f.path+" no "+path, func(t *testing.T) { f.refused(t, l, remove(t, f.body, inner), "invalid_field", path) })
			}
			continue
		}
		if path != "mobileNumber" {
			t.Run(f.path+" an empty "+path, func(t *testing.T) { f.refused(t, l, set(t, f.body, path, `""`), "invalid_field", path) })
		}
	}
	for name, json := range map[string]string{"a number": "1", "a text": `"` + marked + `"`, "true": "true", "null": "null", "an array": "[]"} {
		t.Run(f.path+" an address that is "+name, func(t *testing.T) {
			at := strings.Index(f.body, `"address":`) + len(`"address":`)
			f.refused(t, l, f.body[:at]+json+"}", "invalid_field", "address")
		})
	}
}

// signIns that no user pool is asked about.
func (f form) signIns(t *testing.T, l *line) {
	for field, values := range map[string]map[string]string{
		"username": {
			"nothing": "", "a space": "a b", "only spaces": "   ", "NUL": `a\u0000b`, "a line end": `a\nb`, "an override": `a\u202eb`,
			"129 characters": strings.Repeat("u", 129), "very long": strings.Repeat(marked, 5000),
		},
		"password": {
			"nothing": "", "a space first": " " + marked, "a line end last": marked + `\n`, "257 characters": strings.Repeat("p", 257), "very long": strings.Repeat(marked, 5000),
		},
	} {
		for name, value := range values {
			t.Run(field+" "+name, func(t *testing.T) {
				in := map[string]string{"username": marked + "-nobody", "password": marked, field: value}
				f.refused(t, l, fmt.Sprintf(`{"username":"%s","password":"%s"}`, in["username"], in["password"]), "invalid_field", field)
			})
		}
	}
}

// badIDs: a userId is eight digits, once, and nothing beside it.
func (u *userService) badIDs(t *testing.T, l *line, p player) {
	const message = "This is not a valid userId, it must contain only 8 numeric characters!"
	for _, id := range []string{
		"", "1", "1234567", "123456789", "1234567a", "a", "12 45678", " 2345678", "1234567 ", "12345678\n", "\n12345678", "+1234567", "-1234567", "0x123456", "1e345678",
		"１２３４５６７８", "٠١٢٣٤٥٦٧", "1234567\x00", "12345678\x00", "12345678,87654321", "../../12", "%31234567", "null", "*", strings.Repeat("1", 1000),
	} {
		t.Run(fmt.Sprintf("%.20q", id), func(t *testing.T) {
			read := ask{method: "GET", path: "/read?userId=" + url.QueryEscape(id), as: p.id}
			a := l.ask(t, read)
			requireFault(t, a, 400, "invalid_field", "userId")
			require.Equal(t, message, members(t, a)["message"])
			l.goesOn(t)
			update := ask{method: "PUT", path: "/update", as: p.id, body: fmt.Sprintf(`{"userId":"%s","title":"Dr"}`, jsonEscaped(id))}
			a = l.ask(t, update)
			requireFault(t, a, 400, "invalid_field", "userId")
			require.Equal(t, message, members(t, a)["message"])
			l.goesOn(t)
		})
	}
	for query, want := range map[string]struct{ code, field string }{
		"":                                 {"invalid_field", "userId"},
		"?":                                {"invalid_field", "userId"},
		"?userId":                          {"invalid_field", "userId"},
		"?userId=00000001&userId=00000001": {"invalid_field", "userId"},
		"?userId=00000001&userId=00000002": {"invalid_field", "userId"},
		"?userid=00000001":                 {"invalid_field", "userid"},
		"?userId=00000001&owner=" + marked: {"invalid_field", "owner"},
		"?userId=00000001&access_token=x":  {"invalid_field", "access_token"},
		"?userId[]=00000001":               {"invalid_field", "userId[]"},
		"?userId=00000001&%00=1":           {"invalid_field", "\x00"},
		"?userId=00000001&" + strings.Repeat("n", 3000) + "=1": {"invalid_field", strings.Repeat("n", 100) + "…"},
		"?userId=00000001;userId=00000002":                     {"bad_request", ""},
		"?userId=%zz":                                          {"bad_request", ""},
		"?userId=%":                                            {"bad_request", ""},
	} {
		t.Run(fmt.Sprintf("query %.40q", query), func(t *testing.T) {
			requireFault(t, l.ask(t, ask{method: "GET", path: "/read" + query, as: p.id}), 400, want.code, want.field)
			l.goesOn(t)
			a := l.ask(t, ask{method: "HEAD", path: "/read" + query, as: p.id})
			require.Equal(t, 400, a.Status)
			l.goesOn(t)
		})
	}
}

// jsonEscaped is text as it is within a JSON string.
func jsonEscaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
