package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"adsidecar/controlplane/admin"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/internal/program"
)

const (
	viewerToken   = "viewer-0123456789abcdef0123456789abcdef"
	operatorToken = "operator-0123456789abcdef0123456789abcdef"
)

// adminAddress is the whole admin address in front of parts that run: a guard with a viewer's and an operator's token, what it leaves public
// and what it protects. It returns when an index is published.
func adminAddress(t *testing.T) http.Handler {
	t.Helper()
	return adminAddressWith(t, program.Logs{Log: zap.NewNop(), Audit: zap.NewNop()})
}

func adminAddressWith(t *testing.T, logs program.Logs) http.Handler {
	t.Helper()
	c := offline(t)
	c.XDS.Address, c.Admin.Address = "127.0.0.1:0", "192.0.2.1:443"
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("olaf operator "+operatorToken+"\nvera viewer "+viewerToken+"\n"), 0o600))
	c.Admin.Insecure, c.Admin.TokensFile = true, tokens

	metrics, log := prometheus.NewRegistry(), logs.Log
	reported, err := counters.New(counters.Config{Logger: log, Registerer: metrics})
	require.NoError(t, err)
	fleet, err := newFleet(c, reported, metrics, log)
	require.NoError(t, err)
	src, _, err := openSource(&c.Campaigns, log)
	require.NoError(t, err)
	guard, _, err := newGuard(t.Context(), &c.Admin, metrics, logs)
	require.NoError(t, err)
	operators, end, err := openOperators(t.Context(), &c.Campaigns, metrics, log)
	require.NoError(t, err)
	loop, err := publish.New(publish.Config{
		Source: src, Sink: sink{gateway: c, fleet: fleet}, Operators: operators, StateDir: c.Campaigns.StateDir, Logger: log, Registerer: metrics,
	})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return operators.Run(ctx) })
	group.Go(func() error { return loop.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		require.NoError(t, group.Wait())
		require.NoError(t, end())
	})
	require.Eventually(t, loop.Ready, patience, 5*time.Millisecond)
	public, protected, err := answer(ctx, c, admin.Config{
		Status:   func() any { return newStatus(time.Now(), loop, fleet, reported) },
		Ready:    func() error { return ready(loop) },
		Gatherer: metrics, Logger: log,
	}, loop, operators, fleet, reported, logs)
	require.NoError(t, err)
	return guard.Handler(public, protected)
}

// askAdmin sends one request with this bearer token; "" is none.
func askAdmin(t *testing.T, h http.Handler, method, path, token string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.Host = "localhost"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// refusalCode is that of an error in JSON, "" for any other answer.
func refusalCode(w *httptest.ResponseRecorder) string {
	var body struct{ Code string }
	_ = json.Unmarshal(w.Body.Bytes(), &body) // a page is none
	return body.Code
}

const (
	jsonType = "application/json"
	pageType = "text/html; charset=utf-8"
)

// TestWhereEverythingBelongs: each path of the admin address is answered by the part that it belongs to.
func TestWhereEverythingBelongs(t *testing.T) {
	h := adminAddress(t)
	for name, tc := range map[string]struct {
		method, path, token string
		status              int
		media, body         string // what the answer has
	}{
		"health is everybody's":            {"GET", "/healthz", "", 200, jsonType, `"healthy"`},
		"readiness is everybody's":         {"GET", "/readyz", "", 200, jsonType, `"ready"`},
		"the page to sign in on":           {"GET", "/sign-in", "", 200, pageType, "<form"},
		"the style of that page":           {"GET", "/assets/console.css", "", 200, "text/css; charset=utf-8", "{"},
		"nothing else below the assets":    {"GET", "/assets/", "", 404, "", ""},
		"no way up from the assets":        {"GET", "/assets/%2e%2e/templates/layout.html", "", 404, "", ""},
		"the assets without their slash":   {"GET", "/assets", "", 307, "", ""},
		"a path that is not clean":         {"GET", "//healthz", "", 307, "", ""},
		"a write to health":                {"POST", "/healthz", "", 405, jsonType, "method_not_allowed"},
		"a path below health":              {"GET", "/healthz/x", "", 401, jsonType, "unauthorized"},
		"the status":                       {"GET", "/api/v1/status", viewerToken, 200, jsonType, `"index_format"`},
		"the metrics":                      {"GET", "/metrics", viewerToken, 200, "", "adsidecar_index_ads 2"},
		"the API":                          {"GET", "/api/v1/campaigns", viewerToken, 200, jsonType, `"items"`},
		"the API's description":            {"GET", "/api/v1/openapi.json", viewerToken, 200, jsonType, `"openapi"`},
		"nobody is signed in":              {"GET", "/api/v1/session", "", 401, jsonType, "unauthorized"},
		"signing in with nothing":          {"POST", "/api/v1/session", "", 415, jsonType, "unsupported_media_type"},
		"who is signed in":                 {"GET", "/api/v1/session", viewerToken, 200, jsonType, `"vera"`},
		"the console":                      {"GET", "/", viewerToken, 200, pageType, "<html"},
		"a page of the console":            {"GET", "/campaigns", viewerToken, 200, pageType, "<html"},
		"HEAD of the status":               {"HEAD", "/api/v1/status", viewerToken, 200, jsonType, ""},
		"HEAD of the API":                  {"HEAD", "/api/v1/campaigns", viewerToken, 200, jsonType, ""},
		"an unknown path of the API":       {"GET", "/api/v1/nothing", viewerToken, 404, jsonType, `"code"`},
		"the API's root":                   {"GET", "/api/v1/", viewerToken, 404, jsonType, `"code"`},
		"another version of the API":       {"GET", "/api/v2/campaigns", viewerToken, 404, pageType, "<html"},
		"an unknown page":                  {"GET", "/nothing", viewerToken, 404, pageType, "<html"},
		"below the status":                 {"GET", "/api/v1/status/x", viewerToken, 404, jsonType, `"code"`},
		"below the metrics":                {"GET", "/metrics/x", viewerToken, 404, pageType, "<html"},
		"a write to the status":            {"POST", "/api/v1/status", operatorToken, 405, jsonType, "method_not_allowed"},
		"a write to the metrics":           {"POST", "/metrics", operatorToken, 405, jsonType, "method_not_allowed"},
		"a write to a list":                {"PUT", "/api/v1/campaigns", operatorToken, 405, jsonType, "method_not_allowed"},
		"an ID that looks like a path up":  {"GET", "/api/v1/campaigns/%2e%2e", viewerToken, 404, jsonType, "campaign_not_found"},
		"an ID with a slash":               {"GET", "/api/v1/campaigns/%2Fstatus", viewerToken, 404, jsonType, "campaign_not_found"},
		"an ID that looks like the status": {"GET", "/api/v1/campaigns/..%2Fstatus", viewerToken, 404, jsonType, "campaign_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			w := askAdmin(t, h, tc.method, tc.path, tc.token)
			require.Equal(t, tc.status, w.Code, w.Body)
			if tc.media != "" {
				require.Equal(t, tc.media, w.Header().Get("Content-Type"))
			}
			require.Contains(t, w.Body.String(), tc.body)
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
}

// TestEachChangeIsAudited: a flood of changes has all of its lines, at a level that shows none of the log's.
func TestEachChangeIsAudited(t *testing.T) {
	lines := filepath.Join(t.TempDir(), "log")
	out, err := os.Create(lines)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.Close()) })
	logs, err := program.NewLogs("error", out)
	require.NoError(t, err)
	h := adminAddressWith(t, logs)
	const changes = 150 // more than the log has of one message in a second
	for i := range changes {
		id := "ad-" + strconv.Itoa(i)
		r := httptest.NewRequestWithContext(t.Context(), "PUT", "/api/v1/campaigns/"+id,
			strings.NewReader(`{"id":"`+id+`","video_url":"https://example.com/v","country":"us","lang":"eng","start_hour":0,"end_hour":24}`))
		r.Host = "localhost"
		r.Header.Set("Authorization", "Bearer "+operatorToken)
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set("If-None-Match", "*")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusCreated, w.Code, w.Body)
	}
	written, err := os.ReadFile(lines)
	require.NoError(t, err)
	for _, message := range []string{"change", "change made"} {
		require.Equal(t, changes, strings.Count(string(written), `"message":"`+message+`","who":"olaf"`), message)
	}
}

