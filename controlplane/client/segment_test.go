package client

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEverySegmentArrives: whatever an ID is, a server's mux takes it for one part of the path, and leads nowhere else.
func TestEverySegmentArrives(t *testing.T) {
	var got string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/campaigns/{id}", func(w http.ResponseWriter, r *http.Request) {
		got = r.PathValue("id")
		_, _ = w.Write([]byte("{}"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := New(Config{Server: server.URL})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for _, id := range []string{".", "..", "...", "a/..", "../a", "./", "a//b", "%2E", "a?b", "a#b", "a b", "a;b", "+", "~", `\`} {
		_, err := c.Campaign(t.Context(), id)
		require.NoError(t, err, "%q", id)
		require.Equal(t, id, got)
	}
}

func TestUnclear(t *testing.T) {
	for name, tc := range map[string]struct {
		refused Error
		unclear bool
	}{
		"the store is away":         {Error{Status: 503, Code: "store_unavailable"}, true},
		"it took too long":          {Error{Status: 503, Code: "timeout"}, true},
		"a gateway gave up":         {Error{Status: 504}, true},
		"others were faster":        {Error{Status: 503, Code: "contended"}, false},
		"it is busy":                {Error{Status: 503, Code: "busy"}, false},
		"another server altogether": {Error{Status: 404}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.unclear, tc.refused.Unclear()) })
	}
}
