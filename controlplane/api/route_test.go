package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

func TestMethodsAndPaths(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		method, path string
		status       int
		allow        string
	}{
		"DELETE of all campaigns":       {"DELETE", "/campaigns", 405, "GET, HEAD, POST"},
		"POST of a campaign":            {"POST", "/campaigns/a", 405, "DELETE, GET, HEAD, PATCH, PUT"},
		"PUT of the pin":                {"PUT", "/pin", 405, "DELETE, GET, HEAD"},
		"GET of a command":              {"GET", "/revisions/1/revert", 405, "POST"},
		"HEAD of events, without end":   {"HEAD", "/events", 405, "GET"},
		"a slash too many at the end":   {"GET", "/campaigns/", 404, ""},
		"a slash too many":              {"GET", "//campaigns", 404, ""},
		"a path that is not clean":      {"GET", "/x/../campaigns", 404, ""},
		"another case":                  {"GET", "/Campaigns", 404, ""},
		"another package's":             {"GET", "/status", 404, ""},
		"a segment that is no escaping": {"GET", "/nothing", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.send(t, request{method: c.method, path: c.path})
			require.Equal(t, c.status, got.status)
			require.Equal(t, c.allow, got.header.Get("Allow"))
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			if c.method != "HEAD" {
				require.Contains(t, []string{"not_found", "method_not_allowed"}, codeOf(t, got))
			}
		})
	}
	got := h.must(t, 200, request{method: "GET", path: "/openapi.json"})
	require.Equal(t, openapi, got.body)
}

// A reader takes no parameter that it does not know: a misspelt filter must not look as if it were one.
func TestNoReaderTakesUnknownParameters(t *testing.T) {
	h := start(t, nil)
	for _, path := range []string{
		"/campaigns", "/campaigns/s1", "/document", "/revisions", "/revisions/1", "/revisions/1/diff/2", "/versions", "/versions/x", "/versions/x/diff/y", "/pin", "/held", "/source",
		"/explain", "/coverage", "/fleet", "/summary", "/events",
	} {
		got := h.send(t, request{method: "GET", path: path + "?unknown=1"})
		require.Equal(t, 400, got.status, path)
		require.Equal(t, "unknown_parameter", codeOf(t, got), path)
	}
}

func TestHandlerNeedsAGuard(t *testing.T) {
	h := start(t, nil)
	handler, err := Handler(Config{History: h.history, Publisher: h.publisher, Fleet: h.fleet})
	require.NoError(t, err)
	for _, method := range []string{"GET", "POST"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/campaigns", http.NoBody))
		require.Equal(t, http.StatusUnauthorized, w.Code)
	}
	_, err = Handler(Config{})
	require.EqualError(t, err, "history, publisher and fleet: all are needed")
}

// failing is a history whose writes fail.
type failing struct {
	History

	err    error
	panics bool
	loaded bool
}

func (f *failing) State() revision.State {
	s := f.History.State()
	s.Loaded = f.loaded
	return s
}

func (f *failing) Apply(context.Context, revision.ChangeSet) (revision.Revision, error) {
	if f.panics {
		panic("write")
	}
	return revision.Revision{}, f.err
}

func TestFailures(t *testing.T) {
	f := &failing{loaded: true}
	h := start(t, func(c *Config) {
		f.History = c.History
		c.History = f
	})
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"a store that is away":           {fmt.Errorf("put: %w", revision.ErrUnavailable), 503, "store_unavailable"},
		"others that keep writing":       {revision.ErrContended, 503, "contended"},
		"conflicts without end":          {&revision.ConflictError{All: 1, Conflicts: []revision.Conflict{{ID: "a"}}}, 503, "contended"},
		"too much":                       {&revision.InvalidError{Field: "edits", Message: "edits would make too many"}, 422, "invalid_change"},
		"time that has passed":           {context.DeadlineExceeded, 503, "timeout"},
		"a key that would be too large":  {&compile.KeyTooLargeError{Key: "us/eng", Bytes: 1 << 30, Ads: 9}, 422, "key_too_large"},
		"what nobody knows, with secret": {errors.New("secret of the store"), 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			f.err = c.err
			got := h.must(t, c.status, request{method: "POST", path: "/campaigns", body: plain("a", "")})
			require.Equal(t, c.code, codeOf(t, got))
			require.NotContains(t, string(got.body), "secret")
			if c.status == 503 {
				require.NotEmpty(t, got.header.Get("Retry-After"))
			}
		})
	}
	require.Equal(t, 1, h.logs.FilterMessage("request failed").Len())
	f.loaded = false
	for _, path := range []string{"/campaigns", "/campaigns/s1", "/document", "/revisions", "/explain?country=us&lang=eng"} {
		require.Equal(t, "history_not_loaded", codeOf(t, h.must(t, 503, request{method: "GET", path: path})))
	}
}

func TestDocumentIsValid(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	require.Equal(t, "3.0.3", doc.OpenAPI)
	s := &server{}
	documented := map[string][]string{}
	for path, item := range doc.Paths.Map() {
		path = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "*")
		for method, operation := range item.Operations() {
			documented[path] = append(documented[path], method)
			require.NotNil(t, operation.Responses.Value("421"), "%s %s: the guard looks at the host of every request", method, path)
		}
		slices.Sort(documented[path])
	}
	answered := map[string][]string{"/session": {"DELETE", "GET", "POST"}, "/status": {"GET"}} // by access and admin
	for _, p := range s.routes() {
		path := "/" + strings.Join(p.segments, "/")
		for method := range p.methods {
			if method != http.MethodHead {
				answered[path] = append(answered[path], method)
			}
		}
		slices.Sort(answered[path])
	}
	require.Equal(t, answered, documented)
}

// Each code that the package answers with is in the document.
func TestDocumentHasAllCodes(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	var documented []string
	for _, c := range doc.Components.Schemas["ErrorCode"].Value.Enum {
		documented = append(documented, fmt.Sprint(c))
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	files = append(files, "../access/problem.go")
	call := regexp.MustCompile(`(?:newProblem\([A-Za-z.]+, |unavailable\(|Code: +)"([a-z_]+)"`)
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			found++
			if slices.Contains([]string{"invalid_campaign", "invalid_document", "revision_conflict"}, m[1]) {
				continue // of shapes of their own
			}
			require.Contains(t, documented, m[1], name)
		}
	}
	require.Greater(t, found, 50)
}

func TestTypesHaveTheDocumentsMembers(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	for schema, v := range map[string]any{
		"Campaign": apiv1.Campaign{Campaign: json.RawMessage(plain("a", "")), Source: json.RawMessage(plain("a", "")), Overrides: true, PausedByOperator: true, State: "paused", Origin: "source", Revision: 1, NextEligible: monday},
		"Pin":      apiv1.Pin{At: monday, Comment: "c", Waiting: "w", Error: "e"},
		"Envoy":    apiv1.Envoy{Since: monday, Types: []apiv1.OfType{}, Rates: &apiv1.Rates{}},
		"Version": apiv1.Version{
			PublishedAt: monday, SourceTime: monday, RejectedByReason: map[string]int{"out_of_range": 2}, CutCycles: 1, TimeZones: "2026a",
			Cuts: []apiv1.Cut{{Key: "us/eng", Ads: 656, Turns: 64881, Uncut: 65537}},
		},
	} {
		body, err := json.Marshal(v)
		require.NoError(t, err)
		var decoded any
		require.NoError(t, json.Unmarshal(body, &decoded))
		require.NoError(t, doc.Components.Schemas[schema].Value.VisitJSON(decoded), schema)
	}
}
