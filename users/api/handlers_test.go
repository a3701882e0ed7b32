package api

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/users/boltstore"
	"adsidecar/users/record"
)

func TestAuthenticate(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		header http.Header
		user   string
		isNew  string
	}{
		"a known user":                   {user: knownUser, isNew: "false"},
		"a new user":                     {user: "mary", isNew: "true"},
		"a form's Content-Type (row U9)": {user: knownUser, isNew: "false", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.do(t, request{
				method: "POST", path: "/authenticate", header: c.header, body: `{"username":"` + c.user + `","password":"` + knownPassword + `"}`,
			})
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, map[string]any{
				"status": "success", "id_token": idToken, "user_id": "sub-of-" + c.user, "is_new": c.isNew,
			}, got.json(t))
		})
	}
}

func TestCreateReadUpdate(t *testing.T) {
	t.Run("over a store in memory", func(t *testing.T) { createReadUpdate(t, start(t, nil)) })
	t.Run("over the embedded store", func(t *testing.T) {
		store, err := boltstore.Open(filepath.Join(t.TempDir(), "users.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		records := newRecords(t, store)
		createReadUpdate(t, start(t, func(c *Config) { c.Records, c.Store = records, records.Ready }))
	})
}

func createReadUpdate(t *testing.T, h *harness) {
	t.Helper()
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	created := h.do(t, request{method: "POST", path: "/create", body: john, token: "alice", header: form})
	require.Equal(t, http.StatusCreated, created.status)
	require.Equal(t, map[string]any{"userId": "00010001", "message": "Mr John has been added with userid: 00010001"}, created.json(t))
	require.Equal(t, "read?userId=00010001", created.header.Get("Location"))
	require.Equal(t, `"1"`, created.header.Get("ETag"))

	// A client resolves Location against the path that it called, below a stage prefix of the gateway too.
	base, err := url.Parse("https://gateway.example/prod/create")
	require.NoError(t, err)
	location, err := base.Parse(created.header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "https://gateway.example/prod/read?userId=00010001", location.String())

	read := h.do(t, request{method: "GET", path: "/read?userId=00010001", token: "alice"})
	require.Equal(t, http.StatusOK, read.status)
	require.JSONEq(t, with(t, john, map[string]any{"userId": "00010001"}), string(read.body))
	require.Equal(t, `"1"`, read.header.Get("ETag"))

	updated := h.do(t, request{
		method: "PUT", path: "/update", token: "alice", header: form,
		body: `{"userId":"00010001","lastName":"<&> ü 😀","mobileNumber":"","address":{"suburb":"Leichhardt"}}`,
	})
	require.Equal(t, http.StatusOK, updated.status)
	want := with(t, john, map[string]any{"lastName": "<&> ü 😀", "mobileNumber": "", "address.suburb": "Leichhardt"})
	require.JSONEq(t, want, string(updated.body))
	require.Equal(t, `"2"`, updated.header.Get("ETag"))

	read = h.do(t, request{method: "GET", path: "/read?userId=00010001", token: "alice"})
	require.JSONEq(t, with(t, want, map[string]any{"userId": "00010001"}), string(read.body))
	require.Equal(t, `"2"`, read.header.Get("ETag"))
}

func TestHeadIsReadWithoutTheBody(t *testing.T) {
	h := start(t, nil)
	id := h.create(t)
	get := h.do(t, request{method: "GET", path: "/read?userId=" + id, token: "alice"})
	head := h.do(t, request{method: "HEAD", path: "/read?userId=" + id, token: "alice"})
	require.Equal(t, http.StatusOK, head.status)
	require.Empty(t, head.body)
	for _, name := range []string{"Etag", "Content-Type", "Content-Length", "Cache-Control"} {
		require.Equal(t, get.header[name], head.header[name], name)
	}
	head = h.do(t, request{method: "HEAD", path: "/read?userId=99999999", token: "alice"})
	require.Equal(t, http.StatusNotFound, head.status)
	require.Empty(t, head.body)
}

func TestTheCallerIsTheTokens(t *testing.T) {
	h := start(t, nil)
	id := h.create(t)
	require.Equal(t, "alice", h.store.all()[0].Owner)
	spoofed := http.Header{"X-User": {"alice"}, "X-Jwt-Payload": {"eyJzdWIiOiJhbGljZSJ9"}}
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"its owner":                         {"alice", http.StatusOK},
		"an operator":                       {"operator", http.StatusOK},
		"somebody else, whatever they send": {"bob", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.do(t, request{method: "GET", path: "/read?userId=" + id, token: c.token, header: spoofed})
			require.Equal(t, c.status, got.status)
			got = h.do(t, request{method: "PUT", path: "/update", body: `{"userId":"` + id + `"}`, token: c.token, header: spoofed})
			require.Equal(t, c.status, got.status)
		})
	}
	t.Run("with a raw token", func(t *testing.T) {
		got := h.do(t, request{method: "GET", path: "/read?userId=" + id, header: http.Header{"Authorization": {"alice"}}})
		require.Equal(t, http.StatusOK, got.status)
	})
}

