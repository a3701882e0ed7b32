package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/revision/boltstore"
	"adsidecar/controlplane/xds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Tokens of the two operators and of the viewer.
const (
	alice = "alice-0123456789abcdef0123456789abcdef"
	bob   = "bob-0123456789abcdef0123456789abcdef"
	vera  = "vera-0123456789abcdef0123456789abcdef"
)

// monday is the tests' present.
var monday = time.Date(2027, 3, 1, 12, 7, 0, 0, time.UTC)

// sourceDocument has a campaign of each kind.
const sourceDocument = `{"ads":[
 {"id":"s1","video_url":"https://v.example/s1","country":"us","lang":"eng","start_hour":0,"end_hour":24,"name":"Spring <script>alert(1)</script>"},
 {"id":"s2","video_url":"https://v.example/s2","country":"us","lang":"eng","start_hour":9,"end_hour":17,"labels":["Summer"]},
 {"id":"s3","video_url":"https://v.example/s3","country":"GB","lang":"fr","start_hour":0,"end_hour":12},
 {"id":"s4","video_url":"https://v.example/s4","country":"*","lang":"eng","start_hour":0,"end_hour":24,"enabled":false},
 {"id":"s5","video_url":"https://v.example/s5","country":"de","lang":"ger","start_hour":0,"end_hour":24,"start_at":"2027-04-01T00:00:00Z"},
 {"id":"s6","video_url":"https://v.example/s6","country":"de","lang":"ger","start_hour":0,"end_hour":24,"end_at":"2027-02-01T00:00:00Z"},
 {"id":"bad","video_url":"nonsense","country":"us","lang":"eng","start_hour":0,"end_hour":24}
]}`

// fakePublisher publishes nothing: it holds what a test gives it.
type fakePublisher struct {
	mu       sync.Mutex
	document *campaign.Document
	index    *compile.Result
	view     *publish.View
	rows     revision.Rows // that it has heard of
	status   publish.Status
	versions []apiv1.Version
	indexes  map[string][]byte
	pin      *apiv1.Pin
	held     *apiv1.Held
	polls    atomic.Int64
	calls    []string
}

func (p *fakePublisher) locked(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *fakePublisher) Status() (s publish.Status) { p.locked(func() { s = p.status }); return s }

// View is of the document alone, as that of a loop that has heard of no row but the first ones; it is another one for another document.
func (p *fakePublisher) View() (v *publish.View) {
	p.locked(func() {
		if p.document == nil {
			return
		}
		if p.view == nil || p.view.Source != p.document || p.view.Index != p.index {
			p.view = &publish.View{Effective: new(campaign.Overlay).Apply(p.document, p.rows.Campaigns()), Rows: p.rows, Index: p.index}
		}
		v = p.view
	})
	return v
}

func (p *fakePublisher) PollNow()              { p.polls.Add(1) }
func (p *fakePublisher) Pin() (pin *apiv1.Pin) { p.locked(func() { pin = p.pin }); return pin }
func (p *fakePublisher) Held() (h *apiv1.Held) { p.locked(func() { h = p.held }); return h }

func (p *fakePublisher) Versions(context.Context) (v []apiv1.Version, _ error) {
	p.locked(func() { v = p.versions })
	return v, nil
}

func (p *fakePublisher) ReadVersion(_ context.Context, version string, w io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.indexes[version]
	if !ok {
		return fmt.Errorf("read: %w", ErrNoVersion)
	}
	_, err := w.Write(b)
	return err
}

func (p *fakePublisher) Rollback(_ context.Context, version, who, comment string) (apiv1.Pin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.indexes[version]; !ok {
		return apiv1.Pin{}, ErrNoVersion
	}
	p.pin = &apiv1.Pin{Version: version, Who: who, At: monday, Comment: comment}
	return *p.pin, nil
}

func (p *fakePublisher) Resume(_ context.Context, who, comment string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pin == nil {
		return ErrNotPinned
	}
	p.pin = nil
	p.calls = append(p.calls, "resume "+who+" "+comment)
	return nil
}

func (p *fakePublisher) decide(what, version, who, comment string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil || p.held.Version != version {
		return ErrNotHeld
	}
	p.held = nil
	p.calls = append(p.calls, what+" "+version+" "+who+" "+comment)
	return nil
}

func (p *fakePublisher) Confirm(_ context.Context, version, who, comment string) error {
	return p.decide("confirm", version, who, comment)
}

func (p *fakePublisher) Refuse(_ context.Context, version, who, comment string) error {
	return p.decide("refuse", version, who, comment)
}

// overlaid is what is in force of the document under rows; the caller holds mu.
func (p *fakePublisher) overlaid(rows revision.Rows) *campaign.Effective {
	return new(campaign.Overlay).Apply(p.document, rows.Campaigns())
}

// follow makes the candidate that of the document under rows.
func (p *fakePublisher) follow(t testing.TB, rows revision.Rows) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.overlaid(rows)
	index, err := compile.Compile(e.Document, compile.Params{Now: monday})
	require.NoError(t, err)
	p.index, p.rows = index, rows
	p.view = &publish.View{Effective: e, Rows: rows, Index: index}
}

// setSource makes a document the source's.
func (p *fakePublisher) setSource(t testing.TB, document string) {
	t.Helper()
	doc, err := campaign.Decode([]byte(document))
	require.NoError(t, err)
	index := compiled(t, document)
	p.locked(func() {
		p.document, p.index = doc, index
		p.indexes[index.Version] = index.Bytes
		p.versions = append([]apiv1.Version{{
			Version: index.Version, PublishedAt: monday, Document: strings.Repeat("a", 64), Ads: index.Ads, Keys: index.Keys, Bytes: len(index.Bytes),
		}}, p.versions...)
		p.status.Index = &publish.IndexStatus{Version: index.Version, Bytes: len(index.Bytes), Ads: index.Ads, Keys: index.Keys, PublishedAt: monday}
	})
}

