package api

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

// away is a history that cannot be asked.
type away struct {
	failing
}

func (a *away) Revision(context.Context, uint64) (revision.Revision, error) {
	return revision.Revision{}, a.err
}

func (a *away) Revert(context.Context, uint64, string, string, revision.Check) (revision.Revision, error) {
	return revision.Revision{}, a.err
}

// Of a write whose end is not known it is said that it may have been made, and so does the log, without secrets; a read is just tried again.
func TestWhatIsNotKnownOfAWrite(t *testing.T) {
	a := &away{failing: failing{loaded: true}}
	h := start(t, func(c *Config) {
		a.History = c.History
		c.History = a
	})
	const warning = "The change may have been made: look before you try again."
	for name, err := range map[string]error{
		"store_unavailable": fmt.Errorf("put: %w", revision.ErrUnavailable),
		"timeout":           fmt.Errorf("put: %w", context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			a.err = err
			for _, q := range []request{
				{method: "POST", path: "/campaigns", body: plain("a", "")},
				{method: "PATCH", path: "/campaigns/s1", body: `{"weight":2}`},
				{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `]}`},
				{method: "POST", path: "/revisions/1/revert", header: map[string]string{"X-Comment": "hush"}},
			} {
				logged := h.logs.Len()
				got := h.must(t, 503, q)
				require.Equal(t, name, codeOf(t, got))
				require.Contains(t, string(got.body), warning, "%s %s", q.method, q.path)
				lines := h.logs.All()[logged:]
				require.Len(t, lines, 1)
				require.Equal(t, "it is not known whether a change was made", lines[0].Message)
				require.Equal(t, map[string]any{"method": q.method, "path": "/api/v1" + q.path, "who": "alice", "error": err.Error()}, lines[0].ContextMap())
			}
			got := h.must(t, 503, request{method: "GET", path: "/revisions/1?limit=7"})
			require.Equal(t, name, codeOf(t, got))
			require.NotContains(t, string(got.body), "may have been made")
			last := h.logs.All()[h.logs.Len()-1]
			require.Equal(t, "request not answered", last.Message)
			require.Equal(t, map[string]any{"method": "GET", "path": "/api/v1/revisions/1", "who": "alice", "error": err.Error()}, last.ContextMap())
		})
	}
	for method, reads := range map[string]bool{"GET": true, "HEAD": true, "POST": false, "DELETE": false} {
		c := &call{Request: h.newRequest(t, request{method: method})}
		require.Equal(t, reads, c.reads(), method)
		c.dry = true
		require.True(t, c.reads(), "a dry run changes nothing")
	}
}
