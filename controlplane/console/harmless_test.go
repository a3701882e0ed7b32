package console

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

// TestForeignTextIsHarmless: names, reasons and addresses of others stay text, on every page.
func TestForeignTextIsHarmless(t *testing.T) {
	b := open(t, fakeapi.Sample(noon))
	for _, path := range paths {
		status, page := b.get(t, path)
		require.Equal(t, http.StatusOK, status, path)
		require.NotContains(t, page, "<script>alert", path)
		require.NotContains(t, page, "<img", path)
		require.NotContains(t, page, `href="javascript:`, path)
	}
	_, page := b.get(t, "/preview?country=us&lang=eng")
	require.Contains(t, page, `<span class="address">javascript://v.example/%0Aalert(1)</span>`)
	require.Contains(t, page, `<a class="address" href="https://video.example.com/always.mp4" target="_blank" rel="noopener noreferrer">`)
}

func TestViewersHaveNoControls(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Pin = &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: noon}
	b := as(t, api, viewerToken)
	for _, path := range paths {
		status, page := b.get(t, path)
		require.Equal(t, http.StatusOK, status, path)
		require.NotContains(t, page, `method="post"`, path)
		require.Contains(t, page, "vera", path)
	}
	for _, path := range []string{"/campaign", "/campaign/pause", "/versions/rollback", "/pin/resume"} {
		status, _, _ := b.post(t, path, url.Values{"id": {"always"}})
		require.Equal(t, http.StatusForbidden, status, path)
	}
	require.Empty(t, api.Writes())
}

// TestWithoutAGuard: an identity that is nobody's writes nothing, should the console ever stand without its guard.
func TestWithoutAGuard(t *testing.T) {
	api := fakeapi.Sample(noon)
	handler, err := Handler(Config{API: api})
	require.NoError(t, err)
	for _, path := range []string{"/campaign", "/campaign/delete", "/versions/rollback"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("id=always"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, http.StatusForbidden, w.Code)
	}
	media, form := formOf(t, field{"file", goodDocument})
	r := httptest.NewRequest(http.MethodPost, "/campaigns/import", bytes.NewReader(form))
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Empty(t, api.Writes())
}

func TestAnAPIThatIsAway(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Broken = true
	asked := 0
	b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		api.ServeHTTP(w, r)
	}))
	_, _ = b.get(t, "/fleet")
	require.Equal(t, 2, asked, "the fleet and what the notices are made of, each once")
	for _, path := range paths {
		if path == "/campaigns/new" || path == "/campaigns/import" || path == "/preview" {
			continue // they ask nothing
		}
		status, page := b.get(t, path)
		require.Equal(t, http.StatusServiceUnavailable, status, path)
		text := visible(t, page)
		require.Contains(t, text, "The control plane cannot answer right now", path)
		require.Contains(t, text, "The store is not available.", path)
		require.Contains(t, text, "Whether a version is pinned or held is not known right now.", path)
	}
	status, page, _ := b.post(t, "/campaigns/new", url.Values{"id": {"mine"}, "name": {"typed at length"}})
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "typed at length", value(t, page, "name"))
	require.Contains(t, visible(t, page), "The store is not available.")
}

// TestTheAPIIsAskedAsWhoAsksForThePage, with what the request came with.
func TestTheAPIIsAskedAsWhoAsksForThePage(t *testing.T) {
	var asked []string
	api := fakeapi.Sample(noon)
	b := as(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := access.From(r.Context())
		asked = append(asked, r.Method+" "+r.URL.Path+" "+id.Name+" "+id.Role.String()+" "+r.Header.Get("Authorization"))
		api.ServeHTTP(w, r)
	}), operatorToken)
	_, _ = b.get(t, "/fleet")
	_, _, _ = b.post(t, "/pin/resume", url.Values{})
	require.Equal(t, []string{
		"GET /api/v1/fleet olga operator Bearer " + operatorToken,
		"GET /api/v1/summary olga operator Bearer " + operatorToken,
		"DELETE /api/v1/pin olga operator Bearer " + operatorToken,
	}, asked)
}

// TestAnAnswerThatIsNone: what the console cannot read is its log's, not the page's.
func TestAnAnswerThatIsNone(t *testing.T) {
	status, page := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("secret nonsense"))
	})).get(t, "/fleet")
	require.Equal(t, http.StatusInternalServerError, status)
	require.NotContains(t, page, "secret")
	require.Contains(t, visible(t, page), "This page could not be made.")
}

func TestAssets(t *testing.T) {
	b := as(t, fakeapi.Empty(), "") // nobody is signed in
	for path, media := range map[string]string{"/assets/console.css": "text/css", "/assets/console.js": "text/javascript", "/assets/icon.svg": "image/svg+xml"} {
		status, body, header := b.send(t, http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, status)
		require.NotEmpty(t, body)
		require.Contains(t, header.Get("Content-Type"), media)
		require.NotEmpty(t, header.Get("ETag"))
		require.Equal(t, "no-cache", header.Get("Cache-Control"))
	}
	for _, path := range []string{"/assets/", "/assets/nothing", "/assets/x/console.css"} {
		status, _, _ := b.send(t, http.MethodGet, path, nil)
		require.Equal(t, http.StatusNotFound, status, path)
	}
}

func TestHandlerNeedsAnAPI(t *testing.T) {
	_, err := Handler(Config{})
	require.ErrorContains(t, err, "api: is missing")
}

// What is asked of the coverage stays on the way to other days, other pages and the other index.
func TestTheWayThroughTheCoverage(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Basis.Ahead, api.PageSize = true, 3
	_, page := open(t, api).get(t, "/coverage?day=2027-01-05&lang=ENG&cursor=3")
	for _, address := range []string{
		"/coverage?day=2027-01-04&amp;lang=ENG", "/coverage?lang=ENG", "/coverage?day=2027-01-06&amp;lang=ENG", "/coverage?day=2027-01-05&amp;lang=ENG&amp;published=true",
		"/coverage?cursor=6&amp;day=2027-01-05&amp;lang=ENG", "/coverage?day=2027-01-05&amp;lang=ENG",
	} {
		require.Contains(t, page, `href="`+address+`"`)
	}
	_, page = open(t, api).get(t, "/coverage?published=true&country=us")
	require.Contains(t, page, `href="/coverage?country=us&amp;day=2027-01-04"`)
	require.Contains(t, page, `href="/coverage?country=us&amp;day=2027-01-05&amp;published=true"`)
	require.Contains(t, page, `<input type="hidden" name="published" value="true">`)
}
