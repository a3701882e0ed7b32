package api

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/revision"
)

func TestRevisionsAndRevert(t *testing.T) {
	h := start(t, nil)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("a", "")})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/a", body: `{"weight":2}`, who: bob})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`})

	page := get[apiv1.Page[apiv1.Revision]](t, h, "/revisions?limit=2")
	require.Equal(t, 3, page.Total)
	require.Equal(t, []uint64{3, 2}, []uint64{page.Items[0].Number, page.Items[1].Number})
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("b", "")}) // moves no page
	page = get[apiv1.Page[apiv1.Revision]](t, h, "/revisions?limit=2&cursor="+page.Next)
	require.Equal(t, uint64(1), page.Items[0].Number)
	require.Empty(t, page.Next)

	second := get[apiv1.RevisionChanges](t, h, "/revisions/2")
	require.Equal(t, "bob", second.Who)
	require.Len(t, second.Items, 1)
	require.JSONEq(t, plain("a", ""), string(second.Items[0].Before))
	require.JSONEq(t, plain("a", `,"weight":2`), string(second.Items[0].After))
	require.JSONEq(t, `{"id":"s1","enabled":false}`, string(get[apiv1.RevisionChanges](t, h, "/revisions/3").Items[0].After))

	conflict := decoded[apiv1.Conflict](t, h.must(t, 412, request{method: "POST", path: "/revisions/1/revert"}))
	require.JSONEq(t, plain("a", `,"weight":2`), string(conflict.Present.Campaign), "it was changed since")
	require.Equal(t, []string{"a"}, conflict.IDs)
	require.Contains(t, conflict.Changed, apiv1.FieldChange{Field: "weight", Before: []byte("2"), After: []byte("null")}, "it would be gone")
	saved := decoded[apiv1.Saved](t, h.must(t, 200, request{method: "POST", path: "/revisions/2/revert", body: `{"comment":"too much"}`, who: bob}))
	require.Equal(t, uint64(5), saved.Revision)
	require.JSONEq(t, plain("a", ""), string(get[apiv1.Campaign](t, h, "/campaigns/a").Campaign))
	undone := get[apiv1.RevisionChanges](t, h, "/revisions/5").Revision
	require.Equal(t, apiv1.Revision{Number: 5, At: monday, Who: "bob", Comment: "too much", Kind: "revert", Reverts: 2, Changes: 1, FirstIDs: []string{"a"}, Changed: 1}, undone)

	for _, path := range []string{"/revisions/6", "/revisions/0", "/revisions/x", "/revisions/99999999999999999999"} {
		require.Equal(t, "revision_not_found", codeOf(t, h.must(t, 404, request{method: "GET", path: path})))
	}
	h.must(t, 404, request{method: "POST", path: "/revisions/9/revert"})
	require.Equal(t, "invalid_json", codeOf(t, h.must(t, 400, request{method: "POST", path: "/revisions/2/revert", body: `{"foo":1}`})))
}

// What clients refuse by themselves is what the API refuses.
func TestClientsKnowTheLimitOfAComment(t *testing.T) {
	require.Equal(t, revision.MaxCommentRunes, apiv1.MaxComment)
}