func TestWithoutAnOperatorsGroupNobodyIsOne(t *testing.T) {
	h := start(t, func(c *Config) { c.OperatorsGroup = "" })
	id := h.create(t)
	got := h.do(t, request{method: "GET", path: "/read?userId=" + id, token: "operator"})
	require.Equal(t, http.StatusNotFound, got.status)
}

func TestIdempotencyKey(t *testing.T) {
	h := start(t, nil)
	q := request{method: "POST", path: "/create", body: john, token: "alice", header: http.Header{"Idempotency-Key": {"a key of 1"}}}
	require.Equal(t, http.StatusBadRequest, h.do(t, q).status, "it has spaces")
	q.header = http.Header{"Idempotency-Key": {"key-1"}}
	first := h.do(t, q)
	require.Equal(t, http.StatusCreated, first.status)
	again := h.do(t, q)
	require.Equal(t, first.status, again.status)
	require.Equal(t, first.body, again.body)
	require.Equal(t, first.header.Get("Location"), again.header.Get("Location"))
	require.Equal(t, first.header.Get("ETag"), again.header.Get("ETag"))
	require.Len(t, h.store.all(), 1)

	q.token = "bob"
	require.Equal(t, http.StatusCreated, h.do(t, q).status, "another caller's key is another key")
	require.Len(t, h.store.all(), 2)
}

func TestIfMatch(t *testing.T) {
	h := start(t, nil)
	id := h.create(t)
	put := func(t *testing.T, lines ...string) reply {
		return h.do(t, request{method: "PUT", path: "/update", token: "alice", body: `{"userId":"` + id + `"}`, header: http.Header{"If-Match": lines}})
	}
	require.Equal(t, http.StatusOK, put(t, `"1"`).status)
	conflict := put(t, `"1"`)
	require.Equal(t, http.StatusPreconditionFailed, conflict.status)
	require.Equal(t, "revision_conflict", conflict.json(t)["code"])
	require.Equal(t, `"2"`, conflict.header.Get("ETag"))
	require.Equal(t, http.StatusPreconditionFailed, put(t, `W/"2"`).status)
	require.Equal(t, http.StatusOK, put(t, `"7", "2"`).status)
	require.Equal(t, http.StatusOK, put(t, `*`).status)
	require.Equal(t, `"5"`, put(t, `"4"`).header.Get("ETag"))
	require.Equal(t, int64(5), h.store.all()[0].Version)
}

func TestARecordOfTheOldTableIsVersionNought(t *testing.T) {
	h := start(t, nil)
	h.store.records["00000001"] = record.Record{UserID: "00000001", Attributes: record.Attributes{FirstName: "Old"}}
	got := h.do(t, request{method: "GET", path: "/read?userId=00000001", token: "operator"})
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, `"0"`, got.header.Get("ETag"))
	got = h.do(t, request{
		method: "PUT", path: "/update", token: "operator", body: `{"userId":"00000001"}`, header: http.Header{"If-Match": {`"0"`}},
	})
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, `"1"`, got.header.Get("ETag"))
}

func TestEveryAnswerHasTheHeadersOfTheProduct(t *testing.T) {
	h := start(t, nil)
	for _, path := range []string{"/read?userId=1", "/nothing", "/hc-read", "/healthz", "/readyz"} {
		got := h.send(t, request{method: "GET", path: path, token: "alice"}) // not all are the document's
		require.Equal(t, "no-store", got.header.Get("Cache-Control"), path)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), path)
	}
}

func TestDefaults(t *testing.T) {
	var c Config
	c.applyDefaults()
	require.Equal(t, Endpoints, c.Serve)
	require.Equal(t, 10*time.Second, c.Timeout)
}
