package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/xds"
)

func TestExplain(t *testing.T) {
	h := start(t, nil)
	h.must(t, 200, request{method: "PUT", path: "/campaigns/s2", body: plain("s2", `,"priority":3`)})
	e := get[explained](t, h, "/explain?country=US&lang=en&at=2027-03-01T10:00:00Z")
	require.Equal(t, "us/eng", e.Key)
	require.Len(t, e.Eligible, 1)
	require.Equal(t, "s2", e.Eligible[0].ID)
	reasons := map[string][]string{}
	for _, w := range e.Waiting {
		reasons[w.ID] = append(reasons[w.ID], w.Reason)
	}
	require.Equal(t, map[string][]string{"s1": {"lower_priority"}, "s2": {"overridden"}, "s4": {"paused"}}, reasons)
	require.Len(t, e.Rejected, 1)
	for _, query := range []string{"", "country=us", "country=usa&lang=eng", "country=us&lang=e1", "country=us&lang=eng&at=today", "country=us&lang=eng&x=1"} {
		h.must(t, 400, request{method: "GET", path: "/explain?" + query, lax: true})
	}
	for _, at := range []string{"9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00%2B05:00"} {
		answer := h.must(t, 400, request{method: "GET", path: "/explain?country=us&lang=eng&at=" + at, lax: true})
		require.Contains(t, string(answer.body), "at must be in the years 0000 to 9999 of UTC.")
	}
	require.Contains(t, string(h.must(t, 400, request{method: "GET", path: "/explain?country=usa&lang=eng"}).body), "country must be two letters, such as us.")
	require.Contains(t, string(h.must(t, 400, request{method: "GET", path: "/explain?country=us&lang=e1"}).body), "lang must be two or three letters, such as en or eng.")
}

// TestTextIsAsItWasWritten: people read what is answered, and an address with & in it is to be copied.
func TestTextIsAsItWasWritten(t *testing.T) {
	h := start(t, nil)
	const url = "https://v.example/v?a=1&b=<2>"
	one := strings.Replace(plain("n", ""), "https://v.example/v", url, 1)
	require.Contains(t, string(h.must(t, 201, request{method: "POST", path: "/campaigns", body: one}).body), url)
	require.Contains(t, string(h.must(t, 200, request{method: "GET", path: "/campaigns/n"}).body), url)
	lines := request{
		method: "POST", path: "/document?dry_run=true", body: `{"ads":[` + strings.Replace(one, "a=1", "a=2", 1) + `]}`,
		header: map[string]string{"Accept": "application/x-ndjson"},
	}
	require.Contains(t, string(h.send(t, lines).body), "v?a=2&b=<2>")
}

