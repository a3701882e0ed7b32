package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// badInput: whatever a client sends, it is told what is wrong with it, and nothing breaks: not the service, nor the connection.
func (u *userService) badInput(t *testing.T) {
	alice := u.player(t, "alice")
	id := u.create(t, alice.id, johnBody)
	l := u.line(t)
	forms := []form{
		{
			ask: ask{method: "POST", path: "/create", as: alice.id, body: johnBody}, first: "title", required: []string{"title", "firstName", "lastName", "mobileNumber", "address"},
			unknown: []string{"userId", "owner", "version", "Title", "firstname", "address.postCode", "address.country"},
		},
		{
			ask: ask{method: "PUT", path: "/update", as: alice.id, body: recordOf(id, johnBody)}, first: "userId", required: []string{"userId"},
			unknown: []string{"userid", "owner", "version", "Title", "address.postCode", "address.country"},
		},
		{
			ask: ask{method: "POST", path: "/authenticate", body: fmt.Sprintf(`{"username":%q,"password":%q}`, alice.name, alice.password)}, first: "username",
			required: []string{"username", "password"}, unknown: []string{"Username", "new_password", "client_id", "user.name"},
		},
	}
	for _, f := range forms {
		t.Run("a body that is none "+f.path, func(t *testing.T) { f.broken(t, l) })
		t.Run("members "+f.path, func(t *testing.T) { f.members(t, l) })
		t.Run("nesting and length "+f.path, func(t *testing.T) { f.large(t, l) })
		t.Run("on the wire "+f.path, func(t *testing.T) { f.wire(t, u) })
	}
	t.Run("values of a record", func(t *testing.T) {
		for _, f := range forms[:2] {
			f.values(t, l)
		}
	})
	t.Run("values of a sign-in", func(t *testing.T) { forms[2].signIns(t, l) })
	t.Run("a userId", func(t *testing.T) { u.badIDs(t, l, alice) })
	require.JSONEq(t, recordOf(id, johnBody), string(u.read(t, alice.id, id).Body), "the good updates among them have changed nothing")
}

// form is a request with a good body, to be spoiled.
type form struct {
	ask

	first             string // member of the body
	required, unknown []string
}

// with is the request with another body.
func (f form) with(body string) ask {
	q := f.ask
	q.body = body
	return q
}

// refused sends a body that must be a 400 with this code and field, after which the connection can be used.
func (f form) refused(t *testing.T, l *line, body, code, field string) {
	t.Helper()
	f.requireFault(t, l.ask(t, f.with(body)), 400, code, field)
	l.goesOn(t)
}

func (f form) requireFault(t *testing.T, a *stack.Answer, status int, code, field string) {
	t.Helper()
	if f.path == "/authenticate" {
		requireSignInFault(t, a, status, code, field)
	} else {
		requireFault(t, a, status, code, field)
	}
}

// value is the good body with this as the JSON of its first member.
func (f form) value(json string) string { return `{"` + f.first + `":` + json + `,` + f.rest() }

// rest is the good body after its first member.
func (f form) rest() string { return f.body[strings.Index(f.body, ",")+1:] }

