package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
	"adsidecar/users/record"
)

// serve hands a request to the handler without a connection: a panic or a hang shows at once.
func (h *harness) serve(method, target string, body []byte, header http.Header) *httptest.ResponseRecorder {
	u := &url.URL{Path: target}
	if path, query, ok := strings.Cut(target, "?"); ok {
		u = &url.URL{Path: path, RawQuery: query}
	}
	req := httptest.NewRequest(method, "/", bytes.NewReader(body))
	req.URL, req.Header = u, header.Clone()
	req.Header.Set("Authorization", "Bearer alice")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, req)
	return w
}

// requireMistake checks that the answer blames the client, in the product's shape.
func requireMistake(t *testing.T, w *httptest.ResponseRecorder, statuses ...int) {
	t.Helper()
	require.Contains(t, statuses, w.Code, "%s", w.Body)
	visit(t, "Error", w.Body.Bytes())
}

var bodies = []string{
	john, `{}`, `null`, `[]`, `"`, `{"title":1}`, `{"address":{"postcode":null}}`, `{"title":"\ud800"}`, `{"a":1,"a":2}`,
	`{"userId":"00010001","title":"Ms","address":{"state":"","fullAddress":"ü😀"}}`, `{"userId":"00010001"}`, "{\"title\":\"\xff\"}",
	`{"address":[[[[{}]]]]}`, john + john, `{"userId":"00010001","address":{}}`, `{"userId":"99999999"}`, `{"userId":"00010001","title":""}`,
}

// FuzzCreate: what is accepted is valid JSON with the members of a record alone, and what is stored is what an independent decoder makes
// of it; everything else is the client's mistake.
func FuzzCreate(f *testing.F) {
	for _, b := range bodies {
		f.Add([]byte(b), "")
	}
	f.Add([]byte(john), "key-1")
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		h := prepare(t, nil)
		header := http.Header{}
		if key != "" {
			header["Idempotency-Key"] = []string{key}
		}
		w := h.serve("POST", "/create", body, header)
		if w.Code != http.StatusCreated {
			requireMistake(t, w, 400, 413)
			require.Empty(t, h.store.all())
			return
		}
		require.True(t, utf8.Valid(body))
		var want record.Attributes
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&want))
		all := h.store.all()
		require.Len(t, all, 1)
		require.Equal(t, want, all[0].Attributes)

		read := h.serve("GET", "/read?userId="+all[0].UserID, nil, http.Header{})
		var got record.Attributes
		require.NoError(t, json.Unmarshal(read.Body.Bytes(), &got))
		require.Equal(t, want, got, "what is read is what was sent")
	})
}

// FuzzUpdate: what is accepted changes the members that are there, to what they are, and no other; what is refused changes nothing.
func FuzzUpdate(f *testing.F) {
	for _, b := range bodies {
		f.Add([]byte(b), "*")
	}
	f.Add([]byte(`{"userId":"00010001"}`), `"1", W/"2"`)
	f.Add([]byte(`{"userId":"00010001"}`), `"1`)
	f.Fuzz(func(t *testing.T, body []byte, match string) {
		h := prepare(t, nil)
		require.Equal(t, http.StatusCreated, h.serve("POST", "/create", []byte(john), http.Header{}).Code)
		before := h.store.all()[0]
		w := h.serve("PUT", "/update", body, http.Header{"If-Match": {match}})
		after := h.store.all()[0]
		if w.Code != http.StatusOK {
			requireMistake(t, w, 400, 404, 412, 413)
			require.Equal(t, before, after)
			return
		}
		want := before
		want.Version++
		require.NoError(t, json.Unmarshal(body, &want.Attributes)) // into what was there: what is left out stays
		require.Equal(t, want, after)
	})
}

// FuzzRead: any query is answered, and a record only for its own ID.
func FuzzRead(f *testing.F) {
	for _, q := range []string{"userId=00010001", "userId=%30", "userId=1;2", "a=b&userId=1", "userId=1&userId=2", "%", "=", "&&", "\x00"} {
		f.Add(q)
	}
	h := prepare(f, nil)
	require.Equal(f, http.StatusCreated, h.serve("POST", "/create", []byte(john), http.Header{}).Code)
	f.Fuzz(func(t *testing.T, query string) {
		w := h.serve("GET", "/read?"+query, nil, http.Header{})
		if w.Code != http.StatusOK {
			requireMistake(t, w, 400, 404)
			return
		}
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		require.Equal(t, url.Values{"userId": {"00010001"}}, values)
	})
}

// FuzzSignIn: any body is answered, and what reaches the user pool is what was sent.
func FuzzSignIn(f *testing.F) {
	for _, b := range append(bodies, `{"username":"u","password":"p"}`, `{"username":"","password":"\u0000"}`) {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := prepare(t, nil)
		var username, password string
		h.accounts.hook = func(_ context.Context, u, p string) (account.Session, error) {
			username, password = u, p
			return account.Session{IDToken: idToken, UserID: "sub"}, nil
		}
		w := h.serve("POST", "/authenticate", body, http.Header{})
		if w.Code != http.StatusOK {
			require.Contains(t, []int{400, 413}, w.Code)
			visit(t, "SignInError", w.Body.Bytes())
			return
		}
		visit(t, "SignedIn", w.Body.Bytes())
		var want map[string]string
		require.NoError(t, json.Unmarshal(body, &want))
		require.Equal(t, want, map[string]string{"username": username, "password": password})
	})
}

// FuzzIfMatch: a header is refused, or what is read of it is what a tag has.
func FuzzIfMatch(f *testing.F) {
	for _, h := range []string{"*", `"1"`, `W/"1", "2"`, ",", `"`, `"1""2"`, `"01"`, "\x00"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		m, err := ifMatch([]string{header})
		if err != nil {
			require.Nil(t, m)
			return
		}
		require.Equal(t, m.Any, strings.Trim(header, " \t") == "*")
		for _, v := range m.Versions {
			require.Contains(t, header, etag(v))
		}
	})
}
