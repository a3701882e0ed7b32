package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/console/fakeapi"
	"adsidecar/internal/web"
)

// typed is a form as somebody fills it in, in full.
func typed(id, etag string) url.Values {
	return url.Values{
		"id": {id}, "etag": {etag}, "name": {"Évening & more"}, "video_url": {"https://v.example/new.mp4"}, "country": {"us"}, "lang": {"eng"},
		"start_hour": {"17"}, "end_hour": {"2"}, "time_zone": {"America/New_York"}, "days": {"fri", "sat"}, "start_at": {"2027-03-01T08:00:00+01:00"},
		"end_at": {"2027-04-01T08:00:00+02:00"}, "priority": {"-3"}, "weight": {"20"}, "labels": {"one\r\ntwo, too"}, "enabled": {"on"},
		"comment": {"because: ü\n"},
	}
}

func TestCreate(t *testing.T) {
	api := fakeapi.Empty()
	b := open(t, api)
	status, _, to := b.post(t, "/campaigns/new", typed("a b/ü?&c", ""))
	require.Equal(t, http.StatusUnprocessableEntity, status, "an ID is of ASCII")
	require.Empty(t, to)

	status, _, to = b.post(t, "/campaigns/new", typed("a b/..?&c", ""))
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/campaign?done=created&id=a+b%2F..%3F%26c&revision=2", to)
	write := api.Writes()[1]
	require.Equal(t, "POST", write.Method)
	require.Equal(t, "/campaigns", write.Path)
	require.Equal(t, "because:%20%C3%BC", write.Header.Get("X-Comment"))
	require.JSONEq(t, `{"id":"a b/..?&c","name":"Évening & more","video_url":"https://v.example/new.mp4","country":"us","lang":"eng","start_hour":17,"end_hour":2,
		"time_zone":"America/New_York","days":["fri","sat"],"start_at":"2027-03-01T08:00:00+01:00","end_at":"2027-04-01T08:00:00+02:00","priority":-3,"weight":20,
		"labels":["one","two, too"]}`, write.Body)

	status, page := b.get(t, to)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, visible(t, page), "The campaign is created.")
	require.Equal(t, "one\ntwo, too", value(t, page, "labels"))
	require.Equal(t, "-3", value(t, page, "priority"))
	require.Equal(t, `"saved-1"`, value(t, page, "etag"))
}

// TestFindingsAreShownWithTheirFields, and everything that was typed stays.
func TestFindingsAreShownWithTheirFields(t *testing.T) {
	api := fakeapi.Sample(noon)
	form := typed("bad", "")
	form.Set("country", "usa")
	form.Set("start_hour", "7.5")
	form.Set("weight", "0")
	form.Set("time_zone", "Mars/Olympus")
	form.Del("video_url")
	status, page, _ := open(t, api).post(t, "/campaigns/new", form)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	text := visible(t, page)
	for _, words := range []string{"Video address is missing.", "Country must be", "From hour must be an integer", "Weight must be from 1 to 100, is 0.", "Time zone "} {
		require.Contains(t, text, words)
	}
	require.Equal(t, 5, strings.Count(page, `aria-invalid="true"`))
	for name, values := range form {
		if name != "days" && name != "etag" && name != "enabled" && name != "video_url" {
			require.Equal(t, strings.ReplaceAll(values[0], "\r\n", "\n"), strings.ReplaceAll(value(t, page, name), "\r\n", "\n"), name)
		}
	}
	require.Equal(t, 3, strings.Count(page, " checked"))
}

func TestSave(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, api)
	status, _, to := b.post(t, "/campaign", typed("evening", `"first"`))
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/campaign?done=saved&id=evening&revision=2", to)
	write := api.Writes()[0]
	require.Equal(t, "PUT", write.Method)
	require.Equal(t, "/campaigns/evening", write.Path)
	require.Equal(t, `"first"`, write.Header.Get("If-Match"))
}