// broken are bodies that are no JSON objects.
func (f form) broken(t *testing.T, l *line) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(f.body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	var wide []byte
	for _, c := range utf16.Encode([]rune(f.body)) {
		wide = append(wide, byte(c), byte(c>>8))
	}
	for name, body := range map[string]string{
		"nothing": "", "spaces": " \r\n\t ", "its first member": "{" + f.body[1:strings.Index(f.body, ",")], "all but its end": f.body[:len(f.body)-1], "its end": "}",
		"an array": "[" + f.body + "]", "an empty array": "[]", "a text": `"` + marked + `"`, "a number": "1", "true": "true", "null": "null",
		"a byte order mark": "\ufeff" + f.body, "something after it": f.body + "x", "a second one": f.body + f.body, "a NUL after it": f.body + "\x00",
		"a comma after the last member": f.body[:len(f.body)-1] + ",}", "a comment": "/**/" + f.body, "single quotes": strings.ReplaceAll(f.body, `"`, `'`),
		"names without quotes": "{" + f.first + ":1}", "a number as a name": "{1:1}", "in UTF-16": string(wide), "zipped": zipped.String(),
		"a form": "username=john&password=randompassword", "XML": "<title>Mr</title>", "a percent-encoded one": url.QueryEscape(f.body), "bytes": "\x00\xff\xfe\x80",
	} {
		t.Run(name, func(t *testing.T) { f.refused(t, l, body, "invalid_json", "") })
	}
	for name, json := range map[string]string{
		"a raw NUL": "\"a\x00b\"", "a raw line end": "\"a\nb\"", "half a surrogate pair": `"\ud800"`, "its halves the wrong way round": `"\udc00\ud800"`,
		"half of one before another": `"\ud83dx"`, "not UTF-8": "\"\xff\"", "overlong UTF-8": "\"\xc0\x80\"", "a surrogate in UTF-8": "\"\xed\xa0\x80\"",
		"UTF-8 that is cut": "\"\xf0\x9f\x98\"", "an escape that is none": `"\x41"`, "an escape that is cut": `"\u12"`, "NaN": "NaN", "infinity": "-Infinity",
		"a word": marked, "True": "True", "nothing": "",
	} {
		t.Run(name+" in a member", func(t *testing.T) { f.refused(t, l, f.value(json), "invalid_json", f.first) })
	}
	for name, json := range map[string]string{"a raw NUL": "\"a\x00b\":1", "half a surrogate pair": `"\ud800":1`, "not UTF-8": "\"\xff\":1"} {
		t.Run(name+" in a name", func(t *testing.T) { f.refused(t, l, "{"+json+","+f.body[1:], "invalid_json", "") })
	}
}

// members that are missing, unknown, there twice, or of another type.
func (f form) members(t *testing.T, l *line) {
	for name, json := range map[string]string{
		"a number": "47777777", "a large number": "1e400", "a hexadecimal number": "0x1", "a leading zero": "01", "true": "true", "null": "null", "an array": `["` + marked + `"]`, "an object": `{"a":"` + marked + `"}`,
	} {
		t.Run("the first is "+name, func(t *testing.T) { f.refused(t, l, f.value(json), "invalid_field", f.first) })
	}
	t.Run("the first twice", func(t *testing.T) {
		f.refused(t, l, `{"`+f.first+`":"`+marked+`",`+f.body[1:], "invalid_field", f.first)
	})
	t.Run("the first twice, once in escapes", func(t *testing.T) {
		f.refused(t, l, fmt.Sprintf(`{"\u%04x%s":"%s",%s`, f.first[0], f.first[1:], marked, f.body[1:]), "invalid_field", f.first)
	})
	t.Run("none", func(t *testing.T) { f.refused(t, l, "{}", "invalid_field", f.first) })
	for _, name := range f.required {
		t.Run("no "+name, func(t *testing.T) {
			without := strings.Replace(f.body, `"`+name+`":`, `"`+marked+`":`, 1)
			f.refused(t, l, without, "invalid_field", marked) // what is unknown is found first
			f.refused(t, l, remove(t, f.body, name), "invalid_field", name)
		})
	}
	for _, name := range f.unknown {
		t.Run("unknown "+name, func(t *testing.T) {
			inner, isAddress := strings.CutPrefix(name, "address.")
			body := `{"` + inner + `":"` + marked + `",` + f.body[1:]
			if isAddress {
				body = strings.Replace(f.body, `"address":{`, `"address":{"`+inner+`":"`+marked+`",`, 1)
			}
			f.refused(t, l, body, "invalid_field", name)
		})
	}
	for name, shown := range map[string]string{
		"__proto__": "__proto__", "constructor": "constructor", "a/b~c": "a/b~c", "$where": "$where", "ключ": "ключ", `\u0000`: "\x00", `\u202e`: "\u202e",
		strings.Repeat("n", 60_000): strings.Repeat("n", 100) + "…", "": "",
	} {
		t.Run(fmt.Sprintf("unknown %.20q", name), func(t *testing.T) {
			f.refused(t, l, `{"`+name+`":"`+marked+`",`+f.body[1:], "invalid_field", shown)
		})
	}
}

