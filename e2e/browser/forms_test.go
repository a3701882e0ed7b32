package browser_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

const (
	operatorToken = "operator-token-0123456789abcdef-01234567"
	olga          = "olga operator " + operatorToken + "\n"
)

// signIn signs in without leaving the page, as another tab does.
func signIn(t *testing.T) {
	t.Helper()
	var status int
	require.NoError(t, window.Run(t.Context(), `const x = new XMLHttpRequest(); x.open("POST", "/api/v1/session", false);
		x.setRequestHeader("Content-Type", "application/json"); x.send(JSON.stringify({ token: arguments[0] })); return x.status`, &status, operatorToken))
	require.Equal(t, http.StatusOK, status)
}

func typedValue(t *testing.T, name string) (text string) {
	t.Helper()
	require.NoError(t, window.Run(t.Context(), `return document.querySelector("form.edit [name=" + arguments[0] + "]").value`, &text, name))
	return text
}

var newCampaign = map[string]string{"id": "typed", "country": "us", "lang": "eng", "video_url": "https://v.example/1", "labels": "one"}

// TestNothingTypedIsLost when the session has ended, or the control plane is away.
func TestNothingTypedIsLost(t *testing.T) {
	for name, tc := range map[string]struct {
		away, back func(t *testing.T)
		says       string
	}{
		"signed out": {
			func(t *testing.T) { require.NoError(t, window.Forget(t.Context())) }, signIn,
			"You are signed out, and nothing was done. Sign in in another tab, then come back. What you typed is still here: press “Create campaign” again.",
		},
		"the control plane is away": {
			func(t *testing.T) { require.NoError(t, window.Offline(t.Context(), true)) },
			func(t *testing.T) { require.NoError(t, window.Offline(t.Context(), false)) },
			"The control plane cannot be reached. What you typed is still here: press “Create campaign” again when it is back.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			api := fakeapi.Sample(time.Now())
			address := site(t, api, olga)
			require.NoError(t, window.Open(t.Context(), address+"/sign-in"))
			signIn(t)
			require.NoError(t, window.Open(t.Context(), address+"/campaigns/new"))
			fill(t, newCampaign)
			tc.away(t)
			click(t, "form.edit button.primary")
			shown(t, "#told", tc.says)
			for field, text := range newCampaign {
				require.Equal(t, text, typedValue(t, field), field)
			}
			require.Empty(t, api.Writes())
			picture(t, strings.ReplaceAll(name, " ", "-")+"-1280-light")
			tc.back(t)
			click(t, "form.edit button.primary")
			shown(t, "h1", "typed")
			require.Len(t, api.Writes(), 1)
		})
	}
}

// TestTheOtherButtonsStay where they are when somebody is signed out.
func TestTheOtherButtonsStay(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	api.Pin = &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: time.Now()}
	address := site(t, api, olga)
	require.NoError(t, window.Open(t.Context(), address+"/sign-in"))
	for path, button := range map[string][]string{
		"/campaign?id=evening": {"form[action='/campaign/pause'] button", "form[action='/campaign/delete'] button", "form[action='/held/confirm'] button"},
		"/revisions/41":        {"form[action='/revisions/revert'] button"},
		"/history":             {"#versions details form button", "form[action='/pin/resume'] button"},
		"/campaigns":           {"form[action='/campaign/pause'] button"},
	} {
		signIn(t)
		require.NoError(t, window.Open(t.Context(), address+path))
		require.NoError(t, window.Run(t.Context(), `document.querySelectorAll("details").forEach((d) => { d.open = true; })`, nil))
		require.NoError(t, window.Forget(t.Context()))
		for _, selector := range button {
			require.NoError(t, window.Run(t.Context(), `document.getElementById("told")?.remove()`, nil))
			click(t, selector)
			shown(t, "#told", "You are signed out, and nothing was done.")
		}
	}
	require.Empty(t, api.Writes())
}

// TestSignedOutWithoutAScript: what was typed comes back, to be sent again.
func TestSignedOutWithoutAScript(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, olga)
	require.NoError(t, window.Open(t.Context(), address+"/sign-in"))
	signIn(t)
	require.NoError(t, window.Scripts(t.Context(), false))
	require.NoError(t, window.Open(t.Context(), address+"/campaigns/new"))
	fill(t, newCampaign)
	require.NoError(t, window.Forget(t.Context()))
	click(t, "form.edit button.primary")
	shown(t, "h1", "You are signed out")
	picture(t, "signed-out-page-1280-light")
	signIn(t)
	click(t, "form button")
	shown(t, "h1", "typed")
	require.Len(t, api.Writes(), 1)
}