// TestConflict: of two who edit the same campaign the second sees both versions and loses nothing of what was typed.
func TestConflict(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, api)
	first := typed("evening", `"first"`)
	first.Set("weight", "7")
	status, _, _ := b.post(t, "/campaign", first)
	require.Equal(t, http.StatusSeeOther, status)

	second := typed("evening", `"first"`)
	second.Set("name", "mine")
	status, page, _ := b.post(t, "/campaign", second)
	require.Equal(t, http.StatusPreconditionFailed, status)
	text := visible(t, page)
	require.Contains(t, text, "Somebody else changed this campaign")
	require.Contains(t, text, "NameÉvening & moremine", "what is there, and what was typed")
	require.Contains(t, text, "Weight720")
	require.Equal(t, 2, strings.Count(page[strings.Index(page, "Somebody else"):strings.Index(page, "What becomes")], `<th scope="row">`), "only what differs")
	for name, values := range second {
		if name != "days" && name != "etag" && name != "labels" {
			require.Equal(t, strings.TrimSpace(values[0]), strings.TrimSpace(value(t, page, name)), name)
		}
	}
	require.Equal(t, `"saved-1"`, value(t, page, "etag"), "who saves again has seen it")

	second.Set("etag", value(t, page, "etag"))
	status, _, _ = b.post(t, "/campaign", second)
	require.Equal(t, http.StatusSeeOther, status)
}

func TestConflictWithADeletion(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, api)
	status, _, _ := b.post(t, "/campaign/delete", url.Values{"id": {"always"}, "etag": {`"first"`}})
	require.Equal(t, http.StatusSeeOther, status)
	form := typed("always", `"first"`)
	status, page, _ := b.post(t, "/campaign", form)
	require.Equal(t, http.StatusPreconditionFailed, status)
	require.Contains(t, visible(t, page), "Somebody else deleted this campaign")
	require.Empty(t, value(t, page, "etag"))
	form.Set("etag", "")
	status, _, _ = b.post(t, "/campaign", form)
	require.Equal(t, http.StatusSeeOther, status)
	writes := api.Writes()
	require.Equal(t, "*", writes[len(writes)-1].Header.Get("If-None-Match"))
}

func TestForms(t *testing.T) {
	for name, tc := range map[string]struct {
		path, form          string
		method, asked, body string
		to                  string
		says                string
	}{
		"pause":                             {"/campaign/pause", `id=always&etag="first"`, "PATCH", "/campaigns/always", `{"enabled":false}`, "/campaign?done=paused&id=always&revision=2", "is paused"},
		"pause from a list":                 {"/campaign/pause", `id=always&etag="first"&back=/campaigns?q=a%26done=x`, "PATCH", "/campaigns/always", `{"enabled":false}`, "/campaigns?done=paused&q=a&revision=2", "is paused"},
		"pause from somewhere else":         {"/campaign/pause", `id=always&etag="first"&back=//evil.example/campaigns`, "PATCH", "/campaigns/always", `{"enabled":false}`, "/campaign?done=paused&id=always&revision=2", "is paused"},
		"unpause an ID with a slash":        {"/campaign/unpause", `id=paused/one&etag="first"`, "PATCH", "/campaigns/paused/one", `{"enabled":true}`, "/campaign?done=unpaused&id=paused%2Fone&revision=2", "is not paused any more"},
		"delete":                            {"/campaign/delete", `id=always&etag="first"`, "DELETE", "/campaigns/always", "", "/campaigns?done=deleted&revision=2", "is deleted"},
		"delete what replaced the source’s": {"/campaign/delete", `id=evening&etag="first"`, "DELETE", "/campaigns/evening", "", "/campaigns?done=restored&revision=2", "takes its place again"},
		"revert":                            {"/revisions/revert", "n=41", "POST", "/revisions/41/revert", "", "/history?done=reverted&revision=2", "undone"},
		"roll back":                         {"/versions/rollback", "version=9b0e&comment=bad", "POST", "/versions/9b0e/rollback", "", "/history?done=rolled&version=9b0e", "The version is pinned. It is published in a moment"},
		"resume":                            {"/pin/resume", "", "DELETE", "/pin", "", "/history?done=resumed", "Resumed"},
		"confirm what is held":              {"/held/confirm", "version=a81b", "POST", "/held/a81b/confirm", "", "/?done=confirm&version=a81b", "is confirmed. It is published in a moment"},
		"refuse what is held":               {"/held/refuse", "version=a81b", "POST", "/held/a81b/refuse", "", "/?done=refuse&version=a81b", "refused"},
		"ask the source":                    {"/source/poll", "", "POST", "/source/poll", "", "/?done=poll", "being asked"},
	} {
		t.Run(name, func(t *testing.T) {
			api := fakeapi.Sample(noon)
			b := open(t, api)
			form, err := url.ParseQuery(tc.form)
			require.NoError(t, err)
			status, _, to := b.post(t, tc.path, form)
			require.Equal(t, http.StatusSeeOther, status)
			require.Equal(t, tc.to, to)
			require.Len(t, api.Writes(), 1)
			write := api.Writes()[0]
			require.Equal(t, []string{tc.method, tc.asked, tc.body}, []string{write.Method, write.Path, write.Body})
			require.Equal(t, form.Get("comment"), write.Header.Get("X-Comment"))
			if form.Get("etag") != "" {
				require.Equal(t, `"first"`, write.Header.Get("If-Match"))
			}
			_, page := b.get(t, to)
			require.Contains(t, visible(t, page), tc.says)
		})
	}
}

