package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refusal is a body that is refused.
type refusal struct {
	body    string
	code    string
	field   string
	message string // "" where the words do not matter
	lax     bool
}

func (r refusal) check(t *testing.T, h *harness, q request) {
	t.Helper()
	q.body, q.lax = r.body, r.lax
	got := h.do(t, q)
	require.Equal(t, http.StatusBadRequest, got.status, "%s", got.body)
	body := got.json(t)
	require.Equal(t, r.code, body["code"], "%s", got.body)
	if r.field == "" {
		require.NotContains(t, body, "field")
	} else {
		require.Equal(t, r.field, body["field"], "%s", got.body)
	}
	if r.message != "" {
		require.Equal(t, r.message, body["message"])
	}
}

func TestBodiesOfCreate(t *testing.T) {
	h := start(t, nil)
	change := func(path string, v any) string { return with(t, john, map[string]any{path: v}) }
	replace := func(old, with string) string {
		require.Contains(t, john, old)
		return strings.Replace(john, old, with, 1)
	}
	const json, field = "invalid_json", "invalid_field"
	for name, r := range map[string]refusal{
		"nothing":                         {"", json, "", "The body is not valid JSON.", false},
		"white space":                     {" \n", json, "", "", false},
		"a string":                        {`"x"`, json, "", "The body must be a JSON object.", false},
		"null":                            {`null`, json, "", "The body must be a JSON object.", false},
		"an array of a good one":          {`[` + john + `]`, json, "", "The body must be a JSON object.", false},
		"a form":                          {`title=Mr&firstName=John`, json, "", "The body is not valid JSON.", false},
		"half of one":                     {john[:len(john)/2], json, "address", "", false},
		"two":                             {john + john, json, "", "", true},
		"something behind it":             {john + `x`, json, "", "", true},
		"a NUL behind it":                 {john + "\x00", json, "", "", true},
		"a byte order mark":               {"\ufeff" + john, json, "", "", false},
		"a comma too many":                {replace(`"}}`, `"},}`), json, "", "", false},
		"single quotes":                   {`{'title':'Mr'}`, json, "", "", false},
		"a comment":                       {`{/**/}`, json, "", "", false},
		"a number as it is not written":   {`{"title":01}`, field, "title", "", false},
		"a control character in a text":   {replace("John", "Jo\nhn"), json, "firstName", "", false},
		"text that is not UTF-8":          {replace("John", "Jo\xffhn"), json, "firstName", "", true},
		"a name that is not UTF-8":        {replace("{", "{\"\xff\":1,"), json, "", "", true},
		"half of a surrogate pair":        {replace("John", `Jo\ud83dhn`), json, "firstName", "", true},
		"the pair's halves swapped":       {replace("John", `\ude00\ud83d`), json, "firstName", "", true},
		"an escape that is none":          {replace("John", `\x41`), json, "firstName", "", false},
		"a name twice":                    {replace("{", `{"lastName":"Smith",`), field, "lastName", "lastName is there more than once.", true},
		"a name twice, once escaped":      {replace("{", `{"l\u0061stName":"Smith",`), field, "lastName", "", true},
		"a name twice within":             {replace(`"state"`, `"suburb":"x","state"`), field, "address.suburb", "", true},
		"a name that is not known":        {change("nick", "Jo"), field, "nick", "nick is not known here.", false},
		"a name not known, within":        {change("address.country", "AU"), field, "address.country", "", false},
		"a name in another case":          {replace("title", "Title"), field, "Title", "", false},
		"a userId of the client's choice": {change("userId", "00000001"), field, "userId", "", false},
		"an owner of the client's choice": {change("owner", "bob"), field, "owner", "", false},
		"a version":                       {change("version", 1), field, "version", "", false},
		"an empty name":                   {replace("{", `{"":1,`), field, "", " is not known here.", false},
		"a number":                        {change("mobileNumber", 47777777), field, "mobileNumber", "mobileNumber must be a string.", false},
		"a boolean":                       {change("title", true), field, "title", "", false},
		"an array":                        {change("title", []string{"Mr"}), field, "title", "", false},
		"an object":                       {change("title", map[string]any{}), field, "title", "", false},
		"a number within":                 {change("address.postcode", 2040), field, "address.postcode", "address.postcode must be a string.", false},
		"null for a text":                 {replace(`"Mr"`, "null"), field, "title", "title must be a string.", false},
		"null for a text within":          {replace(`"NSW"`, "null"), field, "address.state", "", false},
		"null for the address":            {`{"title":"Mr","address":null}`, field, "address", "address must be an object.", false},
		"a text for the address":          {change("address", "1 Norton Street"), field, "address", "address must be an object.", false},
		"an array for the address":        {change("address", []string{}), field, "address", "address must be an object.", false},
		"an empty object": {
			"{}", field, "title", "title, firstName, lastName, mobileNumber, address are missing.", false,
		},
		"no title":               {change("title", nil), field, "title", "title is missing.", false},
		"no firstName":           {change("firstName", nil), field, "firstName", "firstName is missing.", false},
		"no lastName":            {change("lastName", nil), field, "lastName", "lastName is missing.", false},
		"no mobileNumber":        {change("mobileNumber", nil), field, "mobileNumber", "mobileNumber is missing.", false},
		"no address":             {change("address", nil), field, "address", "address is missing.", false},
		"no postcode":            {change("address.postcode", nil), field, "address.postcode", "address.postcode is missing.", false},
		"no suburb":              {change("address.suburb", nil), field, "address.suburb", "address.suburb is missing.", false},
		"no state":               {change("address.state", nil), field, "address.state", "address.state is missing.", false},
		"no fullAddress":         {change("address.fullAddress", nil), field, "address.fullAddress", "address.fullAddress is missing.", false},
		"an empty title":         {change("title", ""), field, "title", "", false},
		"an empty firstName":     {change("firstName", ""), field, "firstName", "", false},
		"a NUL":                  {change("lastName", "a\x00b"), field, "lastName", "", false},
		"text that is reordered": {change("lastName", "a\u202eb"), field, "lastName", "", false},
		"a text that is long":    {change("title", strings.Repeat("ü", 33)), field, "title", "", false},
		"depth":                  {`{"title":` + strings.Repeat("[", 30000), json, "title", "", false},
		"depth of the body":      {strings.Repeat("[", 60000), json, "", "The body must be a JSON object.", false},
		"depth in the address":   {`{"address":` + strings.Repeat("[", 30000), field, "address", "", false},
		"depth that ends":        {`{"address":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + "}", field, "address.a", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r.check(t, h, request{method: "POST", path: "/create", token: "alice"})
		})
	}
	require.Empty(t, h.store.all(), "nothing was stored")
}

func TestBodiesOfUpdate(t *testing.T) {
	h := start(t, nil)
	id := h.create(t)
	const field = "invalid_field"
	for name, r := range map[string]refusal{
		"no userId":           {`{"title":"Ms"}`, field, "userId", "userId is missing.", false},
		"a userId as number":  {`{"userId":12345678}`, field, "userId", "userId must be a string.", false},
		"null as the userId":  {`{"userId":null}`, field, "userId", "", false},
		"a bad userId":        {`{"userId":"123"}`, field, "userId", "This is not a valid userId, it must contain only 8 numeric characters!", false},
		"an empty userId":     {`{"userId":""}`, field, "userId", "This is not a valid userId, it must contain only 8 numeric characters!", false},
		"null for a text":     {`{"userId":"` + id + `","title":null}`, field, "title", "", false},
		"null in the address": {`{"userId":"` + id + `","address":{"state":null}}`, field, "address.state", "", false},
		"an unknown name":     {`{"userId":"` + id + `","owner":"bob"}`, field, "owner", "", false},
		"an empty title":      {`{"userId":"` + id + `","title":""}`, field, "title", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r.check(t, h, request{method: "PUT", path: "/update", token: "alice"})
		})
	}
	require.Equal(t, int64(1), h.store.all()[0].Version, "nothing was updated")
}

func TestBodiesOfAuthenticate(t *testing.T) {
	h := start(t, nil)
	for name, r := range map[string]refusal{
		"nothing in it":        {`{}`, "invalid_field", "username", "username, password are missing.", false},
		"no password":          {`{"username":"u"}`, "invalid_field", "password", "password is missing.", false},
		"a password as number": {`{"username":"u","password":123456}`, "invalid_field", "password", "password must be a string.", false},
		"null":                 {`{"username":null,"password":"p"}`, "invalid_field", "username", "", false},
		"a form":               {`username=u&password=p`, "invalid_json", "", "", false},
		"more than that":       {`{"username":"u","password":"p","mfa":"1"}`, "invalid_field", "mfa", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r.check(t, h, request{method: "POST", path: "/authenticate"})
		})
	}
}

func TestTheNameThatAClientChoseIsCut(t *testing.T) {
	h := start(t, nil)
	got := h.do(t, request{method: "POST", path: "/create", token: "alice", body: `{"` + strings.Repeat("ü", 30000) + `":1}`})
	require.Equal(t, strings.Repeat("ü", maxField)+"…", got.json(t)["field"])
	got = h.do(t, request{method: "GET", path: "/read?" + strings.Repeat("u", 3000), token: "alice"})
	require.Equal(t, strings.Repeat("u", maxField)+"…", got.json(t)["field"])
}