// TestAConflictInABrowser: the page stays, live, and the form goes on from what is there.
func TestAConflictInABrowser(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, "")
	require.NoError(t, window.Open(t.Context(), address+"/campaign?id=always"))
	fill(t, map[string]string{"weight": "7"})
	api.Do(func(a *fakeapi.API) {
		text := strings.NewReplacer(`"weight":3`, `"weight":9`, "All day, everybody", "Theirs").Replace(string(a.Campaigns[0].Campaign))
		a.Campaigns[0].Campaign, a.Campaigns[0].ETag, a.Campaigns[0].Revision = []byte(text), `"theirs"`, 41
	})
	click(t, "form.edit button.primary")
	shown(t, "#conflict", "Weight 3 9 7")
	shown(t, "#conflict", "Name All day, everybody Theirs")
	require.Equal(t, "Theirs", typedValue(t, "name"))
	require.Equal(t, "7", typedValue(t, "weight"))
	for _, dark := range []bool{false, true} {
		require.NoError(t, window.Look(t.Context(), 1280, dark))
		picture(t, "conflict-both-1280-"+map[bool]string{false: "light", true: "dark"}[dark])
	}
	fill(t, map[string]string{"country": "usa"})
	click(t, "form.edit button.primary")
	shown(t, "#e-country", "Use two letters")
	fill(t, map[string]string{"country": "us"})
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign is saved.")
	var saved struct {
		Name   string
		Weight int
	}
	writes := api.Writes()
	require.NoError(t, json.Unmarshal([]byte(writes[len(writes)-1].Body), &saved))
	require.Equal(t, "Theirs", saved.Name)
	require.Equal(t, 7, saved.Weight)
}

// TestAnOpenPageOfADeletedCampaign says so, and keeps what is being typed.
func TestAnOpenPageOfADeletedCampaign(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/campaign?id=always"))
	require.Eventually(t, func() bool { return api.Listeners() == 1 }, 5*time.Second, 10*time.Millisecond)
	fill(t, map[string]string{"name": "mine"})
	api.Do(func(a *fakeapi.API) {
		a.Campaigns = a.Campaigns[1:]
		gone := apiv1.RevisionChanges{Revision: apiv1.Revision{Number: 42, Who: "kim", At: time.Now(), Kind: "delete", Changes: 1, FirstIDs: []string{"always"}}}
		a.Revisions = append([]apiv1.RevisionChanges{gone}, a.Revisions...)
	})
	shown(t, "#told", "The campaign always was there until revision 42, by kim")
	shown(t, "#live", "Not live")
	var hidden bool
	require.NoError(t, window.Run(t.Context(), `return document.getElementById("becomes").hidden`, &hidden))
	require.True(t, hidden, "it is not served any more")
	require.Equal(t, "mine", typedValue(t, "name"))
	picture(t, "deleted-1280-light")
}

// TestGoodNewsOfAMoment goes when the moment is over.
func TestGoodNewsOfAMoment(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/?done=confirm&version=a81b02c4d7e9ff1023"))
	shown(t, "#done", "It is published in a moment")
	require.Eventually(t, func() bool { return api.Listeners() == 1 }, 5*time.Second, 10*time.Millisecond)
	api.Do(func(a *fakeapi.API) { a.Held, a.Basis.Version = nil, "a81b02c4d7e9ff1023" })
	shown(t, "#done", "The held version is confirmed and published.")
}

// TestAWrongTokenIsTypedAgain on the same page, which keeps a name.
func TestAWrongTokenIsTypedAgain(t *testing.T) {
	require.NoError(t, window.Open(t.Context(), site(t, fakeapi.Sample(time.Now()), olga)+"/sign-in?next=%2Ffleet"))
	var focus string
	require.NoError(t, window.Run(t.Context(), "return document.activeElement.name", &focus))
	require.Equal(t, "token", focus)
	require.NoError(t, window.Run(t.Context(), "window.loadedOnce = true", nil))
	require.NoError(t, window.Type(t.Context(), "[name=token]", "wrong"))
	click(t, "form button")
	shown(t, "[role=alert]", "That is not right")
	var stayed bool
	require.NoError(t, window.Run(t.Context(), "return window.loadedOnce === true && document.activeElement.name === 'token' && document.activeElement.value === ''", &stayed))
	require.True(t, stayed, "the page was loaded again, and with it the name is gone")
	require.NoError(t, window.Type(t.Context(), "[name=token]", operatorToken))
	click(t, "form button")
	shown(t, "h1", "Fleet")
}

// TestTheListFits a usual window: its last column, which changes things, is not cut.
func TestTheListFits(t *testing.T) {
	require.NoError(t, window.Open(t.Context(), site(t, fakeapi.Sample(time.Now()), "")+"/campaigns"))
	var beyond int
	require.NoError(t, window.Run(t.Context(), `const s = document.querySelector("#list .scroll"); return s.scrollWidth - s.clientWidth`, &beyond))
	require.Zero(t, beyond)
	var columns string
	require.NoError(t, window.Run(t.Context(), `return document.querySelector("#list thead").textContent`, &columns))
	require.Contains(t, columns, "Priority")
}
