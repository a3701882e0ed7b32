package api

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

func TestCreate(t *testing.T) {
	h := start(t, nil)
	got := h.must(t, 201, request{
		method: "POST", path: "/campaigns", body: plain("new", `,"priority":0,"enabled":true`),
		header: map[string]string{"X-Comment": url.PathEscape("weil's so ist – ünd")},
	})
	saved := decoded[apiv1.Saved](t, got)
	require.Equal(t, uint64(1), saved.Revision)
	require.Equal(t, "/api/v1/campaigns/new", got.header.Get("Location"))
	require.Equal(t, saved.Campaign.ETag, got.header.Get("ETag"))
	require.JSONEq(t, plain("new", ""), string(saved.Campaign.Campaign), "defaults are left out")

	page := get[apiv1.Page[apiv1.Revision]](t, h, "/revisions")
	require.Len(t, page.Items, 1)
	require.Equal(t, "alice", page.Items[0].Who)
	require.Equal(t, "weil's so ist – ünd", page.Items[0].Comment)
	require.Equal(t, "create", page.Items[0].Kind)

	require.Equal(t, "campaign_exists", codeOf(t, h.must(t, 409, request{method: "POST", path: "/campaigns", body: plain("new", "")})))
	require.Equal(t, "campaign_exists", codeOf(t, h.must(t, 409, request{method: "POST", path: "/campaigns", body: plain("s1", "")})))
}

func TestWhatIsRefused(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		q      request
		status int
		code   string
		fields []string
	}{
		"every field that is wrong": {
			request{method: "POST", path: "/campaigns", body: `{"id":"","video_url":"x","country":"usa","lang":"en","start_hour":25,"weight":0,"foo":1}`},
			422, "invalid_campaign",
			[]string{"id", "video_url", "country", "start_hour", "end_hour", "weight", "foo"},
		},
		"a field that is there twice": {request{method: "POST", path: "/campaigns", body: plain("x", `,"id":"y"`)}, 422, "invalid_campaign", []string{"id"}},
		"an array":                    {request{method: "POST", path: "/campaigns", body: `[]`}, 422, "invalid_campaign", []string{""}},
		"no JSON":                     {request{method: "POST", path: "/campaigns", body: `{"id":`}, 400, "invalid_json", nil},
		"a body over 64 KiB":          {request{method: "POST", path: "/campaigns", body: strings.Repeat(" ", maxBody+1)}, 413, "payload_too_large", nil},
		"another id than the path's":  {request{method: "PUT", path: "/campaigns/a", body: plain("b", "")}, 422, "invalid_campaign", []string{"id"}},
		"a patch of the id":           {request{method: "PATCH", path: "/campaigns/s1", body: `{"id":"s9"}`}, 422, "invalid_campaign", []string{"id"}},
		"a patch of nothing":          {request{method: "PATCH", path: "/campaigns/none", body: `{"enabled":false}`}, 404, "campaign_not_found", nil},
		"a patch that takes a field away that must be": {
			request{method: "PATCH", path: "/campaigns/s1", body: `{"video_url":null}`}, 422, "invalid_campaign", []string{"video_url"},
		},
		"a patch of an unknown field":       {request{method: "PATCH", path: "/campaigns/s1", body: `{"foo":null}`}, 422, "invalid_campaign", []string{"foo"}},
		"a patch with a member twice":       {request{method: "PATCH", path: "/campaigns/s1", body: `{"name":"a","name":"b"}`, lax: true}, 400, "invalid_json", nil},
		"a patch that is null":              {request{method: "PATCH", path: "/campaigns/s1", body: `null`}, 400, "invalid_json", nil},
		"a patch of an object":              {request{method: "PATCH", path: "/campaigns/s1", body: `{"name":{"a":1}}`}, 422, "invalid_campaign", []string{"name"}},
		"deleting a campaign of the source": {request{method: "DELETE", path: "/campaigns/s1"}, 409, "from_source", nil},
		"deleting what is not there":        {request{method: "DELETE", path: "/campaigns/none"}, 404, "campaign_not_found", nil},
		"deleting with a body":              {request{method: "DELETE", path: "/campaigns/s1", body: "x", lax: true}, 400, "bad_request", nil},
		"a comment that is too long":        {request{method: "POST", path: "/campaigns", body: plain("x", ""), header: map[string]string{"X-Comment": strings.Repeat("x", 1001)}, lax: true}, 400, "invalid_parameter", nil},
		"a comment that is no text":         {request{method: "POST", path: "/campaigns", body: plain("x", ""), header: map[string]string{"X-Comment": "%zz"}}, 400, "invalid_parameter", nil},
		"a condition that is none":          {request{method: "DELETE", path: "/campaigns/s1", header: map[string]string{"If-Match": "x"}, lax: true}, 400, "invalid_parameter", nil},
		"a viewer who creates":              {request{method: "POST", path: "/campaigns", body: plain("x", ""), who: vera}, 403, "read_only", nil},
		"a viewer who imports":              {request{method: "POST", path: "/document", body: `{"ads":[]}`, who: vera}, 403, "read_only", nil},
		"somebody without credentials":      {request{method: "GET", path: "/campaigns", who: strings.Repeat("x", 40)}, 401, "unauthorized", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.must(t, c.status, c.q)
			require.Equal(t, c.code, codeOf(t, got))
			if c.fields != nil {
				var fields []string
				for _, f := range decoded[apiv1.Invalid](t, got).Fields {
					fields = append(fields, f.Field)
				}
				require.ElementsMatch(t, c.fields, fields)
			}
		})
	}
	require.Zero(t, h.history.State().Rows.Revision())
}