func TestDiffOfTwoRevisions(t *testing.T) {
	h := start(t, nil)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("a", "")})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/a", body: `{"weight":2}`})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`})
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("b", "")})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/a", body: `{"weight":3}`})
	h.must(t, 200, request{method: "DELETE", path: "/campaigns/b"})

	d := get[apiv1.RevisionsDiff](t, h, "/revisions/1/diff/6")
	require.Equal(t, []any{uint64(1), uint64(6), 2, ""}, []any{d.From, d.To, d.Total, d.Next})
	require.Equal(t, []string{"a", "s1"}, []string{d.Items[0].ID, d.Items[1].ID}, "b came and went")
	require.JSONEq(t, plain("a", ""), string(d.Items[0].Before))
	require.JSONEq(t, plain("a", `,"weight":3`), string(d.Items[0].After))
	require.Nil(t, d.Items[1].Before)
	require.JSONEq(t, `{"id":"s1","enabled":false}`, string(d.Items[1].After))

	first := get[apiv1.RevisionsDiff](t, h, "/revisions/1/diff/6?limit=1")
	require.Equal(t, d.Items[:1], first.Items)
	require.Equal(t, 2, first.Total)
	second := get[apiv1.RevisionsDiff](t, h, "/revisions/1/diff/6?limit=1&cursor="+first.Next)
	require.Equal(t, d.Items[1:], second.Items)
	require.Empty(t, second.Next)
	beyond := get[apiv1.RevisionsDiff](t, h, "/revisions/1/diff/6?cursor="+cursorOf("9000000000000000000"))
	require.Equal(t, []apiv1.RevisionChange{}, beyond.Items)
	require.Empty(t, beyond.Next)

	whole := get[apiv1.RevisionsDiff](t, h, "/revisions/0/diff/6")
	require.Equal(t, 2, whole.Total, "all that there is, from nothing")
	require.Nil(t, whole.Items[0].Before)
	require.Nil(t, whole.Items[1].Before)

	for _, path := range []string{"/revisions/2/diff/1", "/revisions/2/diff/2"} {
		require.Equal(t, "invalid_parameter", codeOf(t, h.must(t, 400, request{method: "GET", path: path, lax: true})))
	}
	for _, path := range []string{"/revisions/0/diff/0", "/revisions/1/diff/7", "/revisions/x/diff/2", "/revisions/1/diff/99999999999999999999"} {
		require.Equal(t, "revision_not_found", codeOf(t, h.must(t, 404, request{method: "GET", path: path})), path)
	}
	h.must(t, 200, request{method: "GET", path: "/revisions/1/diff/2", who: vera})
}

