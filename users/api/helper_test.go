package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/users/record"
)

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// harness is the API on a listener, with a real record.Service over a store in memory.
type harness struct {
	handler  http.Handler
	url      string
	client   *http.Client
	accounts *fakeAccounts
	store    *fakeStore
	logs     *observer.ObservedLogs
	registry *prometheus.Registry
	router   routers.Router
}

// start starts the API; change, if not nil, is made to its configuration before.
func start(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	h := prepare(t, change)
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)
	h.url, h.client, h.router = server.URL, server.Client(), router(t)
	return h
}

// prepare is start without the listener.
func prepare(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	h := &harness{accounts: &fakeAccounts{}, store: newFakeStore(), logs: logs, registry: prometheus.NewRegistry()}
	records := newRecords(t, h.store)
	ready := func(context.Context) error { return nil }
	c := Config{
		Accounts: h.accounts, Records: records, Tokens: fakeTokens{}, OperatorsGroup: "operators",
		Pool: ready, Store: records.Ready, Keys: ready,
		Registerer: h.registry, Gatherer: h.registry, Logger: zap.New(core),
	}
	if change != nil {
		change(&c)
	}
	handler, err := New(c)
	require.NoError(t, err)
	h.handler = handler
	return h
}

// newRecords is the real service over a store. Its user IDs count up from 00010001.
func newRecords(t testing.TB, store record.Store) *record.Service {
	t.Helper()
	var last atomic.Int64
	last.Store(10_000)
	s, err := record.New(record.Config{Store: store, NewID: func() string { return fmt.Sprintf("%08d", last.Add(1)) }})
	require.NoError(t, err)
	return s
}

var description = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(openapi) })

var routes = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // the tests' is none of them
	return legacy.NewRouter(doc)
})

func router(t testing.TB) routers.Router {
	t.Helper()
	r, err := routes()
	require.NoError(t, err)
	return r
}

// request is a request to the API. Its zero parts are left out.
type request struct {
	method, path, body string
	token              string // the value of Authorization is "Bearer " and this
	header             http.Header
	// lax is a fault that the document has no words for, such as a member that is there twice.
	lax bool
}

// reply is an answer, as a whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// json are the members of the answer's body.
func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(r.body, &m), "%s", r.body)
	return m
}

// do sends the request and holds it and its answer against the document: what succeeds must be valid by it, what is 400 must not be, and
// the answer must be one of those that it has.
func (h *harness) do(t testing.TB, q request) reply {
	t.Helper()
	got := h.send(t, q)
	req := h.newRequest(t, q)
	route, params, err := h.router.FindRoute(req)
	if err != nil {
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, got.status, "the document has no %s %s", q.method, q.path)
		if q.method != http.MethodHead {
			visit(t, "Error", got.body)
		}
		return got
	}
	req.Header.Set("Content-Type", "application/json") // whatever it is, the body is JSON
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, ExcludeResponseBody: q.method == http.MethodHead, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	err = openapi3filter.ValidateRequest(t.Context(), in)
	switch {
	case got.status < 400:
		require.NoError(t, err, "the document refuses what the service does")
	case got.status == http.StatusBadRequest && !q.lax:
		require.Error(t, err, "the document allows what the service refuses with %s", got.body)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: got.status, Header: got.header, Options: options}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), out.SetBodyBytes(got.body)), "%d %s", got.status, got.body)
	return got
}

// visit holds a body against a schema of the document.
func visit(t testing.TB, schema string, body []byte) {
	t.Helper()
	doc, err := description()
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	require.NoError(t, doc.Components.Schemas[schema].Value.VisitJSON(v))
}

func (h *harness) newRequest(t testing.TB, q request) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), q.method, h.url+q.path, strings.NewReader(q.body))
	require.NoError(t, err)
	for name, values := range q.header {
		req.Header[name] = values
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	return req
}

func (h *harness) send(t testing.TB, q request) reply {
	t.Helper()
	res, err := h.client.Do(h.newRequest(t, q))
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{status: res.StatusCode, header: res.Header, body: body}
}

// with is a body made from another: what changes has is set, or removed where it is nil.
func with(t testing.TB, body string, changes map[string]any) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &m))
	for path, v := range changes {
		in, last := m, path
		if parent, child, ok := strings.Cut(path, "."); ok {
			last = child
			inner, isObject := m[parent].(map[string]any)
			require.True(t, isObject, path)
			in = inner
		}
		if v == nil {
			delete(in, last)
		} else {
			in[last] = v
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	require.NoError(t, e.Encode(m))
	return b.String()
}

// john is a valid body of /create.
const john = `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
	`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Norton Street"}}`

// create creates john for alice and returns the record's userId.
func (h *harness) create(t testing.TB) string {
	t.Helper()
	got := h.do(t, request{method: "POST", path: "/create", body: john, token: "alice"})
	require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
	id, ok := got.json(t)["userId"].(string)
	require.True(t, ok)
	return id
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