// Two operators edit one campaign: the second is told what the first has made of it, and nothing is lost.
func TestTheSecondEditorGetsAConflict(t *testing.T) {
	h := start(t, nil)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("c", `,"name":"first"`)})
	seen := h.must(t, 200, request{method: "GET", path: "/campaigns/c"}).header.Get("ETag")
	h.must(t, 200, request{method: "PUT", path: "/campaigns/c", body: plain("c", `,"name":"bob's"`), who: bob, header: map[string]string{"If-Match": seen}})
	for name, q := range map[string]request{
		"replace": {method: "PUT", body: plain("c", `,"name":"alice's","weight":3`)},
		"patch":   {method: "PATCH", body: `{"name":"alice's","weight":3}`},
	} {
		t.Run(name, func(t *testing.T) {
			q.path, q.header = "/campaigns/c", map[string]string{"If-Match": seen}
			conflict := decoded[apiv1.Conflict](t, h.must(t, 412, q))
			require.Equal(t, "revision_conflict", conflict.Code)
			require.JSONEq(t, plain("c", `,"name":"bob's"`), string(conflict.Present.Campaign))
			require.Equal(t, []apiv1.FieldChange{
				{Field: "name", Before: []byte(`"bob's"`), After: []byte(`"alice's"`)}, {Field: "weight", Before: []byte("null"), After: []byte("3")},
			}, conflict.Changed)
		})
	}
	h.must(t, 412, request{method: "DELETE", path: "/campaigns/c", header: map[string]string{"If-Match": seen}})
	require.JSONEq(t, plain("c", `,"name":"bob's"`), string(get[apiv1.Campaign](t, h, "/campaigns/c").Campaign))
	require.Equal(t, uint64(2), h.history.State().Rows.Revision())

	h.must(t, 412, request{method: "PUT", path: "/campaigns/c", body: plain("c", ""), header: map[string]string{"If-None-Match": "*"}})
	h.must(t, 412, request{method: "PUT", path: "/campaigns/new", body: plain("new", ""), header: map[string]string{"If-Match": "*"}})
	h.must(t, 201, request{method: "PUT", path: "/campaigns/new", body: plain("new", ""), header: map[string]string{"If-None-Match": "*"}})
	present := h.must(t, 200, request{method: "GET", path: "/campaigns/c"}).header.Get("ETag")
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/c", body: `{"weight":2}`, header: map[string]string{"If-Match": `W/"x", "1-0",` + present}})
	h.must(t, 412, request{method: "PATCH", path: "/campaigns/c", body: `{"weight":3}`, header: map[string]string{"If-Match": "W/" + present}})
}

// A change of the source is one that an editor has not seen, too.
func TestAChangeOfTheSourceIsAConflict(t *testing.T) {
	h := start(t, nil)
	seen := h.must(t, 200, request{method: "GET", path: "/campaigns/s1"}).header.Get("ETag")
	h.publisher.setSource(t, strings.Replace(sourceDocument, "v.example/s1", "v.example/other", 1))
	conflict := decoded[apiv1.Conflict](t, h.must(t, 412, request{
		method: "PATCH", path: "/campaigns/s1", body: `{"weight":2}`, header: map[string]string{"If-Match": seen},
	}))
	require.Contains(t, string(conflict.Present.Campaign), "v.example/other")
}