// A revert that is too late says what it would have made of what is there.
func TestTheConflictOfARevert(t *testing.T) {
	for name, c := range map[string]struct {
		first string // what is to be undone
		want  []apiv1.FieldChange
	}{
		"to another campaign": {`{"name":"first","weight":3}`, []apiv1.FieldChange{
			{Field: "name", Before: []byte(`"second"`), After: []byte(`"Spring \u003cscript\u003ealert(1)\u003c/script\u003e"`)},
			{Field: "weight", Before: []byte("3"), After: []byte("null")},
		}},
		"to no pause": {`{"enabled":false}`, []apiv1.FieldChange{
			{Field: "enabled", Before: []byte("false"), After: []byte("null")},
			{Field: "name", Before: []byte(`"second"`), After: []byte(`"Spring \u003cscript\u003ealert(1)\u003c/script\u003e"`)},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: c.first})
			h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"name":"second"}`})
			conflict := decoded[apiv1.Conflict](t, h.must(t, 412, request{method: "POST", path: "/revisions/1/revert"}))
			require.Equal(t, []string{"s1"}, conflict.IDs)
			require.Equal(t, "s1", conflict.Present.ID)
			require.Len(t, conflict.Changed, len(c.want))
			for n, want := range c.want {
				got := conflict.Changed[n]
				require.Equal(t, want.Field, got.Field)
				require.JSONEq(t, string(want.Before), string(got.Before))
				require.JSONEq(t, string(want.After), string(got.After))
			}
		})
	}
}

func TestPagesOfChanges(t *testing.T) {
	h := start(t, nil)
	document := `{"ads":[`
	for n := range 7 {
		if n > 0 {
			document += ","
		}
		document += plain(fmt.Sprintf("c%d", n), "")
	}
	h.must(t, 200, request{method: "POST", path: "/document", body: document + "]}"})
	var seen []string
	cursor := ""
	for range 3 {
		page := get[apiv1.RevisionChanges](t, h, "/revisions/1?limit=3&cursor="+cursor)
		require.Equal(t, 7, page.Total)
		for _, c := range page.Items {
			seen = append(seen, c.ID)
		}
		cursor = page.Next
	}
	require.Equal(t, []string{"c0", "c1", "c2", "c3", "c4", "c5", "c6"}, seen)
	require.Empty(t, cursor)
}

func TestVersionsPinAndHeld(t *testing.T) {
	h := start(t, nil)
	h.publisher.setSource(t, `{"ads":[`+plain("s1", `,"weight":2`)+","+plain("new", "")+`]}`)
	page := get[apiv1.Page[apiv1.Version]](t, h, "/versions")
	require.Len(t, page.Items, 2)
	newest, older := page.Items[0].Version, page.Items[1].Version
	require.Equal(t, page.Items[1], get[apiv1.Version](t, h, "/versions/"+older))
	require.Equal(t, "version_not_found", codeOf(t, h.must(t, 404, request{method: "GET", path: "/versions/none"})))

	diff := get[apiv1.Diff](t, h, "/versions/"+older+"/diff/"+newest)
	require.Equal(t, 1, diff.Added)
	require.Equal(t, "new", diff.Ads[0].ID)
	require.Equal(t, 1, diff.Changed, "another url")
	require.Positive(t, diff.Removed)
	require.Positive(t, diff.Keys)
	require.Equal(t, page.Items[1].Bytes, diff.BytesBefore)
	same := get[apiv1.Diff](t, h, "/versions/"+older+"/diff/"+older)
	require.Equal(t, []int{0, 0, 0, 0}, []int{same.Added, same.Changed, same.Removed, same.Keys})
	h.must(t, 404, request{method: "GET", path: "/versions/" + older + "/diff/none"})
	h.publisher.locked(func() { delete(h.publisher.indexes, newest) })
	require.Equal(t, diff, get[apiv1.Diff](t, h, "/versions/"+older+"/diff/"+newest), "a candidate that is held is not kept")
	h.publisher.locked(func() { h.publisher.indexes[newest] = h.publisher.index.Bytes })

	require.Equal(t, "not_pinned", codeOf(t, h.must(t, 404, request{method: "GET", path: "/pin"})))
	require.Equal(t, "not_pinned", codeOf(t, h.must(t, 404, request{method: "DELETE", path: "/pin"})))
	pin := decoded[apiv1.Pin](t, h.must(t, 200, request{method: "POST", path: "/versions/" + older + "/rollback", body: `{"comment":"bad spring"}`, who: bob}))
	require.Equal(t, apiv1.Pin{Version: older, Who: "bob", At: monday, Comment: "bad spring"}, pin)
	require.Equal(t, pin, get[apiv1.Pin](t, h, "/pin"))
	h.must(t, 404, request{method: "POST", path: "/versions/none/rollback"})
	h.must(t, 403, request{method: "POST", path: "/versions/" + older + "/rollback", who: vera})
	h.must(t, 204, request{method: "DELETE", path: "/pin", header: map[string]string{"X-Comment": "fine%20again"}})
	require.Nil(t, h.publisher.Pin())

	require.Equal(t, "nothing_held", codeOf(t, h.must(t, 404, request{method: "GET", path: "/held"})))
	held := apiv1.Held{Version: "v9", Since: monday, Reason: "max_removed_share", Message: "m", Removed: 6, Served: 10, Share: 0.6, Limit: 0.5}
	h.publisher.locked(func() { h.publisher.held = &held })
	require.Equal(t, held, get[apiv1.Held](t, h, "/held"))
	require.Equal(t, "not_held", codeOf(t, h.must(t, 409, request{method: "POST", path: "/held/v8/confirm"})))
	h.must(t, 204, request{method: "POST", path: "/held/v9/confirm"})
	h.publisher.locked(func() { h.publisher.held = &held })
	h.must(t, 204, request{method: "POST", path: "/held/v9/refuse", who: bob})
	require.Equal(t, []string{"resume alice fine again", "confirm v9 alice ", "refuse v9 bob "}, h.publisher.calls)
}

func TestSource(t *testing.T) {
	h := start(t, nil)
	h.publisher.locked(func() { h.publisher.status.Source.Kind = "http" })
	require.Contains(t, string(h.must(t, 200, request{method: "GET", path: "/source"}).body), `"kind":"http"`)
	h.must(t, 202, request{method: "POST", path: "/source/poll"})
	require.Equal(t, int64(1), h.publisher.polls.Load())
	h.must(t, 403, request{method: "POST", path: "/source/poll", who: vera})
	require.Equal(t, int64(1), h.publisher.polls.Load())
}