// remove is the JSON object without this member.
func remove(t *testing.T, object, name string) string {
	t.Helper()
	at := strings.Index(object, `"`+name+`":`)
	require.Positive(t, at)
	rest := object[at:]
	var end int
	if name == "address" {
		end = strings.Index(rest, "}") + 1
	} else {
		end = strings.IndexAny(rest, ",}")
	}
	if rest[end] == ',' {
		return object[:at] + rest[end+1:]
	}
	return strings.TrimSuffix(object[:at], ",") + rest[end:]
}

// large are bodies that cost more to read than they should.
func (f form) large(t *testing.T, l *line) {
	nested := func(open, inner, end string, n int) string {
		return f.value(strings.Repeat(open, n) + inner + strings.Repeat(end, n))
	}
	for name, body := range map[string]string{
		"arrays in arrays":            nested("[", "", "]", 9_000),
		"more arrays in arrays":       nested("[", "", "]", 30_000),
		"arrays that do not end":      f.value(strings.Repeat("[", 60_000)),
		"objects in objects":          nested(`{"a":`, "1", "}", 9_000),
		"more objects in objects":     nested(`{"a":`, "1", "}", 10_500),
		"objects that do not end":     f.value(strings.Repeat(`{"a":`, 13_000)),
		"a number of 60,000 digits":   f.value(strings.Repeat("1", 60_000)),
		"an array of 30,000 elements": f.value("[" + strings.Repeat("1,", 30_000) + "1]"),
	} {
		t.Run(name, func(t *testing.T) {
			a := l.ask(t, f.with(body))
			require.Contains(t, []string{"invalid_field", "invalid_json"}, a.Code()) // too deep is no JSON, and the rest no text
			f.requireFault(t, a, 400, a.Code(), f.first)
			l.goesOn(t)
		})
	}
	t.Run("5,000 unknown members", func(t *testing.T) {
		var all strings.Builder
		for n := range 5_000 {
			fmt.Fprintf(&all, `"n%d":0,`, n)
		}
		f.refused(t, l, "{"+all.String()+f.body[1:], "invalid_field", "n0")
	})
	t.Run("64 KiB are read", func(t *testing.T) {
		a := l.ask(t, f.with(padded(f.body, 64<<10)))
		require.Less(t, a.Status, 300, a)
		l.goesOn(t)
	})
	for name, body := range map[string]string{
		"64 KiB and a space":       padded(f.body, 64<<10+1),
		"64 KiB and a space first": " " + padded(f.body, 64<<10),
		"100,000 arrays":           nested("[", "", "]", 100_000),
		"100,000 objects":          nested(`{"a":`, "1", "}", 100_000),
		"a long text":              f.value(`"` + strings.Repeat(marked, 10_000) + `"`),
		"1 MiB":                    padded(f.body, 1<<20),
		"1 MiB of nothing":         strings.Repeat(" ", 1<<20),
		"1 MiB of zeros":           strings.Repeat("\x00", 1<<20),
		"10 MiB":                   padded(f.body, 10<<20),
	} {
		t.Run(name+" are too large", func(t *testing.T) {
			f.requireFault(t, l.ask(t, f.with(body)), 413, "payload_too_large", "")
			l.goesOn(t)
		})
	}
}

// padded is the JSON object with spaces at its end, so many bytes long.
func padded(object string, size int) string { return object + strings.Repeat(" ", size-len(object)) }
