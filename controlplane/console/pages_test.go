package console

import (
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

// paths are all pages that a sample has.
var paths = []string{
	"/", "/campaigns", "/campaigns/new", "/campaign?id=always", "/campaign?id=evening", "/campaign?id=house", "/campaign?id=paused%2Fone",
	"/campaign?id=launch", "/campaign?id=winter", "/coverage", "/preview", "/preview?country=us&lang=eng", "/history", "/revisions/41",
	"/versions/diff?from=a&to=b", "/fleet",
}

func TestPages(t *testing.T) {
	pinned := &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: noon, Comment: "spring went wrong", Waiting: "a81b02c4d7e9ff1023"}
	for name, tc := range map[string]struct {
		path   string
		empty  bool
		change func(*fakeapi.API)
		status int
		shows  []string
	}{
		"the dashboard": {path: "/", shows: []string{
			"3f6c1a9be04d", "since 2027-01-04 09:00 UTC (3 h 0 min)", "18,204", "Last usable document: 12 s ago", "1 in sync", "1 behind", "Ads served1833.9",
			"No ad12.6", "Invalid country 9", "204spring-1", `is "usa"`, "Held back.", "13,107 of 18,204 ads (72 %, allowed are 50 %)", "Refuse it",
		}},
		"the dashboard before anything is published": {path: "/", empty: true, shows: []string{
			"None yet", "No usable document yet", "No Envoy is connected", "Not known", "Rejected ads 0 None.",
		}},
		"a pin, on every page": {path: "/fleet", change: func(a *fakeapi.API) { a.Pin = pinned }, shows: []string{
			"Pinned. Version 11d2e3f4a5b6 stays served: pinned by olga at 2027-01-04 12:00 UTC, “spring went wrong”", "A newer version, a81b02c4d7e9, waits.", "Resume",
		}},
		"a held version that was refused": {path: "/", change: func(a *fakeapi.API) { a.Held.Refused = true }, shows: []string{
			"Refused.", "stays until a newer document comes", "Confirm: publish it",
		}},
		"the campaigns": {path: "/campaigns", shows: []string{
			"6 campaigns.", "us / eng", "17:00–02:00 next day", "fri, sat, America/New_York", "operator, replaces the source’s", "source, paused here", "any / any",
			"Scheduled", "2027-03-01 08:30 UTC", "Mon 2027-03-01 09:30 Europe/Paris", `<script>alert("name")</script>`, "never",
		}},
		"no campaigns":           {path: "/campaigns", empty: true, shows: []string{"No campaigns yet", "Write the first"}},
		"no campaign that is so": {path: "/campaigns?q=nothing", shows: []string{"No campaign matches", "Show all"}},
		"the first of two pages": {path: "/campaigns", change: func(a *fakeapi.API) { a.PageSize = 4 }, shows: []string{
			"6 campaigns", "Next page",
		}},
		"the second of two pages": {path: "/campaigns?cursor=4", change: func(a *fakeapi.API) { a.PageSize = 4 }, shows: []string{
			"winter", "First page",
		}},
		"a campaign that is served": {path: "/campaign?id=always", shows: []string{
			"Served now, 3 of 4 turns.", "written by an operator", "revision 1",
		}},
		"a campaign that is not, and why": {path: "/campaign?id=evening", shows: []string{
			"Not served now. It is outside of its hours.", "2027-01-04 18:00 UTC", "Mon 2027-01-04 13:00 America/New_York", "it replaces the source’s campaign",
			"Served in its place: always, javascript.", "What differs from the source’s campaign", "From hour1817",
		}},
		"a campaign for everybody": {path: "/campaign?id=house", shows: []string{
			"the source’s document", "It is for many countries or languages", "replaces the source’s",
		}},
		"a campaign that is paused":    {path: "/campaign?id=paused%2Fone", shows: []string{"Paused", "paused here by an operator", "Unpause"}},
		"a campaign that is not there": {path: "/campaign?id=nobody", status: 404, shows: []string{"Not found", "There is no such thing."}},
		"the coverage": {path: "/coverage", shows: []string{
			"44 pairs", "any / ita 15 min No ad 23:45–24:00.", "jp / jpn", "1,440 min No ad all day.", "832 min No ad 00:00–06:00, 16:00–16:15 in part, 16:15–24:00.", "An ad at every minute.",
		}},
		"no coverage": {path: "/coverage", empty: true, shows: []string{
			"No country and language has a campaign on this day",
		}},
		"a preview": {path: "/preview?country=us&lang=eng", shows: []string{
			"us / eng at 2027-01-04 12:00 UTC", "Answered from us/eng.", "always 3 of 4", "outside of its hours", "Mon 2027-01-04 13:00 America/New_York", "Line", "is missing",
		}},
		"a preview of a country that is none": {path: "/preview?country=usa&lang=eng", status: 400, shows: []string{
			"country must be two letters.",
		}},
		"a preview without an ad": {path: "/preview?country=us&lang=eng", empty: true, shows: []string{"No ad", "404"}},
		"the history": {path: "/history", shows: []string{
			"3f6c1a9be04d served", "Roll back", "no longer kept", "revert of 38, 1 campaign", "301 campaigns", "Evening hours, as agreed with sales",
		}},
		"no history": {path: "/history", empty: true, shows: []string{
			"Nothing was published yet.", "No operator changed anything yet.",
		}},
		"a revision": {path: "/revisions/41", shows: []string{
			"olga, 2027-01-04 09:00 UTC: edit, 1 campaign.", "From hour1817", "Days–fri, sat", "Undo this change",
		}},
		"a revision that is not there": {path: "/revisions/7", status: 404, shows: []string{"Not found"}},
		"two versions": {path: "/versions/diff?from=a&to=b", shows: []string{
			"Added1Changed1Removed1", "launch added", "Weight13", "old removed", "Roll back to b",
		}},
		"two versions that are the same": {path: "/versions/diff?from=a&to=b", empty: true, shows: []string{"Both serve the same ads."}},
		"the fleet": {path: "/fleet", shows: []string{
			"edge-eu-1", "1523.4 ads and 12.6 without an ad per second", "rejecting", "index has format 4", "1 h 30 min ago", "edge-us-2 gone",
		}},
		"no fleet": {path: "/fleet", empty: true, shows: []string{"No Envoy is connected"}},
		"no page":  {path: "/nothing", status: 404, shows: []string{"There is no page here."}},
	} {
		t.Run(name, func(t *testing.T) {
			api := fakeapi.Sample(noon)
			if tc.empty {
				api = fakeapi.Empty()
			}
			if tc.change != nil {
				tc.change(api)
			}
			status, page := open(t, api).get(t, tc.path)
			if tc.status == 0 {
				tc.status = http.StatusOK
			}
			require.Equal(t, tc.status, status)
			text := visible(t, page)
			for _, words := range tc.shows {
				require.Contains(t, text, words)
			}
		})
	}
}

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
	require.Empty(t, api.Writes())
}

func TestAnAPIThatIsAway(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Broken = true
	b := open(t, api)
	for _, path := range paths {
		if path == "/campaigns/new" || path == "/preview" {
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
		"GET /api/v1/pin olga operator Bearer " + operatorToken,
		"GET /api/v1/held olga operator Bearer " + operatorToken,
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
