package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
	"adsidecar/envoy/gateway"
)

// TestAnySignedIn: with users.access any_signed_in, as in the original, whoever is signed in reads and updates every record.
func TestAnySignedIn(t *testing.T) {
	u := startUserService(t, gateway.AccessAnySignedIn)
	alice, bob := u.player(t, "alice"), u.player(t, "bob")
	require.NotEqual(t, alice.sub, bob.sub)
	for _, stage := range stages {
		id := u.create(t, alice.id, johnBody)
		for _, as := range []string{bob.id, "Bearer " + bob.access, "bearer " + bob.id} {
			u.requireUntouched(t, as, id, johnBody)
		}
		a := u.ask(t, ask{method: "PUT", path: stage + "/update", as: bob.id, body: `{"userId":"` + id + `","title":"Dr"}`})
		require.Equal(t, 200, a.Status, a)
		want := strings.Replace(johnBody, `"Mr"`, `"Dr"`, 1)
		for _, as := range []string{alice.id, bob.access} {
			a = u.ask(t, ask{method: "GET", path: stage + "/read?userId=" + id, as: as})
			require.Equal(t, 200, a.Status, a)
			require.Equal(t, `"2"`, a.Header.Get("ETag"))
			require.JSONEq(t, recordOf(id, want), string(a.Body))
		}
		for _, q := range u.aboutRecord(id) { // which still asks for a token
			q.path = stage + q.path
			requireFault(t, u.ask(t, q), 401, "unauthorized", "")
			q.as = u.tampered(t, bob.id)
			requireFault(t, u.ask(t, q), 401, "unauthorized", "")
		}
		missing := u.missing(t, bob)
		requireFault(t, u.ask(t, ask{method: "GET", path: stage + "/read?userId=" + missing, as: bob.id}), 404, "user_not_found", "")
	}
	u.well(t)
}

