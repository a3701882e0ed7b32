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
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/console/fakeapi"
)

// paths are all pages that a sample has.
var paths = []string{
	"/", "/campaigns", "/campaigns/new", "/campaigns/import", "/campaign?id=always", "/campaign?id=evening", "/campaign?id=house", "/campaign?id=paused%2Fone",
	"/campaign?id=launch", "/campaign?id=winter", "/coverage", "/preview", "/preview?country=us&lang=eng", "/history", "/revisions/41",
	"/revisions/diff?from=38&to=41", "/versions/diff?from=a&to=b", "/fleet",
}

func TestPages(t *testing.T) {
	pinned := &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: noon, Comment: "spring went wrong", Waiting: "a81b02c4d7e9ff1023"}
	unreadable := &apiv1.Pin{Version: pinned.Version, Who: "olga", At: noon, Error: "<b>it cannot be read."}
	waiting := func(reason string) func(a *fakeapi.API) {
		return func(a *fakeapi.API) {
			a.Explanation.Waiting = []compile.Waiting{{Ad: compile.Ad{ID: "house"}, Reason: reason}}
		}
	}
	for name, tc := range map[string]struct {
		path   string
		empty  bool
		change func(*fakeapi.API)
		status int
		shows  []string
		hides  string
	}{
		"the dashboard": {path: "/", shows: []string{
			"3f6c1a9be04d", "since 2027-01-04 09:00 UTC (3 h 0 min)", "18,204", "Last usable document: 12 s ago", "1 in sync", "1 behind", "Ads served1833.9",
			"No ad12.6", "Invalid country 9", "204spring-1", `is "usa"`, "Held. Version a81b02c4d7e9 is not published in the place of 3f6c1a9be04d: it removes more ads than the guard allows.", "13,107 of 18,204 ads (72 %, allowed are 50 %)", "Refuse it", "mend the source’s document or undo the change", "Published version",
		}},
		"the dashboard before anything is published": {path: "/", empty: true, shows: []string{
			"None yet", "No usable document yet", "No Envoy is connected", "Not known", "Rejected ads 0 None.",
		}},
		"a pin, on every page": {path: "/fleet", change: func(a *fakeapi.API) { a.Pin = pinned }, shows: []string{
			"Pinned. Version 11d2e3f4a5b6 stays published: pinned by olga at 2027-01-04 12:00 UTC, “spring went wrong”", "A newer version, a81b02c4d7e9, waits.", "Resume",
		}},
		"a held version that was refused": {path: "/", change: func(a *fakeapi.API) {
			a.Held.Refused, a.Held.RefusedBy, a.Held.Comment, a.Held.DecidedAt = true, "olga", "ask sales <b>", noon
		}, shows: []string{
			"Refused. Version", "Refused by olga at 2027-01-04 12:00 UTC, “ask sales <b>”. What was published before stays until the campaigns change again.", "Confirm: publish it",
		}},
		"a held version without some of the operators’ changes": {path: "/fleet", change: func(a *fakeapi.API) {
			a.Held = &apiv1.Held{Version: "a81b02c4d7e9ff1023", Base: "3f6c1a9be04d5d22c7", Since: noon, Reason: "revision_lost", Message: "The store is at revision 0."}
		}, shows: []string{
			"Held. Version a81b02c4d7e9 is not published in the place of 3f6c1a9be04d: operators’ changes are missing. The store is at revision 0. Restore the operators’ store from its backup",
		}},
		"a held version of a reason that is new": {path: "/fleet", change: func(a *fakeapi.API) {
			a.Held = &apiv1.Held{Version: "a81b02c4d7e9ff1023", Since: noon, Reason: "moon", Message: "The moon is full."}
		}, shows: []string{"Held. Version a81b02c4d7e9 is not published. The moon is full. Held since"}},
		"a revision that cannot be compiled, on every page": {path: "/fleet", change: func(a *fakeapi.API) { a.Strand(44, 41, "index: 65 MiB are more than 64 MiB") }, shows: []string{
			"Not compiled. Revision 44, the operators’ newest, cannot be published: index: 65 MiB are more than 64 MiB. Games go on with revision 41", "Undo a change in the history",
		}},
		"a revision that cannot be compiled, on the dashboard": {path: "/", change: func(a *fakeapi.API) { a.Strand(44, 0, "no") }, shows: []string{
			"cannot be published: no. Games go on with what was published before.",
		}},
		"a campaign that is not published": {path: "/campaign?id=always", change: func(a *fakeapi.API) { a.Basis.Ahead = true }, shows: []string{
			"Not published. This page shows what the campaigns give as they are now. Games get version 3f6c1a9be04d: a newer one is held.",
		}},
		"a campaign for everybody that is not published": {path: "/campaign?id=house", change: func(a *fakeapi.API) { a.Basis.Ahead = true }, shows: []string{
			"Not published. This page", "It is for many countries or languages", "It may be served now",
		}},
		"a preview that a pin holds back": {path: "/preview?country=us&lang=eng", change: func(a *fakeapi.API) {
			a.Basis.Ahead, a.Pin, a.Held.Refused = true, pinned, true
		}, shows: []string{"Games get version 11d2e3f4a5b6: it is pinned; a newer one is refused."}},
		"a preview under a pin that is not in force": {path: "/preview?country=us&lang=eng", change: func(a *fakeapi.API) {
			a.Basis.Ahead, a.Pin, a.Held, a.Behind = true, unreadable, nil, true
		}, shows: []string{"Games get version 3f6c1a9be04d: another is pinned and cannot be published."}, hides: "it is pinned"},
		"a pin that is not in force, on every page": {path: "/fleet", change: func(a *fakeapi.API) { a.Pin, a.Behind = unreadable, true }, shows: []string{
			"Pinned, but not published. Version 11d2e3f4a5b6 is pinned by olga at 2027-01-04 12:00 UTC. " +
				"It cannot be published: <b>it cannot be read. Games get version 3f6c1a9be04d. Nothing newer waits. Resume",
		}, hides: "stays published"},
		"a pin that is on its way": {path: "/fleet", change: func(a *fakeapi.API) { a.Pin, a.Behind = pinned, true }, shows: []string{
			"Pinned, but not published yet. Version 11d2e3f4a5b6 is pinned by olga at 2027-01-04 12:00 UTC, “spring went wrong”. Games get version 3f6c1a9be04d. A newer",
		}, hides: "stays published: pinned"},
		"the history under a pin that is not in force": {path: "/history", change: func(a *fakeapi.API) { a.Pin, a.Behind = unreadable, true }, shows: []string{
			"3f6c1a9be04d published", "11d2e3f4a5b6 pinned, not published",
		}},
		"a coverage of what cannot be compiled": {path: "/coverage", change: func(a *fakeapi.API) {
			a.Basis, a.Held = apiv1.Basis{Ahead: true}, nil
			a.Strand(44, 41, "no")
		}, shows: []string{"Games get nothing yet: the newest revision cannot be compiled."}},
		"a coverage of what is on its way": {path: "/coverage", change: func(a *fakeapi.API) { a.Basis.Ahead, a.Held = true, nil }, shows: []string{
			"Not published yet. This page", "the newer one is on its way.",
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
			"the source’s document", "It is for many countries or languages", "such as for us / eng", "replaces the source’s", "It may be served now",
		}},
		"a campaign for everybody that is paused":          {path: "/campaign?id=house", change: waiting(compile.ReasonPaused), shows: []string{"Not served now. It is paused."}},
		"a campaign for everybody whose flight is to come": {path: "/campaign?id=house", change: waiting(compile.ReasonBeforeFlight), shows: []string{"Not served now. Its flight has not begun."}},
		"a campaign for everybody whose flight is over":    {path: "/campaign?id=house", change: waiting(compile.ReasonAfterFlight), shows: []string{"Not served now. Its flight is over."}},
		"a campaign for everybody on another day":          {path: "/campaign?id=house", change: waiting(compile.ReasonWrongDay), shows: []string{"Not served now. It does not run on this day of the week."}},
		"a campaign for everybody outside of its hours":    {path: "/campaign?id=house", change: waiting(compile.ReasonOutOfHours), shows: []string{"Not served now. It is outside of its hours."}},
		"a campaign for everybody that waits for others in one country": {path: "/campaign?id=house", change: waiting(compile.ReasonLowerPriority), shows: []string{
			"It may be served now, unless something goes before it.",
		}, hides: "Not served now."},
		"a campaign that is paused":    {path: "/campaign?id=paused%2Fone", shows: []string{"Paused", "paused here by an operator", "Unpause"}},
		"a campaign that is not there": {path: "/campaign?id=nobody", status: 404, shows: []string{"Not found", "There is no such thing."}},
		"the coverage": {path: "/coverage", shows: []string{
			"44 pairs", "any / ita 15 min No ad 23:45–24:00.", "jp / jpn", "24 h No ad all day.", "13 h 52 min No ad 00:00–06:00, 16:00–16:15 in part, 16:15–24:00.", "An ad at every minute.",
		}},
		"the coverage of a language, of two pages of the API": {path: "/coverage?lang=ITA", change: func(a *fakeapi.API) { a.PageSize = 3 }, shows: []string{
			"1 pair of country and language matches, those", "any / ita 15 min",
		}},
		"the coverage of a key that is not there": {path: "/coverage?country=us&lang=ita", shows: []string{"No key matches", "Show all"}},
		"the coverage of many keys": {path: "/coverage?lang=eng", change: func(a *fakeapi.API) {
			for range 5 {
				a.Coverage = append(a.Coverage, a.Coverage[4:]...)
			}
		}, shows: []string{"1,280 pairs of country and language match, those", "1,080 more are not shown."}},
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
			"3f6c1a9be04d published", "Roll back", "After revision", "Show what changed", "revert of 38, 1 campaign", "301 campaigns", "Evening hours, as agreed with sales",
		}},
		"no history": {path: "/history", empty: true, shows: []string{
			"Nothing was published yet.", "No operator changed anything yet.",
		}},
		"a revision": {path: "/revisions/41", shows: []string{
			"olga, 2027-01-04 09:00 UTC: edit, 1 campaign.", "From hour1817", "Days–fri, sat", "Undo this change",
		}},
		"a revision that is not there": {path: "/revisions/7", status: 404, shows: []string{"Not found"}},
		"two revisions": {path: "/revisions/diff?from=38&to=41", shows: []string{
			"After revision 38 up to revision 41: 3 campaigns.", "From hour1817",
		}},
		"everything since the first revision": {path: "/revisions/diff?from=0&to=39", change: func(a *fakeapi.API) { a.PageSize = 1 }, shows: []string{
			"After the state before the first revision up to revision 39: 1 campaign.",
		}},
		"two revisions, the first page":      {path: "/revisions/diff?from=38&to=41", change: func(a *fakeapi.API) { a.PageSize = 2 }, shows: []string{"3 campaigns.", "Next page"}},
		"two revisions, the second page":     {path: "/revisions/diff?cursor=2&from=38&to=41", change: func(a *fakeapi.API) { a.PageSize = 2 }, shows: []string{"3 campaigns.", "First page"}},
		"two revisions that are alike":       {path: "/revisions/diff?from=2&to=3", shows: []string{"0 campaigns.", "Both have the same operators’ campaigns."}},
		"two revisions of which one is none": {path: "/revisions/diff?from=2&to=x", status: 404, shows: []string{"There is no such revision."}},
		"two versions": {path: "/versions/diff?from=a&to=b", shows: []string{
			"Added1Changed1Removed1", "launch added", "Weight13", "old removed", "Roll back to b",
		}},
		"a version that is held, and what it would replace": {path: "/versions/diff?from=a&to=b", change: func(a *fakeapi.API) {
			a.Held = &apiv1.Held{Version: "b", Base: "a", Reason: "max_removed_share"}
		}, shows: []string{"See what would change.", "launch added"}, hides: "Roll back to b"},
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
			if tc.hides != "" {
				require.NotContains(t, text, tc.hides)
			}
			for _, words := range tc.shows {
				require.Contains(t, text, words)
			}
		})
	}
}

// TestWhatIsPublishedIsNotCalledAhead, whatever is pinned and held.
func TestWhatIsPublishedIsNotCalledAhead(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Pin = &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: noon}
	b := open(t, api)
	for _, path := range paths {
		_, page := b.get(t, path)
		require.NotContains(t, visible(t, page), "Not published", path)
	}
	api.Strand(41, 41, "an error of a poll")
	_, page := b.get(t, "/")
	require.NotContains(t, visible(t, page), "Not compiled")
}

// TestPagesOfTwoRevisions lead to each other with both revisions.
func TestPagesOfTwoRevisions(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.PageSize = 2
	b := open(t, api)
	_, page := b.get(t, "/revisions/diff?from=38&to=41")
	require.Contains(t, page, `href="/revisions/diff?cursor=2&amp;from=38&amp;to=41" rel="next"`)
	_, page = b.get(t, "/revisions/diff?cursor=2&from=38&to=41")
	require.Contains(t, page, `href="/revisions/diff?from=38&amp;to=41"`)
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
