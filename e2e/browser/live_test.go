package browser_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// TestTheHistoryFollows what is published, but never under the hands of somebody who is about to change it.
func TestTheHistoryFollows(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/history"))
	shown(t, "#live", "Live")
	require.Eventually(t, func() bool { return api.Listeners() == 1 }, patience, 10*time.Millisecond)
	api.Do(func(a *fakeapi.API) {
		a.Pin = &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: time.Now()}
	})
	shown(t, "#versions", "11d2e3f4a5b6 published pinned")

	click(t, "#versions summary[aria-label^='Roll back']")
	require.NoError(t, window.Type(t.Context(), "#versions details[open] [name=comment]", "because"))
	api.Do(func(a *fakeapi.API) {
		a.Pin = nil
		a.Revisions[0].Who = "somebody else"
	})
	shown(t, "#live", "Not live while in use")
	shown(t, "#revisions", "somebody else")
	shown(t, "#versions", "11d2e3f4a5b6 published pinned")
	var text string
	require.NoError(t, window.Run(t.Context(), `return document.querySelector("#versions details[open] [name=comment]").value`, &text))
	require.Equal(t, "because", text)

	require.NoError(t, window.Run(t.Context(), `const i = document.querySelector("#versions details[open] [name=comment]"); i.value = ""; i.blur();`, nil))
	shown(t, "#versions", "3f6c1a9be04d published")
	shown(t, "#live", "Live")
	var open bool
	require.NoError(t, window.Run(t.Context(), `return document.querySelector("#versions details[open]") !== null`, &open))
	require.True(t, open, "what was open stays open")
	uncomplaining(t)
}

// TestWhatDoesNotFollowIsNotCalledLive: a form, and an error.
func TestWhatDoesNotFollowIsNotCalledLive(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, "")
	for _, path := range []string{"/campaigns/new", "/nothing"} {
		require.NoError(t, window.Open(t.Context(), address+path))
		shown(t, "h1", "N")
		if path == "/campaigns/new" { // whose notices follow
			require.Eventually(t, func() bool { return api.Listeners() == 1 }, patience, 10*time.Millisecond)
			api.Do(func(a *fakeapi.API) { a.Held = nil; a.Pin = &apiv1.Pin{Version: "x", Who: "olga", At: time.Now()} })
			shown(t, "#notices", "Pinned")
		}
		var hidden bool
		require.NoError(t, window.Run(t.Context(), `return document.getElementById("live").hidden`, &hidden))
		require.True(t, hidden, path)
	}
}

// TestAllErrorsInOneRound, without the good news of what was done before.
func TestAllErrorsInOneRound(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/campaign?id=always&done=saved"))
	shown(t, "main", "The campaign is saved.")
	fill(t, map[string]string{"country": "usa", "time_zone": "Mars/Olympus", "start_at": "2027-03-02", "end_at": "2027-03-01T08:00:00Z"})
	click(t, "form.edit button.primary")
	shown(t, "#e-country", "Use two letters")
	shown(t, "#e-time_zone", "No time zone has this name.")
	shown(t, "#e-start_at", "Write date, time and offset")
	var text string
	require.NoError(t, window.Run(t.Context(), `return document.getElementById("e-end_at").textContent + document.querySelectorAll("#done").length`, &text))
	require.Equal(t, "0", text, "it is not known to be before the beginning; and nothing is saved")
	require.Empty(t, api.Writes())
}
