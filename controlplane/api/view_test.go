package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Before the source's document is known, "nothing" would be a wrong answer: an export would lack its campaigns, and an import of one would
// make them all the operators' own.
func TestNothingIsSaidOfCampaignsBeforeTheSourceIsKnown(t *testing.T) {
	h := start(t, nil)
	document := h.publisher.document
	h.publisher.locked(func() { h.publisher.document, h.publisher.index = nil, nil })
	require.Equal(t, "nothing_published", codeOf(t, h.must(t, 404, request{method: "GET", path: "/coverage"})))
	for _, r := range []request{
		{method: "GET", path: "/campaigns"},
		{method: "GET", path: "/document"},
		{method: "POST", path: "/campaigns", body: plain("new", "")},
		{method: "POST", path: "/document", body: `{"ads":[` + plain("new", "") + `]}`},
	} {
		got := h.must(t, 503, r)
		require.Equal(t, "source_not_read", codeOf(t, got), r.path)
		require.NotEmpty(t, got.header.Get("Retry-After"))
	}
	h.publisher.locked(func() { h.publisher.document = document })
	h.must(t, 404, request{method: "GET", path: "/campaigns/new"})
}

// What the loop has put together of the same document and rows is taken from it; what is ahead of it is kept until it follows.
func TestTheLoopsViewIsTaken(t *testing.T) {
	h := start(t, nil)
	s := &server{Config: Config{History: h.history, Publisher: h.publisher}}
	look := func() *view {
		t.Helper()
		v, err := s.view()
		require.NoError(t, err)
		again, err := s.view()
		require.NoError(t, err)
		require.Same(t, v, again)
		return v
	}
	require.Same(t, h.publisher.View().Effective, look().Effective)
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s1", body: `{"weight":4}`})
	ahead := look()
	require.NotSame(t, h.publisher.View().Effective, ahead.Effective)
	h.publisher.follow(t, h.history.State().Rows)
	followed := look()
	require.Same(t, h.publisher.View().Effective, followed.Effective)
	require.Equal(t, ahead.list(), followed.list())
	h.publisher.setSource(t, `{"ads":[]}`)
	require.Same(t, h.publisher.View().Source, look().Source)
	require.Len(t, look().list(), 1, "the operators' is there")
	h.must(t, 200, request{method: "DELETE", path: "/campaigns/s1"})
	require.Empty(t, look().list())
}
