package e2e

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/envoy/gateway"
)

// TestUserService is the user service as clients see it through Envoy, where a record is its owner's.
func TestUserService(t *testing.T) {
	u := startUserService(t, gateway.AccessOwner)
	for _, stage := range stages {
		t.Run("the original walk-through "+stage, func(t *testing.T) { u.walk(t, stage) })
	}
	t.Run("values are kept verbatim", u.verbatim)
	t.Run("a repeated create is done once", u.idempotency)
	t.Run("an update on a condition", u.conditions)
	t.Run("what there is not", u.nowhere)

	t.Run("a record of somebody else is not there", u.strangers)
	t.Run("operators read and update all", u.operators)

	t.Run("tokens", u.tokens)
	t.Run("only Authorization says who asks", u.spoofs)
	t.Run("what is behind Envoy stays there", u.behind)

	t.Run("bad input", u.badInput)

	t.Run("the OpenAPI document", func(t *testing.T) { u.contract.served(t, u) })
	t.Run("ads by the OpenAPI document", func(t *testing.T) { u.contract.ads(t, u) })
	t.Run("health by the OpenAPI document", func(t *testing.T) { u.contract.health(t, u) })
	t.Run("all of the OpenAPI document was there", u.contract.exercised)
	t.Run("the service was well all the time", u.well)
	t.Run("no token, password or value is in a log", u.logged)
}

// walk is the original walk-through below a stage: sign up, sign in, create, read, update, read.
func (u *userService) walk(t *testing.T, stage string) {
	name, password := "john-"+rand.Text()[:10], "randompassword" // row U10
	u.use(name, password)
	signIn := func(password string) ask {
		return ask{
			method: "POST", path: stage + "/authenticate", body: fmt.Sprintf(`{"username":%q,"password":%q}`, name, password),
			header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, // as curl --data sends it (row U9)
		}
	}
	t.Run("a password of five characters is refused (row U10)", func(t *testing.T) {
		requireSignInFault(t, u.ask(t, signIn("12345")), 400, "invalid_field", "password")
	})
	var id, sub string
	for _, isNew := range []string{"true", "false"} { // rows U4, U5, U7, U11
		a := u.ask(t, signIn(password))
		require.Equal(t, 200, a.Status, a)
		constantHeaders(t, a)
		body := members(t, a)
		var ok bool
		id, ok = body["id_token"].(string)
		require.True(t, ok, "the token is a text")
		u.use(id)
		token := claims(t, id)
		require.Equal(t, "id", token["token_use"])
		if sub != "" {
			require.Equal(t, sub, token["sub"], "the second sign-in is the same user's")
		}
		sub, ok = token["sub"].(string)
		require.True(t, ok)
		require.NotEmpty(t, sub)
		require.Equal(t, map[string]any{"status": "success", "id_token": id, "user_id": sub, "is_new": isNew}, body, "row U6")
	}
	t.Run("a wrong password is refused (row U8)", func(t *testing.T) {
		for _, wrong := range []string{"randompassworD", "randompassword ", "", "12345", "randompasswor"} {
			a := u.ask(t, signIn(wrong))
			if wrong == "" || wrong[len(wrong)-1] == ' ' { // no password could be so, and no user pool is asked
				requireSignInFault(t, a, 400, "invalid_field", "password")
				continue
			}
			requireSignInFault(t, a, 401, "unauthorized", "")
			require.Equal(t, "The username or password is incorrect", members(t, a)["message"])
		}
	})
	in := u.signIn(t, name, password)
	require.Equal(t, sub, in.sub)
	require.Equal(t, sub, claims(t, in.access)["sub"])
	for kind, token := range map[string]string{"ID": id, "access": in.access} { // rows U12, U13
		for _, form := range forms {
			t.Run(fmt.Sprintf("with an %s token after %q", kind, form), func(t *testing.T) { u.walkWith(t, stage, form+token) })
		}
	}
}