// Explanations are of what is in force, coverage is of what was compiled of it last: both say where that is not what is published.
func TestWhatIsShownMayBeAhead(t *testing.T) {
	h := start(t, nil)
	basis := func(version string, explains, covers bool) {
		t.Helper()
		require.Equal(t, apiv1.Basis{Version: version, Ahead: explains}, get[explained](t, h, "/explain?country=us&lang=eng").Basis)
		require.Equal(t, apiv1.Basis{Version: version, Ahead: covers}, get[apiv1.CoveragePage](t, h, "/coverage").Basis)
	}
	first := h.publisher.Status().Index
	basis(first.Version, false, false)
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`})
	basis(first.Version, true, false) // the compiler has not heard of it yet
	h.publisher.follow(t, h.history.State().Rows)
	basis(first.Version, true, true) // it has, but a guard holds that
	second := *first
	second.Version = h.publisher.View().Index.Version
	h.publisher.locked(func() { h.publisher.status.Index = &second })
	basis(second.Version, false, false)
	h.publisher.locked(func() { h.publisher.status.Index = first })
	basis(first.Version, true, true) // a pin brings the first one back
	h.publisher.locked(func() { h.publisher.status.Index = nil })
	basis("", true, true)
	require.NotEmpty(t, get[apiv1.CoveragePage](t, h, "/coverage").Items)
}

func TestFleet(t *testing.T) {
	h := start(t, nil)
	of := func(name string, inSync bool) xds.EnvoyOfType {
		return xds.EnvoyOfType{Type: name, Acknowledged: "v1", InSync: inSync, Since: monday}
	}
	behind := of("ecds", false)
	behind.LastAck, behind.LastNack = &xds.Ack{Age: 3}, &xds.Nack{At: monday, Text: "no <b>room</b>", Current: true}
	h.fleet.status = xds.Status{
		Types: []xds.TypeStatus{{Type: "ecds", Offered: &xds.Offered{Version: "v2"}}},
		Envoys: []xds.EnvoyStatus{
			{Node: "e1", Address: "10.0.0.1:1", Connected: true, ConnectedSince: monday, Types: []xds.EnvoyOfType{of("lds", true), of("ecds", true)}},
			{Node: "e2", Address: "10.0.0.2:1", Connected: true, ConnectedSince: monday, Types: []xds.EnvoyOfType{of("cds", true), behind}},
			{Node: "e3", Address: "10.0.0.3:1", ConnectedSince: monday, Disconnected: monday.Add(time.Hour), Types: []xds.EnvoyOfType{of("ecds", false)}},
		},
	}
	f := get[apiv1.Fleet](t, h, "/fleet")
	require.Equal(t, []int{1, 1, 1}, []int{f.InSync, f.Behind, f.Gone})
	require.Equal(t, "v2", f.Version)
	require.Equal(t, []string{"listeners", "index"}, []string{f.Envoys[0].Types[0].Type, f.Envoys[0].Types[1].Type})
	age := 3.0
	require.Equal(t, apiv1.OfType{
		Type: "index", Version: "v1", Since: monday, LastAckAge: &age, LastNack: monday, NackText: "no <b>room</b>", Rejecting: true,
	}, f.Envoys[1].Types[1])
	require.Equal(t, monday.Add(time.Hour), f.Envoys[2].Since)
}

// event reads the next event of a stream.
func event(t *testing.T, r *bufio.Reader) apiv1.Summary {
	t.Helper()
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "event: status\n", line)
	line, err = r.ReadString('\n')
	require.NoError(t, err)
	data, ok := strings.CutPrefix(line, "data: ")
	require.True(t, ok, line)
	var s apiv1.Summary
	require.NoError(t, json.Unmarshal([]byte(data), &s))
	doc, err := description()
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal([]byte(data), &v))
	require.NoError(t, doc.Components.Schemas["Summary"].Value.VisitJSON(v))
	line, err = r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "\n", line)
	return s
}

// impatience is what an impatient server gives a request and its answer: less than a test waits for more, and enough for a busy machine.
const impatience = 500 * time.Millisecond

// impatient is a server, without credentials, whose own timeouts are short.
func impatient(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	guard, err := access.New(access.Config{Address: "127.0.0.1:1"})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(guard.Handler(http.NewServeMux(), handler))
	server.Config.ReadTimeout, server.Config.WriteTimeout = impatience, impatience
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// A stream outlives the server's timeouts, tells of changes, and ends when the program does.
func TestEvents(t *testing.T) {
	const atOnce = 10 * time.Second // less than quietTime, and enough for a busy machine
	done := make(chan struct{})
	var handler http.Handler
	h := start(t, func(c *Config) {
		c.Done, c.MaxStreams = done, 1
		var err error
		handler, err = Handler(*c)
		require.NoError(t, err)
	})
	server := impatient(t, handler)
	ask := func() *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", http.NoBody)
		require.NoError(t, err)
		res, err := server.Client().Do(req)
		require.NoError(t, err)
		return res
	}
	opened := time.Now()
	res := ask()
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	r := bufio.NewReader(res.Body)
	first := event(t, r)
	require.Equal(t, h.publisher.Status().Index.Version, first.Version)

	second := ask()
	require.Equal(t, http.StatusServiceUnavailable, second.StatusCode)
	require.NoError(t, second.Body.Close())

	began := time.Now()
	_, err := h.publisher.Rollback(t.Context(), first.Version, "bob", "")
	require.NoError(t, err)
	require.Equal(t, "bob", event(t, r).Pin.Who)
	require.Less(t, time.Since(began), atOnce, "a change is told at once")
	made := time.Now()
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("a", "")})
	require.Equal(t, uint64(1), event(t, r).Revision)
	require.Less(t, time.Since(made), atOnce)
	require.Greater(t, time.Since(opened), 2*impatience)
	close(done)
	_, err = r.ReadString('\n')
	require.EqualError(t, err, "EOF")
}

// A stream ends with the context of its request, which is over when the session is.
func TestAStreamEndsWithItsSession(t *testing.T) {
	h := start(t, nil)
	handler, err := Handler(Config{History: h.history, Publisher: h.publisher, Fleet: h.fleet, MaxStreams: 1})
	require.NoError(t, err)
	session, signOut := context.WithCancel(t.Context())
	server := impatient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer context.AfterFunc(session, cancel)()
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", http.NoBody)
	require.NoError(t, err)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	r := bufio.NewReader(res.Body)
	event(t, r)
	signOut()
	_, err = r.ReadString('\n')
	require.EqualError(t, err, "EOF")
}

// fakeCounters is what a test says.
type fakeCounters struct{ status counters.Status }

func (f *fakeCounters) Status() counters.Status { return f.status }

func TestSummaryAndRates(t *testing.T) {
	reported := &fakeCounters{status: counters.Status{
		PerSecond: &counters.Counts[float64]{Served: 7, NoAd: 1, Unauthorized: 2, Forbidden: 3},
		Envoys:    []counters.EnvoyStatus{{Node: "e1", PerSecond: &counters.Counts[float64]{Served: 4}}, {Node: "e2"}},
	}}
	h := start(t, func(c *Config) { c.Counters = reported })
	h.fleet.status.Envoys = []xds.EnvoyStatus{{Node: "e1", Connected: true, ConnectedSince: monday}, {Node: "e2", Connected: true, ConnectedSince: monday}}
	f := get[apiv1.Fleet](t, h, "/fleet")
	require.Equal(t, &apiv1.Rates{Served: 4}, f.Envoys[0].Rates)
	require.Nil(t, f.Envoys[1].Rates)
	require.Equal(t, &apiv1.Rates{Served: 7, NoAd: 1, Unauthorized: 2, Forbidden: 3}, f.Rates, "not what the connections have together")

	require.Equal(t, &apiv1.Rates{Served: 7, NoAd: 1, Unauthorized: 2, Forbidden: 3}, get[apiv1.Summary](t, h, "/summary").Rates)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("n", "")})
	h.publisher.locked(func() { h.publisher.status.Operators = &publish.OperatorsStatus{Revision: 1, Error: "index too large"} })
	got := get[apiv1.Summary](t, h, "/summary")
	require.Equal(t, []any{uint64(1), uint64(0), "index too large"}, []any{got.Revision, got.CompiledRevision, got.RevisionError})
	h.publisher.locked(func() { h.publisher.status.Operators = &publish.OperatorsStatus{Revision: 1, Compiled: 1} })
	got = get[apiv1.Summary](t, h, "/summary")
	require.Equal(t, []any{uint64(1), uint64(1), ""}, []any{got.Revision, got.CompiledRevision, got.RevisionError})

	age := 4.5
	for name, c := range map[string]struct {
		source publish.SourceStatus
		want   string
	}{
		"all is well":                    {publish.SourceStatus{LastSuccess: monday, LastResult: "not_modified", AgeSeconds: &age}, "ok"},
		"the source does not answer":     {publish.SourceStatus{LastSuccess: monday, LastResult: "error", Error: "refused"}, "failing"},
		"its document cannot be used":    {publish.SourceStatus{LastSuccess: monday, LastResult: "unusable", Error: "line 3"}, "unusable"},
		"its document is too large":      {publish.SourceStatus{LastSuccess: monday, LastResult: "too_large", Error: "size"}, "unusable"},
		"the document on disk is served": {publish.SourceStatus{LastSuccess: monday, ServedFromDisk: true}, "stale"},
		"there was never any word of it": {publish.SourceStatus{}, "stale"},
	} {
		t.Run(name, func(t *testing.T) {
			h.publisher.locked(func() { h.publisher.status.Source = c.source })
			got := get[apiv1.Summary](t, h, "/summary")
			require.Equal(t, c.want, got.Source)
			require.Equal(t, c.source.Error, got.SourceError)
		})
	}
}
