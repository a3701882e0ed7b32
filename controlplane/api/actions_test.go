package api

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/revision"
)

func TestActions(t *testing.T) {
	h := start(t, nil)
	require.Equal(t, apiv1.Page[apiv1.Action]{Items: []apiv1.Action{}}, get[apiv1.Page[apiv1.Action]](t, h, "/actions"))

	index := compiled(t, sourceDocument)
	require.NoError(t, h.history.KeepVersion(t.Context(), revision.Version{Hash: index.Version, At: monday}, index.Bytes))
	p := NewPublisher(&fakeLoop{}, h.history)
	_, err := p.Rollback(t.Context(), index.Version, "bob", "no ads in France")
	require.NoError(t, err)
	require.NoError(t, p.Resume(t.Context(), "alice", "mended"))
	for n := range 3 {
		_, err := h.history.SetDecision(t.Context(), revision.Decision{
			Counter: uint64(n), Version: fmt.Sprint("v", n), Base: index.Version, Publish: n == 1, Who: "bob", Comment: "<b>",
		})
		require.NoError(t, err)
	}
	want := []apiv1.Action{
		{Number: 5, Kind: "refuse", Version: "v2", Base: index.Version, Who: "bob", Comment: "<b>", At: monday},
		{Number: 4, Kind: "confirm", Version: "v1", Base: index.Version, Who: "bob", Comment: "<b>", At: monday},
		{Number: 3, Kind: "refuse", Version: "v0", Base: index.Version, Who: "bob", Comment: "<b>", At: monday},
		{Number: 2, Kind: "resume", Version: index.Version, Who: "alice", Comment: "mended", At: monday},
		{Number: 1, Kind: "rollback", Version: index.Version, Who: "bob", Comment: "no ads in France", At: monday},
	}
	require.Equal(t, apiv1.Page[apiv1.Action]{Items: want, Total: 5}, get[apiv1.Page[apiv1.Action]](t, h, "/actions"))
	first := get[apiv1.Page[apiv1.Action]](t, h, "/actions?limit=3")
	require.Equal(t, want[:3], first.Items)
	_, err = p.Rollback(t.Context(), index.Version, "bob", "") // moves no page
	require.NoError(t, err)
	second := get[apiv1.Page[apiv1.Action]](t, h, "/actions?limit=3&cursor="+first.Next)
	require.Equal(t, apiv1.Page[apiv1.Action]{Items: want[3:], Total: 6}, second)

	h.must(t, 200, request{method: "GET", path: "/actions", who: vera})
	require.Equal(t, "unknown_parameter", codeOf(t, h.must(t, 400, request{method: "GET", path: "/actions?who=bob", lax: true})))
	require.Equal(t, "invalid_parameter", codeOf(t, h.must(t, 400, request{method: "GET", path: "/actions?limit=0"})))
	require.Equal(t, 405, h.send(t, request{method: "DELETE", path: "/actions"}).status)
}
