package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

// A revision says what its operator did to a campaign as they saw it, whatever that made of the operators' rows.
func TestWhatARevisionDid(t *testing.T) {
	post := func(id, more string) request {
		return request{method: "POST", path: "/campaigns", body: plain(id, more)}
	}
	patch := func(id, body string) request { return request{method: "PATCH", path: "/campaigns/" + id, body: body} }
	put := func(id, more string) request {
		return request{method: "PUT", path: "/campaigns/" + id, body: plain(id, more)}
	}
	remove := func(id string) request { return request{method: "DELETE", path: "/campaigns/" + id} }
	const pause, resume, more = `{"enabled":false}`, `{"enabled":true}`, `{"weight":2}`
	for name, tt := range map[string]struct {
		before  []request
		q       request
		source  string // in place of the usual one, before q
		kind    string
		summary apiv1.Revision
	}{
		"a new campaign":                       {q: post("a", ""), kind: "create", summary: apiv1.Revision{Added: 1}},
		"a new campaign by its path":           {q: put("a", ""), kind: "create", summary: apiv1.Revision{Added: 1}},
		"a new campaign that is paused":        {q: post("a", `,"enabled":false`), kind: "create", summary: apiv1.Revision{Added: 1}},
		"another weight":                       {before: []request{post("a", "")}, q: patch("a", more), kind: "edit", summary: apiv1.Revision{Changed: 1}},
		"another weight of the source's":       {q: patch("s1", more), kind: "edit", summary: apiv1.Revision{Added: 1}},
		"a pause":                              {before: []request{post("a", "")}, q: patch("a", pause), kind: "pause", summary: apiv1.Revision{Changed: 1}},
		"a pause by the whole campaign":        {before: []request{post("a", "")}, q: put("a", `,"enabled":false`), kind: "pause", summary: apiv1.Revision{Changed: 1}},
		"a pause and another weight":           {before: []request{post("a", "")}, q: patch("a", `{"enabled":false,"weight":2}`), kind: "edit", summary: apiv1.Revision{Changed: 1}},
		"a pause of the source's":              {q: patch("s1", pause), kind: "pause", summary: apiv1.Revision{Added: 1}},
		"a resume":                             {before: []request{post("a", `,"enabled":false`)}, q: patch("a", resume), kind: "resume", summary: apiv1.Revision{Changed: 1}},
		"a resume of the source's":             {before: []request{patch("s1", pause)}, q: patch("s1", resume), kind: "resume", summary: apiv1.Revision{Removed: 1}},
		"a resume of what the source pauses":   {q: patch("s4", resume), kind: "resume", summary: apiv1.Revision{Added: 1}},
		"another weight of a pause":            {before: []request{patch("s1", pause)}, q: patch("s1", more), kind: "edit", summary: apiv1.Revision{Changed: 1}},
		"a deletion":                           {before: []request{post("a", "")}, q: remove("a"), kind: "delete", summary: apiv1.Revision{Removed: 1}},
		"a deletion with the source's back":    {before: []request{patch("s1", more)}, q: remove("s1"), kind: "delete", summary: apiv1.Revision{Removed: 1}},
		"a deletion of a pause of what is not": {before: []request{patch("s1", pause)}, q: remove("s1"), source: `{"ads":[]}`, kind: "delete", summary: apiv1.Revision{Removed: 1}},
		"a resume of what the source pauses, too": {
			before: []request{patch("s1", pause)}, q: patch("s1", resume), source: strings.Replace(sourceDocument, `"id":"s1",`, `"id":"s1","enabled":false,`, 1),
			kind: "resume", summary: apiv1.Revision{Removed: 1},
		},
		"an import of one": {
			q: request{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `]}`}, kind: "import", summary: apiv1.Revision{Added: 1},
		},
		"a revert of a pause": {
			before: []request{post("a", ""), patch("a", pause)}, q: request{method: "POST", path: "/revisions/2/revert"}, kind: "revert",
			summary: apiv1.Revision{Reverts: 2, Changed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			for _, q := range tt.before {
				require.Less(t, h.do(t, q).status, 300)
			}
			if tt.source != "" {
				h.publisher.setSource(t, tt.source)
			}
			before := h.history.State().Rows.Revision()
			require.Less(t, h.do(t, tt.q).status, 300)
			id := "a"
			if strings.Contains(tt.q.path, "/s") {
				id = tt.q.path[len("/campaigns/"):]
			}
			want := tt.summary
			want.Number, want.Kind, want.Who, want.At, want.Changes, want.FirstIDs = before+1, tt.kind, "alice", monday, 1, []string{id}
			require.Equal(t, want, get[apiv1.Page[apiv1.Revision]](t, h, "/revisions?limit=1").Items[0])
			require.Equal(t, want, get[apiv1.RevisionChanges](t, h, fmt.Sprint("/revisions/", want.Number)).Revision)
		})
	}
}
