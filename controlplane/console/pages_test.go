package console

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/console/fakeapi"
)

// paths are all pages that a sample has.
var paths = []string{
	"/", "/campaigns", "/campaigns/new", "/campaigns/import", "/campaign?id=always", "/campaign?id=evening", "/campaign?id=house", "/campaign?id=paused%2Fone",
	"/campaign?id=launch", "/campaign?id=winter", "/coverage", "/preview", "/preview?country=us&lang=eng", "/history", "/actions", "/revisions/41",
	"/revisions/diff?from=38&to=41", "/versions/diff?from=a&to=b", "/fleet", "/versions/3f6c1a9be04d5d22c7",
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
			"Would be served now, once it is published, 3 of 4 turns.",
		}, hides: "Served now"},
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
				"It cannot be published: <b>it cannot be read. Games get version 3f6c1a9be04d. Nothing newer waits. Why Resume",
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
		"a campaign with everything": {path: "/campaign?id=launch", shows: []string{
			"launch Launch in France", "NameLaunch in France", "Forfr / fra", "from 2027-03-01 08:30 UTC (Mon 2027-03-01 09:30 Europe/Paris)",
			"until 2027-03-02 17:15 UTC (Tue 2027-03-02 18:15 Europe/Paris)", "09:00–18:00, every day, Europe/Paris", "Priority, weight0, 1",
			"Saved: 2027-03-01 08:30 UTC, Mon 2027-03-01 09:30 Europe/Paris.",
		}},
		"a campaign that others outrank": {path: "/campaign?id=always", change: func(a *fakeapi.API) {
			a.Explanation.Eligible, a.Explanation.Cycle = a.Explanation.Eligible[1:], []int{0}
			a.Explanation.Waiting = []compile.Waiting{{Ad: compile.Ad{ID: "always"}, Reason: compile.ReasonLowerPriority}}
		}, shows: []string{"Next eligiblenow, but campaigns of a higher priority go first"}},
		"a campaign that is not served and not published": {path: "/campaign?id=evening", change: func(a *fakeapi.API) { a.Basis.Ahead = true }, shows: []string{
			"Would not be served now.",
		}, hides: "Not served now."},
		"a campaign that is paused":    {path: "/campaign?id=paused%2Fone", shows: []string{"Paused", "paused here by an operator", "Unpause"}},
		"a campaign that is not there": {path: "/campaign?id=nobody", status: 404, shows: []string{"Not found", "There is no such thing."}},
		"the coverage": {path: "/coverage", shows: []string{
			"44 pairs", "any / ita 15 min No ad 23:45–24:00.", "jp / jpn", "24 h No ad all day.", "13 h 52 min No ad 00:00–06:00, 16:00–16:15 in part, 16:15–24:00.", "An ad at every minute.",
		}},
		"the coverage of a language, of two pages of the API": {path: "/coverage?lang=ITA", change: func(a *fakeapi.API) { a.PageSize = 3 }, shows: []string{
			"1 pair of country and language matches, those", "1 without one at some minutes.", "any / ita 15 min",
		}},
		"the coverage of a key that is not there": {path: "/coverage?country=us&lang=ita", shows: []string{"No key matches", "Show all"}},
		"the coverage of many keys": {path: "/coverage?lang=eng", change: func(a *fakeapi.API) {
			a.PageSize = 50
			for range 5 {
				a.Coverage = append(a.Coverage, a.Coverage[4:]...)
			}
		}, shows: []string{"1,280 pairs of country and language match, those", "Next page"}},
		"the coverage of what games get": {path: "/coverage", change: func(a *fakeapi.API) { a.Basis.Ahead = true }, shows: []string{"Not published", "Show the coverage of what games get now"}},
		"the coverage that games get":    {path: "/coverage?published=true", change: func(a *fakeapi.API) { a.Basis.Ahead = true }, hides: "Not published", shows: []string{"This is the coverage of what games get now."}},
		"no coverage": {path: "/coverage", empty: true, shows: []string{
			"No country and language has a campaign on this day",
		}},
		"a preview": {path: "/preview?country=us&lang=eng", shows: []string{
			"us / eng at 2027-01-04 12:00 UTC", "Answered from us/eng.", "always 3 of 4", "outside of its hours", "Mon 2027-01-04 13:00 America/New_York", "Line", "is missing",
		}},
		"a preview of what is not what games get": {path: "/preview?country=us&lang=eng", change: func(a *fakeapi.API) {
			a.Basis.Ahead = true
			a.Served = apiv1.Served{Ads: []apiv1.ServedAd{{ID: "of-before", VideoURL: "https://video.example.com/b.mp4"}, {ID: "too"}}, Cycle: []int{0, 1, 0}}
		}, shows: []string{"What games get nowShare of turns of-before 2 of 3too 1 of 3", "Once it is published Share of turns always 3 of 4"}},
		"a preview where games get no ad": {path: "/preview?country=us&lang=eng", change: func(a *fakeapi.API) { a.Basis.Ahead = true }, shows: []string{
			"What games get nowNo ad", "Once it is published Share of turns",
		}},
		"a preview of a country that is none": {path: "/preview?country=usa&lang=eng", status: 400, shows: []string{
			"country must be two letters.",
		}},
		"a preview without an ad": {path: "/preview?country=us&lang=eng", empty: true, shows: []string{"No ad", "404"}},
		"the history": {path: "/history", shows: []string{
			"3f6c1a9be04d published", "Roll back", "After revision", "Show what changed", "edit: evening", "revert of 38: evening", "import, 301 campaigns", "Evening hours, as agreed with sales",
			"Resumed, after 9b0e77aa51c3", "Rolled back to 9b0e77aa51c3", "No ads in France since 4 o’clock", "Refused c0ffee02c4d7 in place of 9b0e77aa51c3",
		}},
		"the history of a revision of many": {path: "/history", change: func(a *fakeapi.API) {
			r := &a.Revisions[0].Revision
			r.Kind, r.Changes, r.FirstIDs, r.Added, r.Changed, r.Removed = "import", 2003, []string{"<script>alert(1)</script>", "ad-2", "ad-3"}, 2000, 0, 3
		}, shows: []string{"import: <script>alert(1)</script>, ad-2, ad-3 and 2,000 more", "2,000 added, 3 removed"}},
		"the history of more actions than it shows": {path: "/history", change: func(a *fakeapi.API) { many(a, maxActions+1) }, shows: []string{
			"10 actions ago", "All rollbacks and decisions",
		}, hides: "11 actions ago"},
		"no history": {path: "/history", empty: true, shows: []string{
			"Nothing was published yet.", "No operator changed anything yet.", "No rollback, resume, or decision on a held version is known.",
		}, hides: "All rollbacks"},
		"all actions": {path: "/actions", shows: []string{
			"Rollbacks and decisions", "2027-01-04 09:00 UTColga Resumed, after 9b0e77aa51c3", "2027-01-04 07:00 UTClocal:kim Rolled back to 9b0e77aa51c3",
			"Refused c0ffee02c4d7 in place of 9b0e77aa51c3", "<script>alert(1)</script>",
		}, hides: "Next page"},
		"all actions, the second page": {path: "/actions?cursor=2", change: func(a *fakeapi.API) { a.PageSize = 1 }, shows: []string{"Refused", "First page"}, hides: "Resumed"},
		"no actions":                   {path: "/actions", empty: true, shows: []string{"No rollback, resume, or decision on a held version is known."}},
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
			"Added1Changed1Removed1", "launch added fr / frahttps://v.example/l", "morning changed Until hour 12 → 11; Weight 1 → 3", "old removed us", "us001", "1 ad is removed.", "Roll back to b",
		}},
		"a version that is held, and what it would replace": {path: "/versions/diff?from=a&to=b", change: func(a *fakeapi.API) {
			a.Held = &apiv1.Held{Version: "b", Base: "a", Reason: "max_removed_share"}
		}, shows: []string{"See what would change.", "launch added"}, hides: "Roll back to b"},
		"two versions that are the same": {path: "/versions/diff?from=a&to=b", empty: true, shows: []string{"Both serve the same ads."}},
		"a version": {path: "/versions/3f6c1a9be04d5d22c7", shows: []string{
			"3f6c1a9be04d5d22c7 published", "2027-01-04 09:00 UTC", "18,204", "1,937", "2,481,920 bytes", "5d41402abc4b", "2027-01-04 08:00 UTC", "Revision41", "Time zones2026a",
			"Rejected ads 14", "Invalid country 9", "A field is missing 5", "Weights made smaller 12", "12 cycles ask for more turns", "us/eng65664,88165,537",
		}},
		"a version of which there is little to tell": {path: "/versions/77ab12cd34ef560011", change: func(a *fakeapi.API) {
			a.Versions[3] = apiv1.Version{Version: "77ab12cd34ef560011", Pinned: true, CutCycles: 1}
		}, shows: []string{"pinned, not published", "Source’s documentnone", "Revisionnone", "Rejected ads 0 None.", "The weights of one cycle ask for more turns"}, hides: "Time zones"},
		"a version that is not kept":                     {path: "/versions/none", status: 404, shows: []string{"There is no such thing."}},
		"the dashboard of weights that are made smaller": {path: "/", shows: []string{"weights made smaller in 12 cycles: which"}},
		"the fleet": {path: "/fleet", shows: []string{
			"edge-eu-1", "1523.4 ads and 12.6 without an ad per second", "rejecting", "index has format 4", "1 h 30 min ago", "edge-us-2 gone", "(11 min); ads per second: –",
		}},
		"an Envoy that reconnected with what it has": {path: "/fleet", change: func(a *fakeapi.API) {
			a.Fleet.Envoys[0].Types[2].LastAckAge, a.Fleet.Envoys[1].Types[1].LastAckAge = nil, nil
			a.Fleet.Envoys[2].Rates = &apiv1.Rates{}
		}, shows: []string{"UTCunchanged since it connected", "UTCnever", "ads per second: –"}},
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

// many gives a fake n actions.
func many(a *fakeapi.API, n int) {
	a.Actions = nil
	for i := range n {
		a.Actions = append(a.Actions, apiv1.Action{Number: uint64(n - i), Kind: "refuse", Version: "v", Who: "olga", Comment: fmt.Sprint(i+1, " actions ago"), At: noon})
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