func compiled(t testing.TB, document string) *compile.Result {
	t.Helper()
	doc, err := campaign.Decode([]byte(document))
	require.NoError(t, err)
	index, err := compile.Compile(doc, compile.Params{Now: monday})
	require.NoError(t, err)
	return index
}

// fakeFleet is what a test says.
type fakeFleet struct {
	mu     sync.Mutex
	status xds.Status
}

func (f *fakeFleet) Status() xds.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// harness is the API behind the real access control, over a real history in a file.
type harness struct {
	url       string
	client    *http.Client
	store     revision.Store
	history   *revision.Service
	publisher *fakePublisher
	fleet     *fakeFleet
	logs      *observer.ObservedLogs
	now       atomic.Int64
}

func start(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	h := &harness{publisher: &fakePublisher{indexes: map[string][]byte{}}, fleet: &fakeFleet{}}
	h.now.Store(monday.UnixNano())
	now := func() time.Time { return time.Unix(0, h.now.Load()).UTC() }
	store, err := boltstore.Open(filepath.Join(t.TempDir(), "revisions.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h.store = store
	h.history, err = revision.New(revision.Config{Store: store, Now: now})
	require.NoError(t, err)
	require.NoError(t, h.history.Follow(t.Context()))
	h.publisher.rows = h.history.State().Rows
	h.publisher.setSource(t, sourceDocument)
	core, logs := observer.New(zap.DebugLevel)
	h.logs = logs
	c := Config{History: h.history, Publisher: h.publisher, Fleet: h.fleet, Now: now, Logger: zap.New(core)}
	if change != nil {
		change(&c)
	}
	handler, err := Handler(c)
	require.NoError(t, err)
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("alice operator "+alice+"\nbob operator "+bob+"\nvera viewer "+vera+"\n"), 0o600))
	guard, err := access.New(access.Config{
		Address: "127.0.0.1:1", TokensFile: tokens, LocalUser: func(netip.AddrPort, netip.AddrPort) string { return "" },
	})
	require.NoError(t, err)
	server := httptest.NewServer(guard.Handler(http.NewServeMux(), handler))
	t.Cleanup(server.Close)
	h.url, h.client = server.URL, server.Client()
	return h
}

// request is a request to the API. Its zero parts are left out; who defaults to alice.
type request struct {
	method, path, body, who string
	header                  map[string]string
	// lax is a fault that the document has no words for, such as a member that is there twice.
	lax bool
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (h *harness) newRequest(t testing.TB, q request) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), q.method, h.url+"/api/v1"+q.path, strings.NewReader(q.body))
	require.NoError(t, err)
	if q.who == "" {
		q.who = alice
	}
	req.Header.Set("Authorization", "Bearer "+q.who)
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	return req
}

// send sends the request as it is.
func (h *harness) send(t testing.TB, q request) reply {
	t.Helper()
	res, err := h.client.Do(h.newRequest(t, q))
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{status: res.StatusCode, header: res.Header, body: body}
}

// do sends the request and holds it and its answer against the document: what succeeds must be valid by it, what is 400 must not be, and
// the answer must be one of those that it has.
func (h *harness) do(t testing.TB, q request) reply {
	t.Helper()
	got := h.send(t, q)
	router, err := routes()
	require.NoError(t, err)
	req := h.newRequest(t, q)
	req.URL.Path, req.URL.RawPath = strings.TrimPrefix(req.URL.Path, "/api/v1"), ""
	route, args, err := router.FindRoute(req)
	if err != nil {
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, got.status, "the document has no %s %s", q.method, q.path)
		return got
	}
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json") // whatever it is, the body is JSON
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, ExcludeResponseBody: q.method == http.MethodHead, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: args, Route: route, Options: options}
	err = openapi3filter.ValidateRequest(t.Context(), in)
	switch {
	case got.status < 400:
		require.NoError(t, err, "the document refuses what the API does")
	case got.status == http.StatusBadRequest && !q.lax:
		require.Error(t, err, "the document allows what the API refuses with %s", got.body)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: got.status, Header: got.header, Options: options}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), out.SetBodyBytes(got.body)), "%s %s: %d %s", q.method, q.path, got.status, got.body)
	return got
}

// get asks and decodes the answer, which must be a 200.
func get[T any](t testing.TB, h *harness, path string) T {
	t.Helper()
	got := h.do(t, request{method: "GET", path: path})
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	return decoded[T](t, got)
}

// decoded is the body of an answer; a member that the type does not have fails.
func decoded[T any](t testing.TB, got reply) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(got.body))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&v), "%s", got.body)
	return v
}

// must sends a request whose answer has this status.
func (h *harness) must(t testing.TB, status int, q request) reply {
	t.Helper()
	got := h.do(t, q)
	require.Equal(t, status, got.status, "%s", got.body)
	return got
}

func codeOf(t testing.TB, got reply) string {
	t.Helper()
	var e struct{ Code string }
	require.NoError(t, json.Unmarshal(got.body, &e), "%s", got.body)
	return e.Code
}

// plain is a campaign of the six fields, and more.
func plain(id, more string) string {
	return fmt.Sprintf(`{"id":%q,"video_url":"https://v.example/v","country":"us","lang":"eng","start_hour":0,"end_hour":24%s}`, id, more)
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
