package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/console/fakeapi"
)

// TestWhatShowsAStateIsLive: the parts that the script replaces are found again by their id, and whatever tells a state is in one.
func TestWhatShowsAStateIsLive(t *testing.T) {
	b := open(t, fakeapi.Sample(noon))
	for path, ids := range map[string][]string{
		"/": {"dashboard"}, "/campaigns": {"list"}, "/campaign?id=always": {"becomes", "ahead"}, "/coverage": {"covered", "ahead"},
		"/preview?country=us&lang=eng": {"preview", "ahead"}, "/history": {"versions", "actions", "revisions"}, "/actions": {"actions"}, "/revisions/41": {"undo"}, "/fleet": {"fleet"},
	} {
		_, page := b.get(t, path)
		for _, id := range append(ids, "notices", "as-of") {
			require.Regexp(t, `id="`+id+`" data-live`, page, path)
		}
	}
	for _, path := range []string{"/nothing", "/revisions/7", "/campaign?id=nobody"} {
		_, page := b.get(t, path)
		require.NotContains(t, page, "data-live", path)
	}
	_, page, _ := b.post(t, "/campaign/pause", url.Values{"id": {"always"}, "etag": {`"older"`}, "back": {"/campaigns?q=al"}})
	require.NotContains(t, page, "data-live", "a refresh would ask for the address with GET")
	require.Contains(t, page, `href="/campaigns?q=al"`, "the way back to the list that one came from")
	_, page, _ = b.post(t, "/campaign", typed("evening", `"older"`))
	require.NotContains(t, page, "data-live")
	_, page = b.get(t, "/revisions/7")
	require.Contains(t, page, `<a class="button" href="/history">To the history</a>`)
}

// TestWhatIsUndoneIsNotUndoneAgain, until its undoing is undone.
func TestWhatIsUndoneIsNotUndoneAgain(t *testing.T) {
	revision := func(n, reverts uint64) apiv1.RevisionChanges {
		return apiv1.RevisionChanges{Revision: apiv1.Revision{Number: n, At: noon, Who: "olga", Kind: "edit", Reverts: reverts, Changes: 1}}
	}
	api := fakeapi.Sample(noon)
	api.Revisions = []apiv1.RevisionChanges{revision(4, 0), revision(3, 1), revision(2, 0), revision(1, 0)}
	answers := http.Handler(api)
	b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/revert") {
			w.WriteHeader(http.StatusPreconditionFailed)
			_, _ = w.Write([]byte(`{"code":"revision_conflict","message":"Somebody else has changed it."}`))
			return
		}
		answers.ServeHTTP(w, r)
	}))
	_, page := b.get(t, "/revisions/1")
	require.Contains(t, visible(t, page), "This change is undone, by revision 3.")
	require.NotContains(t, visible(t, page), "Undo this change")
	_, page = b.get(t, "/history")
	require.Contains(t, visible(t, page), "undone by 3")
	status, page, _ := b.post(t, "/revisions/revert", url.Values{"n": {"1"}})
	require.Equal(t, http.StatusPreconditionFailed, status)
	require.Contains(t, visible(t, page), "Revision 1 is undone already, by revision 3.")
	require.NotContains(t, visible(t, page), "Somebody else")
	_, page, _ = b.post(t, "/revisions/revert", url.Values{"n": {"2"}})
	require.Contains(t, visible(t, page), "Somebody else has changed it.")

	api.Do(func(a *fakeapi.API) { a.Revisions = append([]apiv1.RevisionChanges{revision(5, 3)}, a.Revisions...) })
	_, page = b.get(t, "/revisions/1")
	require.Contains(t, visible(t, page), "Undo this change")
	_, page = b.get(t, "/revisions/3")
	require.Contains(t, visible(t, page), "This change is undone, by revision 5.")
}

func TestCreatingWhatIsThere(t *testing.T) {
	api := fakeapi.Sample(noon)
	status, page, _ := open(t, api).post(t, "/campaigns/new", typed("evening", ""))
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, visible(t, page), "The campaign evening is there already. Change it on its page")
	require.Contains(t, page, `<a href="/campaign?id=evening">evening</a>`)
	require.NotContains(t, visible(t, page), "PUT")
	require.Equal(t, "Évening & more", value(t, page, "name"), "what was typed stays")
}

// TestTwoOfAnID: the reason of an operator's campaign is its own, and not that of the source's which it replaces.
func TestTwoOfAnID(t *testing.T) {
	api := fakeapi.Sample(noon)
	ad := compile.Ad{ID: "evening", Country: "us", Lang: "eng"}
	api.Explanation.Waiting = []compile.Waiting{{Ad: ad, Reason: compile.ReasonPaused}, {Ad: ad, Reason: compile.ReasonOverridden}}
	b := open(t, api)
	_, page := b.get(t, "/campaign?id=evening")
	require.Contains(t, visible(t, page), "Running, not at this hour Not served now. It is paused.")
	_, page = b.get(t, "/preview?country=us&lang=eng")
	require.Contains(t, visible(t, page), "evening (the source’s)An operator’s campaign")
	require.Contains(t, visible(t, page), "eveningIt is paused.")
}

// TestOnlyOperatorsAreToldToDecide: a viewer cannot.
func TestOnlyOperatorsAreToldToDecide(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Strand(44, 41, "no")
	_, page := as(t, api, viewerToken).get(t, "/")
	text := visible(t, page)
	require.Contains(t, text, "An operator can confirm or refuse it.")
	require.NotContains(t, text, "confirm it;")
	require.Contains(t, text, "An operator can undo a change")
}

// TestWhatChangesTheServedAdsAsksFirst: the buttons are behind a second step, which works without a script.
func TestWhatChangesTheServedAdsAsksFirst(t *testing.T) {
	b := open(t, fakeapi.Sample(noon))
	for _, path := range []string{"/history", "/versions/diff?from=a&to=b"} {
		_, page := b.get(t, path)
		for _, action := range []string{"/versions/rollback", "/held/confirm", "/held/refuse"} {
			before := strings.Split(page, `action="`+action+`"`)
			require.Greater(t, len(before), 1, "%s has no form of %s", path, action)
			for _, text := range before[:len(before)-1] {
				require.Greater(t, strings.LastIndex(text, "<details"), strings.LastIndex(text, "</details"), "%s: %s", path, action)
			}
		}
	}
}

// TestTimesAsPagesPrintThem are taken back.
func TestTimesAsPagesPrintThem(t *testing.T) {
	for _, text := range []string{"2027-01-04 12:00", "2027-01-04 12:00 UTC", "2027-01-04 12:00:00 UTC", "2027-01-04T13:00:00+01:00", "2027-01-04T12:00"} {
		at, err := instantOf(text)
		require.NoError(t, err, text)
		require.True(t, at.Equal(noon.Truncate(time.Minute)), text)
	}
	_, err := instantOf("noon")
	require.ErrorContains(t, err, "2027-03-01 08:00")
}

func TestOneOfAKind(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Explanation.Eligible, api.Explanation.Cycle = api.Explanation.Eligible[:1], []int{0}
	b := open(t, api)
	for path, words := range map[string]string{
		"/campaigns?q=launch": "1 campaign matches.", "/campaign?id=always": "Served now, every turn.", "/preview?country=us&lang=eng": "The same each time.",
	} {
		_, page := b.get(t, path)
		require.Contains(t, visible(t, page), words, path)
	}
}