// apiPaths returns the methods of each path that the API's description has, with something in the place of arguments.
func apiPaths(t *testing.T, h http.Handler) map[string][]string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(askAdmin(t, h, "GET", "/api/v1/openapi.json", viewerToken).Body.Bytes(), &document))
	paths := map[string][]string{}
	for path, methods := range document.Paths {
		segments := strings.Split(path, "/")
		for i, s := range segments {
			if strings.HasPrefix(s, "{") {
				segments[i] = "1"
			}
		}
		path = "/api/v1" + strings.Join(segments, "/")
		for method := range methods {
			if method = strings.ToUpper(method); method == "GET" || method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE" {
				paths[path] = append(paths[path], method)
			}
		}
	}
	require.Greater(t, len(paths), 15)
	return paths
}

// TestNothingElseIsPublic: what does not have to be answered without credentials is not, whatever the path and the method, and a viewer
// changes nothing.
func TestNothingElseIsPublic(t *testing.T) {
	h := adminAddress(t)
	paths := apiPaths(t, h)
	delete(paths, "/api/v1/session") // signing in and out is for those who are not signed in
	for _, path := range []string{
		"/", "/metrics", "/api/v1/status", "/api/v1/", "/api/v1/nothing", "/nothing", "/campaigns", "/campaign/delete", "/healthz/", "/readyz/x", "/sign-in/x",
		"/Healthz", "/api/v1/session/x", "/debug/pprof/",
	} {
		paths[path] = nil
	}
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
	for path, have := range paths {
		for _, method := range all {
			w := askAdmin(t, h, method, path, "")
			require.Equal(t, http.StatusUnauthorized, w.Code, "%s %s", method, path)
			require.Equal(t, "unauthorized", refusalCode(w), "%s %s", method, path)
			require.Equal(t, http.StatusUnauthorized, askAdmin(t, h, method, path, viewerToken+"0").Code, "%s %s", method, path)
			if method != "GET" && method != "HEAD" {
				w := askAdmin(t, h, method, path, viewerToken)
				require.Equal(t, http.StatusForbidden, w.Code, "%s %s", method, path)
				require.Equal(t, "read_only", refusalCode(w), "%s %s", method, path)
			}
		}
		for _, method := range have {
			if path == "/api/v1/events" {
				continue // it does not end
			}
			w := askAdmin(t, h, method, path, operatorToken)
			require.NotContains(t, []int{401, 403, 405, 500}, w.Code, "%s %s: %s", method, path, w.Body)
			require.NotEqual(t, "not_found", refusalCode(w), "%s %s is described and not there: %s", method, path, w.Body)
		}
	}
	w := askAdmin(t, h, "GET", "/campaigns?text=a", "", "Accept", "text/html")
	require.Equal(t, http.StatusSeeOther, w.Code, "a browser is sent to sign in")
	require.Equal(t, "/sign-in?next=%2Fcampaigns%3Ftext%3Da", w.Header().Get("Location"))
	require.Equal(t, http.StatusUnauthorized, askAdmin(t, h, "POST", "/campaign", "", "Accept", "text/html").Code, "not with what it would lose")
}
