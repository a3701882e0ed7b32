package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

// TestWhatWasDone names the campaign and leads to the revision, which is what says the name.
func TestWhatWasDone(t *testing.T) {
	api := fakeapi.Sample(noon)
	one := apiv1.RevisionChanges{Revision: apiv1.Revision{Number: 2, At: noon, Who: "olga", Kind: "delete", Changes: 1}}
	one.Items = []apiv1.RevisionChange{{ID: "<b>always"}}
	many := apiv1.RevisionChanges{Revision: apiv1.Revision{Number: 3, At: noon, Who: "olga", Kind: "import", Changes: 2}}
	many.Items = []apiv1.RevisionChange{{ID: "first"}}
	api.Revisions = append(api.Revisions, one, many)
	for path, words := range map[string]string{
		"/campaigns?done=deleted&revision=2":          "The campaign <b>always is deleted. Revision 2, where it can be undone.",
		"/campaigns?done=paused&revision=2&id=Call+1": "The campaign <b>always is paused. Revision 2, where it can be undone.",
		"/campaigns?done=paused&revision=3":           "The campaign is paused. Revision 3, where it can be undone.",
		"/campaigns?done=paused&revision=7":           "The campaign is paused. Campaigns",
		"/?done=confirm&version=other":                "The held version is confirmed. It is published in a moment, unless another is pinned.",
		"/?done=confirm&version=3f6c1a9be04d5d22c7":   "The held version is confirmed and published.",
		"/fleet?done=rolled&version=11d2":             "The version is pinned. It is published in a moment",
	} {
		_, page := open(t, api).get(t, path)
		require.Contains(t, visible(t, page), words, path)
		require.Contains(t, page, `id="done" data-live`, "what is in a moment is not for ever")
	}
	_, page := as(t, api, viewerToken).get(t, "/campaigns?done=deleted&revision=2")
	require.NotContains(t, visible(t, page), "undone")
}

// TestTheScriptSendsForms and is answered in JSON: with the page, which stays where it is, or where to go.
func TestTheScriptSendsForms(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, api)
	post := func(path string, form url.Values) (int, sent) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		a, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		defer func() { require.NoError(t, a.Body.Close()) }()
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		var s sent
		require.NoError(t, json.NewDecoder(a.Body).Decode(&s))
		return a.StatusCode, s
	}
	status, s := post("/campaign/pause", url.Values{"id": {"always"}, "etag": {`"first"`}})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, sent{Redirect: "/campaign?done=paused&id=always&revision=2"}, s)

	status, s = post("/campaign", typed("evening", `"older"`))
	require.Equal(t, http.StatusPreconditionFailed, status)
	checkPage(t, s.Page)
	require.Contains(t, s.Page, `id="becomes" data-live`, "it is shown where its address is that of the campaign")
	require.Equal(t, "-3", value(t, s.Page, "priority"))

	status, s = post("/campaign/pause", url.Values{"id": {"evening"}, "etag": {`"older"`}})
	require.Equal(t, http.StatusPreconditionFailed, status)
	require.Contains(t, visible(t, s.Page), "The campaign evening as it is now")
	require.Contains(t, s.Page, `href="/campaign?id=evening"`)
	require.NotContains(t, s.Page, "data-live")
}

// TestCharactersWithoutAShapeAreShown in texts, and are as they were in what is sent back.
func TestCharactersWithoutAShapeAreShown(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Campaigns[0] = fakeapi.Campaign("{\"id\":\"always\",\"name\":\"a\u202egnp.exe\u200b\",\"video_url\":\"https://v.example/1\",\"country\":\"us\",\"lang\":\"eng\"," +
		"\"start_hour\":0,\"end_hour\":24,\"labels\":[\"x\u2066y\"]}")
	b := open(t, api)
	for _, path := range []string{"/campaigns", "/campaign?id=always"} {
		_, page := b.get(t, path)
		require.Contains(t, visible(t, page), `a\u202egnp.exe\u200b`, path)
		require.Contains(t, visible(t, page), `x\u2066y`, path)
	}
	_, page := b.get(t, "/campaign?id=always")
	require.Equal(t, "a\u202egnp.exe\u200b", value(t, page, "name"))
	require.Equal(t, "x\u2066y", value(t, page, "labels"))
	_, page = open(t, fakeapi.Sample(noon)).get(t, "/")
	require.Contains(t, page, "72\u00a0%", "a space has a shape")
}
