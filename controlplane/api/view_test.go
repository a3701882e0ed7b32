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
