package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

// Each change is a line of the log with who made it and what it was; what was refused, and what changed nothing, is none.
func TestEachChangeIsALineOfTheLog(t *testing.T) {
	h := start(t, nil)
	version := get[apiv1.Page[apiv1.Version]](t, h, "/versions").Items[0].Version
	hold := func() { h.publisher.locked(func() { h.publisher.held = &apiv1.Held{Version: "v9"} }) }
	made := func(r request) map[string]any {
		before := h.logs.FilterMessage("change made").Len()
		status := h.send(t, r).status
		all := h.logs.FilterMessage("change made").All()
		if len(all) == before {
			return nil
		}
		require.Len(t, all, before+1)
		require.Less(t, status, 300)
		return all[before].ContextMap()
	}
	for _, c := range []struct {
		request request
		want    map[string]any
	}{
		{request{method: "POST", path: "/campaigns", body: plain("n", "")}, map[string]any{"what": "edit", "revision": uint64(1), "campaign": "n"}},
		{request{method: "PUT", path: "/campaigns/n", body: plain("n", "")}, nil},
		{request{method: "PUT", path: "/campaigns/n", body: "nonsense"}, nil},
		{request{method: "DELETE", path: "/campaigns/n"}, map[string]any{"what": "edit", "revision": uint64(2), "campaign": "n"}},
		{request{method: "POST", path: "/revisions/2/revert"}, map[string]any{"what": "revert", "revision": uint64(3), "reverts": uint64(2)}},
		{request{method: "POST", path: "/document?dry_run=true", body: `{"ads":[` + plain("m", "") + `]}`}, nil},
		{request{method: "POST", path: "/document", body: `{"ads":[` + plain("m", "") + `]}`}, map[string]any{"what": "import", "revision": uint64(4), "campaigns": int64(1)}},
		{request{method: "POST", path: "/versions/none/rollback"}, nil},
		{
			request{method: "POST", path: "/versions/" + version + "/rollback", body: `{"comment":"no ads"}`},
			map[string]any{"what": "rollback", "version": version, "comment": "no ads"},
		},
		{request{method: "DELETE", path: "/pin", header: map[string]string{"X-Comment": "all%20is%20well"}}, map[string]any{"what": "resume", "comment": "all is well"}},
		{request{method: "DELETE", path: "/pin"}, nil},
		{request{method: "POST", path: "/held/v9/confirm"}, map[string]any{"what": "confirm", "version": "v9"}},
		{request{method: "POST", path: "/held/v8/refuse"}, nil},
		{request{method: "POST", path: "/held/v9/refuse"}, map[string]any{"what": "refuse", "version": "v9"}},
	} {
		hold()
		if c.want != nil {
			c.want["who"] = "alice"
		}
		require.Equal(t, c.want, made(c.request), "%s %s", c.request.method, c.request.path)
	}
}
