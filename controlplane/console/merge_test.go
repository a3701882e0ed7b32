package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

// TestAConflictTakesOverWhatOneLeftAlone: of two who edit one campaign each keeps what only he changed, and the second is shown what both
// did, with who was first.
func TestAConflictTakesOverWhatOneLeftAlone(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Campaigns[0].Revision = 41
	b := open(t, api)
	_, page := b.get(t, "/campaign?id=always")
	loaded := formValues(t, page)
	loaded.Set("weight", "7")
	api.Do(func(a *fakeapi.API) {
		changed := fakeapi.Campaign(`{"id":"always","name":"Theirs","video_url":"https://video.example.com/always.mp4","country":"us","lang":"eng",
			"start_hour":0,"end_hour":24,"weight":9,"labels":["house"],"start_at":"2027-03-01T08:30:00Z","enabled":false}`)
		changed.ETag, changed.Revision = `"theirs"`, 41
		a.Campaigns[0] = changed
	})
	status, page, _ := b.post(t, "/campaign", loaded)
	require.Equal(t, http.StatusPreconditionFailed, status)
	text := visible(t, page)
	require.Contains(t, text, "Somebody else changed this campaign olga, 2027-01-04 09:00 UTC, revision 41 (edit), “Evening hours, as agreed with sales”.")
	require.Contains(t, text, "You both changed: FieldBeforeThere nowWhat you typed Weight397 You left these alone")
	require.Contains(t, text, "NameAll day, everybodyTheirs")
	require.Contains(t, text, "Labelshouse, q1house")
	require.Contains(t, text, "Enabledtruefalse")
	require.Contains(t, text, "Save mine")
	for name, want := range map[string]string{"name": "Theirs", "weight": "7", "start_at": "2027-03-01T08:30:00Z", "labels": "house", "etag": `"theirs"`} {
		require.Equal(t, want, value(t, page, name), name)
	}

	again := formValues(t, page)
	require.Empty(t, again["enabled"])
	status, _, _ = b.post(t, "/campaign", again)
	require.Equal(t, http.StatusSeeOther, status)
	writes := api.Writes()
	require.JSONEq(t, `{"id":"always","name":"Theirs","video_url":"https://video.example.com/always.mp4","country":"us","lang":"eng","start_hour":0,"end_hour":24,
		"weight":7,"labels":["house"],"start_at":"2027-03-01T08:30:00Z","enabled":false}`, writes[len(writes)-1].Body)
}

// TestAConflictOfNothing: what was typed and what is there are two ways to say the same, or fields apart.
func TestAConflictOfNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		there, typed url.Values
		says, hides  string
	}{
		"the same change": {url.Values{"weight": {"5"}}, url.Values{"weight": {"5"}}, "There is nothing left to save.", "You both changed"},
		"a default that is typed, and an instant with another offset": {
			url.Values{"weight": {""}, "start_at": {"2027-03-01T08:30:00Z"}},
			url.Values{"weight": {"1"}, "start_at": {"2027-03-01T09:30:00+01:00"}},
			"There is nothing left to save.", "You both changed",
		},
		"fields apart": {url.Values{"weight": {"5"}}, url.Values{"name": {"mine"}}, "what you changed nobody else did", "You both changed"},
	} {
		t.Run(name, func(t *testing.T) {
			api := fakeapi.Sample(noon)
			b := open(t, api)
			_, page := b.get(t, "/campaign?id=always")
			form := formValues(t, page)
			theirs := laid(form, tc.there)
			text, err := json.Marshal(campaignOf(theirs))
			require.NoError(t, err)
			api.Do(func(a *fakeapi.API) {
				a.Campaigns[0] = fakeapi.Campaign(string(text))
				a.Campaigns[0].ETag = `"theirs"`
			})
			_, page, _ = b.post(t, "/campaign", laid(form, tc.typed))
			require.Contains(t, visible(t, page), tc.says)
			require.NotContains(t, visible(t, page), tc.hides)
			require.NotContains(t, visible(t, page), "Save mine")
		})
	}
}

// TestMerge: whatever two people typed, a field has the change of the one who made one, and is told where both did.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := func(name string) url.Values {
			return url.Values{
				"name": {rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, name+" name")}, "weight": {rapid.SampledFrom([]string{"2", "3", "4"}).Draw(t, name+" weight")},
				"days": rapid.SampledFrom([][]string{nil, {"mon"}, {"mon", "tue"}}).Draw(t, name+" days"), "comment": {name},
			}
		}
		base, there, typed := values("base"), values("there"), values("typed")
		m := merge(base, there, typed)
		was, now, mine, got := textsOf(base), textsOf(there), textsOf(typed), textsOf(m.Values)
		both, theirs, same := 0, 0, true
		for _, in := range inputs {
			want := mine[in.Name]
			switch {
			case now[in.Name] == mine[in.Name]:
			case mine[in.Name] == was[in.Name]:
				want = now[in.Name]
				theirs++
			case now[in.Name] != was[in.Name]:
				both++
				same = false
			default:
				same = false
			}
			require.Equal(t, want, got[in.Name], in.Name)
		}
		require.Len(t, m.Both, both)
		require.Len(t, m.Theirs, theirs)
		require.Equal(t, same, m.Same)
		require.Equal(t, "typed", m.Values.Get("comment"))
		require.Empty(t, merge(nil, there, typed).Theirs, "nothing is taken over where it is not known what was left alone")
	})
}

// TestWhoDeletedACampaign is told to who would save it, and to who opens its page.
func TestWhoDeletedACampaign(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Revisions = append([]apiv1.RevisionChanges{{Revision: apiv1.Revision{
		Number: 42, At: noon.Add(-time.Minute), Who: "olga", Kind: "delete", Changes: 1, FirstIDs: []string{"always"}, Removed: 1,
	}}}, api.Revisions...)
	api.Campaigns = api.Campaigns[1:]
	b := open(t, api)
	_, page, _ := b.post(t, "/campaign", typed("always", `"first"`))
	require.Contains(t, visible(t, page), "Somebody else deleted this campaign olga, 2027-01-04 11:59 UTC, revision 42 (delete).")
	require.Contains(t, visible(t, page), "Save mine")
	status, page := b.get(t, "/campaign?id=always")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, visible(t, page), "The campaign always was there until revision 42, by olga at 2027-01-04 11:59 UTC (delete). Revision 42, where it can be undone")
}