// walkWith creates, reads and updates a record.
func (u *userService) walkWith(t *testing.T, stage, as string) {
	a := u.ask(t, ask{method: "POST", path: stage + "/create", as: as, body: johnBody})
	require.Equal(t, 201, a.Status, a)
	constantHeaders(t, a)
	id, ok := members(t, a)["userId"].(string)
	require.True(t, ok)
	require.Regexp(t, `^[0-9]{8}$`, id, "row U20")
	require.Equal(t, map[string]any{"userId": id, "message": "Mr John has been added with userid: " + id}, members(t, a), "row U19")
	require.Equal(t, `"1"`, a.Header.Get("ETag"))

	read := resolve(t, stage+"/create", a.Header.Get("Location"))
	require.Equal(t, stage+"/read?userId="+id, read, "below the stage of the request")
	a = u.ask(t, ask{method: "GET", path: read, as: as})
	require.Equal(t, 200, a.Status, a)
	constantHeaders(t, a)
	require.Equal(t, `"1"`, a.Header.Get("ETag"))
	require.Equal(t, recordOf(id, johnBody)+"\n", string(a.Body), "rows U21, U22: verbatim, and in this order")

	head := u.ask(t, ask{method: "HEAD", path: read, as: as})
	require.Equal(t, 200, head.Status)
	require.Empty(t, head.Body)
	require.Equal(t, `"1"`, head.Header.Get("ETag"))
	constantHeaders(t, head)

	const moved = `{"title":"Dr","firstName":"Johannes","lastName":"Schmidt","mobileNumber":"0011",` +
		`"address":{"postcode":"0800","suburb":"Darwin","state":"NT","fullAddress":"2 Mitchell Street"}}`
	a = u.ask(t, ask{method: "PUT", path: stage + "/update", as: as, body: recordOf(id, moved)})
	require.Equal(t, 200, a.Status, a)
	constantHeaders(t, a)
	require.Equal(t, moved+"\n", string(a.Body), "row U25: without the userId")
	require.Equal(t, `"2"`, a.Header.Get("ETag"))
	a = u.ask(t, ask{method: "GET", path: read, as: as})
	require.Equal(t, recordOf(id, moved)+"\n", string(a.Body), "row U28")
	require.Equal(t, `"2"`, a.Header.Get("ETag"))

	// Row U27: what is left out stays.
	a = u.ask(t, ask{method: "PUT", path: stage + "/update", as: as, body: `{"userId":"` + id + `","mobileNumber":"0012","address":{"suburb":""}}`})
	require.Equal(t, 200, a.Status, a)
	const changed = `{"title":"Dr","firstName":"Johannes","lastName":"Schmidt","mobileNumber":"0012",` +
		`"address":{"postcode":"0800","suburb":"","state":"NT","fullAddress":"2 Mitchell Street"}}`
	require.Equal(t, changed+"\n", string(a.Body))
	a = u.ask(t, ask{method: "GET", path: read, as: as})
	require.Equal(t, recordOf(id, changed)+"\n", string(a.Body))
	require.Equal(t, `"3"`, a.Header.Get("ETag"))
}