func TestOverridesAndPauses(t *testing.T) {
	h := start(t, nil)
	saved := decoded[apiv1.Saved](t, h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`}))
	require.True(t, saved.Campaign.PausedByOperator)
	require.Equal(t, "source", saved.Campaign.Origin)
	require.Equal(t, "paused", saved.Campaign.State)
	row, _ := h.history.State().Rows.Get("s1")
	require.Empty(t, row.Row.Campaign, "the pause alone is stored")
	h.publisher.setSource(t, strings.Replace(sourceDocument, "v.example/s1", "v.example/moved", 1))
	require.Contains(t, string(get[apiv1.Campaign](t, h, "/campaigns/s1").Campaign), "v.example/moved", "it follows its source")
	require.Equal(t, "from_source", codeOf(t, h.must(t, 409, request{method: "DELETE", path: "/campaigns/s1"})))

	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":true}`})
	require.Zero(t, h.history.State().Rows.Len(), "nothing is left of the pause")

	saved = decoded[apiv1.Saved](t, h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"weight":5,"name":null}`}))
	require.True(t, saved.Campaign.Overrides)
	require.Contains(t, saved.Note, "replaces the source's")
	require.Contains(t, string(saved.Campaign.Source), "Spring")
	require.NotContains(t, string(saved.Campaign.Campaign), "Spring")
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`})
	require.Equal(t, "operator", get[apiv1.Campaign](t, h, "/campaigns/s1").Origin, "pausing an override changes the override")

	saved = decoded[apiv1.Saved](t, h.must(t, 200, request{method: "DELETE", path: "/campaigns/s1"}))
	require.Contains(t, saved.Note, "source's campaign is in force again")
	require.Contains(t, string(saved.Campaign.Campaign), "Spring")

	before := h.history.State().Rows.Revision()
	saved = decoded[apiv1.Saved](t, h.must(t, 200, request{method: "PATCH", path: "/campaigns/s2", body: `{"weight":1}`}))
	require.Equal(t, "Nothing changed.", saved.Note)
	require.Equal(t, before, h.history.State().Rows.Revision(), "what asks for nothing new overrides nothing")

	// The source itself has paused s4: enabling it replaces it.
	saved = decoded[apiv1.Saved](t, h.must(t, 200, request{method: "PATCH", path: "/campaigns/s4", body: `{"enabled":true}`}))
	require.True(t, saved.Campaign.Overrides)
	require.Equal(t, "running", saved.Campaign.State)
}

// The pause of a campaign that its source has dropped is still there to be taken away.
func TestThePauseOfACampaignThatIsGone(t *testing.T) {
	h := start(t, nil)
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`})
	h.publisher.setSource(t, `{"ads":[]}`)
	h.must(t, 404, request{method: "GET", path: "/campaigns/s1"})
	h.must(t, 200, request{method: "DELETE", path: "/campaigns/s1"})
	require.Zero(t, h.history.State().Rows.Len())
	h.must(t, 404, request{method: "DELETE", path: "/campaigns/s1"})
	h.must(t, 200, request{method: "POST", path: "/revisions/2/revert"})
	h.must(t, 201, request{method: "PUT", path: "/campaigns/s1", body: plain("s1", "")})
	require.Equal(t, "operator", get[apiv1.Campaign](t, h, "/campaigns/s1").Origin)
}

// A campaign that its source pauses, too, stays paused without the operators' pause or override, which they are told.
func TestWhatTheSourcePausesItself(t *testing.T) {
	pause := request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`}
	for name, c := range map[string]struct{ before, q request }{
		"taking back a pause":      {pause, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":true}`}},
		"taking it back with null": {pause, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":null}`}},
		"deleting an override":     {request{method: "PATCH", path: "/campaigns/s1", body: `{"weight":3}`}, request{method: "DELETE", path: "/campaigns/s1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.must(t, 200, c.before)
			h.publisher.setSource(t, strings.Replace(sourceDocument, `"id":"s1",`, `"id":"s1","enabled":false,`, 1))
			saved := decoded[apiv1.Saved](t, h.must(t, 200, c.q))
			require.Zero(t, h.history.State().Rows.Len())
			require.Equal(t, "The campaign follows its source again, which pauses it itself: it stays paused.", saved.Note)
			require.Equal(t, "paused", saved.Campaign.State)
			require.False(t, saved.Campaign.PausedByOperator)
		})
	}
}