// strangers: a record of somebody else is answered as one that there is not, in all that a client can see.
func (u *userService) strangers(t *testing.T) {
	alice, bob := u.player(t, "alice"), u.player(t, "bob")
	id, missing := u.create(t, alice.id, johnBody), u.missing(t, bob)
	update := func(id, match string) ask {
		q := ask{method: "PUT", path: "/update", body: `{"userId":"` + id + `","title":"Dr","address":{"state":"` + marked + `"}}`}
		if match != "" {
			q.header = http.Header{"If-Match": {match}}
		}
		return q
	}
	for name, q := range map[string]func(id string) ask{
		"read":                      func(id string) ask { return ask{method: "GET", path: "/read?userId=" + id} },
		"head":                      func(id string) ask { return ask{method: "HEAD", path: "/read?userId=" + id} },
		"update":                    func(id string) ask { return update(id, "") },
		"update of its version":     func(id string) ask { return update(id, `"1"`) },
		"update of another version": func(id string) ask { return update(id, `"7"`) },
		"update of any version":     func(id string) ask { return update(id, "*") },
		"update of nothing":         func(id string) ask { return ask{method: "PUT", path: "/update", body: `{"userId":"` + id + `"}`} },
		"read with a matching cache": func(id string) ask {
			return ask{method: "GET", path: "/read?userId=" + id, header: http.Header{"If-None-Match": {`"1"`}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, as := range []string{bob.id, "Bearer " + bob.access} {
				for _, stage := range stages {
					theirs, none := q(id), q(missing)
					theirs.as, none.as, theirs.path, none.path = as, as, stage+theirs.path, stage+none.path
					a, b := u.ask(t, theirs), u.ask(t, none)
					require.Equal(t, 404, a.Status, a)
					requireSame(t, b, a, missing, id)
					c, d := u.direct(t, unstaged(theirs, stage)), u.direct(t, unstaged(none, stage))
					require.Equal(t, 404, c.Status, c)
					requireSame(t, d, c, missing, id)
				}
			}
		})
	}
	u.requireUntouched(t, alice.id, id, johnBody)
}

func unstaged(q ask, stage string) ask {
	q.path = strings.TrimPrefix(q.path, stage)
	return q
}

// requireSame: two answers differ in their ids alone.
func requireSame(t *testing.T, want, got *stack.Answer, wantID, gotID string) {
	t.Helper()
	require.Equal(t, want.Status, got.Status)
	require.Equal(t, strings.ReplaceAll(string(want.Body), wantID, gotID), string(got.Body))
	headers := func(a *stack.Answer) http.Header {
		h := a.Header.Clone()
		h.Del("Date")
		h.Del("X-Request-Id")
		return h
	}
	require.Equal(t, headers(want), headers(got))
}

// operators: members of the pool's group read and update all records, from their next token on; other groups mean nothing.
func (u *userService) operators(t *testing.T) {
	alice, olga := u.player(t, "alice"), u.player(t, "olga")
	id := u.create(t, alice.id, johnBody)
	refused := func(as string) {
		t.Helper()
		for _, q := range u.aboutRecord(id) {
			q.as = as
			if q.method != http.MethodPost {
				require.Equal(t, 404, u.ask(t, q).Status)
			}
		}
	}
	refused(olga.id)
	for _, group := range []string{"players", "operators"} {
		u.cognito(t, "CreateGroup", map[string]any{"GroupName": group})
		u.cognito(t, "AdminAddUserToGroup", map[string]any{"GroupName": group, "Username": olga.name})
		if group == "players" {
			again := u.signIn(t, olga.name, olga.password)
			require.Equal(t, []any{"players"}, claims(t, again.id)["cognito:groups"])
			refused(again.id)
			refused("Bearer " + again.access)
		}
	}
	refused(olga.id) // the token is as old as it is
	operator := u.signIn(t, olga.name, olga.password)
	require.Contains(t, claims(t, operator.id)["cognito:groups"], "operators")

	version := 1
	for _, as := range []string{operator.id, "Bearer " + operator.access} {
		for _, stage := range stages {
			title := fmt.Sprintf("Dr %d", version)
			a := u.ask(t, ask{
				method: "PUT", path: stage + "/update", as: as, body: fmt.Sprintf(`{"userId":%q,"title":%q}`, id, title),
				header: http.Header{"If-Match": {fmt.Sprintf(`"%d"`, version)}},
			})
			require.Equal(t, 200, a.Status, a)
			version++
			want := recordOf(id, strings.Replace(johnBody, `"Mr"`, `"`+title+`"`, 1))
			for _, reader := range []string{as, alice.id} { // whose it still is
				a = u.ask(t, ask{method: "GET", path: stage + "/read?userId=" + id, as: reader})
				require.Equal(t, 200, a.Status, a)
				require.JSONEq(t, want, string(a.Body))
				require.Equal(t, fmt.Sprintf(`"%d"`, version), a.Header.Get("ETag"))
			}
		}
	}
	missing := u.missing(t, olga)
	requireFault(t, u.ask(t, ask{method: "GET", path: "/read?userId=" + missing, as: operator.id}), 404, "user_not_found", "")

	for name, groups := range map[string]any{
		"another case": []string{"Operators"}, "a part": []string{"operator"}, "more": []string{"operators2"}, "a list in a text": []string{"x,operators"},
		"spaces": []string{" operators "}, "none": []string{}, "a group of another name": []string{"admin", "root", "*"},
	} {
		t.Run("no operator: "+name, func(t *testing.T) {
			refused(u.sign(t, stack.Access(u.ClientID).With(map[string]any{"cognito:groups": groups})))
			refused(u.sign(t, stack.ID(u.ClientID).With(map[string]any{"groups": []string{"operators"}, "cognito:roles": []string{"operators"}})))
		})
	}
	as := u.sign(t, stack.Access(u.ClientID).With(map[string]any{"cognito:groups": []string{"players", "operators"}}))
	require.Equal(t, 200, u.read(t, as, id).Status, "such a token is an operator's")
}

// aboutRecord are the requests that need a token, about this record; they have none.
func (u *userService) aboutRecord(id string) []ask {
	return []ask{
		{method: "POST", path: "/create", body: johnBody},
		{method: "GET", path: "/read?userId=" + id},
		{method: "PUT", path: "/update", body: `{"userId":"` + id + `","title":"Dr"}`},
	}
}

// missing is a userId that no record has: an operator does not find it.
func (u *userService) missing(t *testing.T, p player) string {
	t.Helper()
	operator := u.sign(t, stack.ID(u.ClientID).With(map[string]any{"sub": p.sub, "cognito:groups": []string{"operators"}}))
	for n := range 100 {
		id := fmt.Sprintf("%08d", n)
		if u.ask(t, ask{method: "GET", path: "/read?userId=" + id, as: operator}).Status == 404 {
			return id
		}
	}
	require.Fail(t, "each of 100 ids is taken")
	return ""
}

// cognito calls the user pool's API.
func (u *userService) cognito(t *testing.T, operation string, in map[string]any) {
	t.Helper()
	in["UserPoolId"] = u.Pool.ID
	body, err := json.Marshal(in)
	require.NoError(t, err)
	a, err := stack.Send(deadline(t, 20*time.Second), "POST", u.Moto.Endpoint, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AWSCognitoIdentityProviderService." + operation},
	}, body)
	require.NoError(t, err)
	if strings.Contains(string(a.Body), "GroupExistsException") { // the pool is shared by all stacks of a run
		return
	}
	require.Equal(t, 200, a.Status, a)
}