// verbatim: what a client sends is what it reads, to the character (row U21).
func (u *userService) verbatim(t *testing.T) {
	alice := u.player(t, "alice")
	for name, value := range map[string]string{
		"markup":              `<b>&amp;\"'/` + "`${x}" + `%s</b>`,
		"escapes in JSON":     `\"\\\/\u00e9\ud83d\ude00`,
		"spaces at the ends":  `  a  `,
		"other scripts":       `Ζωή 山田太郎 שלום 😀👩‍👩‍👧`,
		"combining and marks": "e\u0301 \u200d\u200e\u200f \u00a0 \ufeff \u00ad",
		"digits only":         `00047777777000`,
		"looks like a null":   `null`,
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{"title":"Mx","firstName":"%[1]s","lastName":"%[1]s","mobileNumber":"%[1]s",`+
				`"address":{"postcode":"","suburb":"%[1]s","state":"%[1]s","fullAddress":"%[1]s"}}`, value)
			id := u.create(t, alice.id, body)
			u.requireUntouched(t, alice.id, id, body)
			updated := u.create(t, alice.id, johnBody)
			a := u.ask(t, ask{method: "PUT", path: "/update", as: alice.id, body: recordOf(updated, body)})
			require.Equal(t, 200, a.Status, a)
			require.JSONEq(t, body, string(a.Body))
			require.JSONEq(t, recordOf(updated, body), string(u.read(t, alice.id, updated).Body))
		})
	}
}

// idempotency: a create that is repeated with its key is answered as the first time.
func (u *userService) idempotency(t *testing.T) {
	alice, bob := u.player(t, "alice"), u.player(t, "bob")
	key := rand.Text()
	create := func(as, key, body string) ask {
		return ask{method: "POST", path: "/create", as: as, body: body, header: http.Header{"Idempotency-Key": {key}}}
	}
	first := u.ask(t, create(alice.id, key, johnBody))
	require.Equal(t, 201, first.Status, first)
	id, ok := members(t, first)["userId"].(string)
	require.True(t, ok)
	replays := func(as, stage string) {
		q := create(as, key, johnBody)
		q.path = stage + q.path
		a := u.ask(t, q)
		require.Equal(t, 201, a.Status, a)
		require.Equal(t, first.Body, a.Body)
		for _, name := range []string{"ETag", "Location"} {
			require.Equal(t, first.Header.Values(name), a.Header.Values(name))
		}
	}
	for _, stage := range stages {
		replays(alice.id, stage)
		replays("Bearer "+alice.access, stage) // the key is the user's, whichever token says so
	}
	u.requireUntouched(t, alice.id, id, johnBody)

	a := u.ask(t, ask{method: "PUT", path: "/update", as: alice.id, body: `{"userId":"` + id + `","title":"Dr"}`})
	require.Equal(t, 200, a.Status, a)
	replays(alice.id, "") // the first answer, whatever became of the record since
	require.Equal(t, `"2"`, u.read(t, alice.id, id).Header.Get("ETag"))

	other := `{"title":"Ms"` + johnBody[len(`{"title":"Mr"`):]
	requireFault(t, u.ask(t, create(alice.id, key, other)), 409, "idempotency_conflict", "")

	theirs := u.ask(t, create(bob.id, key, johnBody))
	require.Equal(t, 201, theirs.Status, "another user's key is another key: %s", theirs)
	require.NotEqual(t, id, members(t, theirs)["userId"])
	require.NotEqual(t, id, u.create(t, alice.id, johnBody), "without the key it is another record")

	for name, keys := range map[string][]string{
		"empty": {""}, "a space": {"a b"}, "not ASCII": {"é"}, "too long": {fmt.Sprintf("%0256d", 1)}, "two": {"a", "b"}, "the same twice": {key, key},
	} {
		t.Run(name, func(t *testing.T) {
			q := create(alice.id, "", johnBody)
			q.header["Idempotency-Key"] = keys
			requireFault(t, u.ask(t, q), 400, "invalid_field", "Idempotency-Key")
		})
	}
	q := create(alice.id, fmt.Sprintf("%0255d", 1), johnBody)
	require.Equal(t, 201, u.ask(t, q).Status)
}

// conditions: ETag and If-Match.
func (u *userService) conditions(t *testing.T) {
	alice := u.player(t, "alice")
	id := u.create(t, alice.id, johnBody)
	version := 1
	for _, c := range []struct {
		match []string // nil: none
		holds bool
	}{
		{[]string{`"1"`}, true},
		{[]string{`"1"`}, false}, // it is 2 now
		{[]string{`"2"`}, true},
		{[]string{`*`}, true},
		{nil, true},
		{[]string{`"9", "5"`}, true},
		{[]string{`"9"`, `"6"`}, true},
		{[]string{`W/"7"`}, false}, // weak tags do not match here (RFC 9110, section 13.1.1)
		{[]string{`"07"`}, false},
		{[]string{`"x"`}, false},
		{[]string{`"8", "6"`}, false},
		{[]string{`"7"`}, true},
	} {
		q := ask{method: "PUT", path: "/update", as: alice.id, body: fmt.Sprintf(`{"userId":%q,"mobileNumber":"%d"}`, id, version)}
		if c.match != nil {
			q.header = http.Header{"If-Match": c.match}
		}
		a := u.ask(t, q)
		if c.holds {
			require.Equal(t, 200, a.Status, "%q on version %d: %s", c.match, version, a)
			version++
		} else {
			requireFault(t, a, 412, "revision_conflict", "")
		}
		current := fmt.Sprintf(`"%d"`, version)
		require.Equal(t, current, a.Header.Get("ETag"), "%q", c.match)
		require.Equal(t, current, u.read(t, alice.id, id).Header.Get("ETag"))
	}
	before := u.read(t, alice.id, id)
	for _, match := range []string{`1`, `"1`, `1"`, `'1'`, `"1" "2"`, `"1";"2"`, `*, "1"`, `**`, `,`, `w/"1"`, `W/1`} {
		t.Run("malformed "+match, func(t *testing.T) {
			q := ask{method: "PUT", path: "/update", as: alice.id, body: `{"userId":"` + id + `","title":"Dr"}`, header: http.Header{"If-Match": {match}}}
			requireFault(t, u.ask(t, q), 400, "invalid_field", "If-Match")
		})
	}
	require.Equal(t, before.Body, u.read(t, alice.id, id).Body)
	require.Equal(t, before.Header.Get("ETag"), u.read(t, alice.id, id).Header.Get("ETag"))
}

// nowhere: unknown records, bad ids, methods and paths, below each stage.
func (u *userService) nowhere(t *testing.T) {
	const badID = "This is not a valid userId, it must contain only 8 numeric characters!"
	alice := u.player(t, "alice")
	missing := u.missing(t, alice)
	for _, stage := range stages {
		for method, q := range map[string]func(id string) ask{
			"GET": func(id string) ask { return ask{method: "GET", path: stage + "/read?userId=" + id, as: alice.id} },
			"PUT": func(id string) ask {
				return ask{method: "PUT", path: stage + "/update", as: alice.id, body: fmt.Sprintf(`{"userId":%q,"title":"Dr"}`, id)}
			},
		} {
			t.Run(method+" "+stage, func(t *testing.T) {
				a := u.ask(t, q("1234567")) // rows U23, U26
				requireFault(t, a, 400, "invalid_field", "userId")
				require.Equal(t, badID, members(t, a)["message"])
				a = u.ask(t, q(missing)) // rows U24, U27
				requireFault(t, a, 404, "user_not_found", "")
				require.Equal(t, "userId: "+missing+", does not exist!", members(t, a)["message"])
				require.Equal(t, 404, u.ask(t, q(missing)).Status, "an update made none")
			})
		}
		require.Equal(t, 401, u.ask(t, ask{method: "HEAD", path: stage + "/read?userId=" + missing}).Status)
		for path, allow := range map[string]string{"/authenticate": "POST", "/create": "POST", "/read?userId=" + missing: "GET, HEAD", "/update": "PUT"} {
			for _, method := range []string{"DELETE", "PATCH", "GET", "POST", "PUT", "OPTIONS"} { // row U29
				if method == "GET" && allow == "GET, HEAD" || method == allow {
					continue
				}
				a := u.ask(t, ask{method: method, path: stage + path, as: alice.id, body: johnBody})
				if path == "/authenticate" {
					requireSignInFault(t, a, 405, "method_not_allowed", "")
				} else {
					requireFault(t, a, 405, "method_not_allowed", "")
				}
				require.Equal(t, allow, a.Header.Get("Allow"), "%s %s", method, path)
			}
		}
		for _, path := range []string{"/delete", "/users", "/create/", "/creates", "/Read", "/read/" + missing, "/hc-delete", "/authenticate/x", "/openapi", "/"} { // row U30
			for _, method := range []string{"GET", "POST", "DELETE"} {
				requireFault(t, u.ask(t, ask{method: method, path: stage + path, as: alice.id}), 404, "not_found", "")
				requireFault(t, u.ask(t, ask{method: method, path: stage + path}), 401, "unauthorized", "")
			}
		}
	}
}