// TestFindingsNameTheFieldsOfTheForm, and not those of the API.
func TestFindingsNameTheFieldsOfTheForm(t *testing.T) {
	form := typed("bad", "")
	form.Set("end_at", "2027-02-01T08:00:00Z")
	_, page, _ := open(t, fakeapi.Sample(noon)).post(t, "/campaigns/new", form)
	require.Contains(t, visible(t, page), "Flight ends must be after Flight begins, ")
	require.NotContains(t, visible(t, page), "start_at")
}

// TestAChangeThatMayHaveBeenMade is not offered to be made again; one that was not made is.
func TestAChangeThatMayHaveBeenMade(t *testing.T) {
	for code, unclear := range map[string]bool{"store_unavailable": true, "timeout": true, "contended": false, "busy": false} {
		api := fakeapi.Sample(noon)
		b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				api.ServeHTTP(w, r)
				return
			}
			_ = web.Write(w, http.StatusServiceUnavailable, web.Error{Code: code, Message: "Not now."}) // the test sees what came of it
		}))
		_, page, _ := b.post(t, "/versions/rollback", url.Values{"version": {"9b0e"}})
		require.Equal(t, unclear, strings.Contains(visible(t, page), "It is not known whether that was done"), code)
		require.Equal(t, unclear, strings.Contains(visible(t, page), "Look first"), code)
		require.Equal(t, !unclear, strings.Contains(visible(t, page), "Try again in a moment"), code)
		_, page = b.upload(t, "/campaigns/import", false, nil, field{"file", goodDocument})
		require.Equal(t, unclear, strings.Contains(visible(t, page), "It is not known whether it was imported"), code)
		_, page = b.upload(t, "/campaigns/import?dry_run=true", false, nil, field{"file", goodDocument})
		require.Contains(t, visible(t, page), "Nothing was changed", code)
	}
}

// TestAChangeThatIsTooLate: a pause of what was changed since is refused, and says so.
func TestAChangeThatIsTooLate(t *testing.T) {
	status, page, _ := open(t, fakeapi.Sample(noon)).post(t, "/campaign/pause", url.Values{"id": {"always"}, "etag": {`"older"`}})
	require.Equal(t, http.StatusPreconditionFailed, status)
	require.Contains(t, visible(t, page), "Somebody else was faster")
	require.Contains(t, page, `<a href="/campaign?id=always">`)
	require.NotContains(t, visible(t, page), "Go back")
}

func TestAFormThatIsTooLarge(t *testing.T) {
	api := fakeapi.Sample(noon)
	status, page, _ := open(t, api).post(t, "/campaigns/new", url.Values{"name": {strings.Repeat("x", 100<<10)}})
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, visible(t, page), "too large")
	require.Empty(t, api.Writes())
}

// TestNobodysLinkPutsWordsIntoAPage: what was done is said in our words only.
func TestNobodysLinkPutsWordsIntoAPage(t *testing.T) {
	_, page := open(t, fakeapi.Sample(noon)).get(t, "/campaigns?done=Call+555-1234")
	require.NotContains(t, visible(t, page), "555")
}

// TestUnpausingWhatItsSourcePauses does not say that it runs.
func TestUnpausingWhatItsSourcePauses(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			_, _ = w.Write([]byte(`{"revision":2,"campaign":{"id":"paused/one","state":"paused"}}`))
			return
		}
		api.ServeHTTP(w, r)
	}))
	_, _, to := b.post(t, "/campaign/unpause", url.Values{"id": {"paused/one"}, "etag": {`"first"`}})
	_, page := b.get(t, to)
	require.Contains(t, visible(t, page), "its source has it paused")
}
