package api

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// What a dry run says of the keys, whatever the hour: every minute counts, and what begins behind them is told apart.
func TestKeysThatADryRunCounts(t *testing.T) {
	h := start(t, nil) // on Monday, 2027-03-01
	for name, c := range map[string]struct {
		extra       string
		keys, later int
	}{
		"now":                         {`,"priority":9`, 1, 0},
		"13 minutes inside a quarter": {`,"priority":9,"start_at":"2027-03-02T10:01:00Z","end_at":"2027-03-02T10:14:00Z"`, 1, 0},
		"in eight days":               {`,"priority":9,"start_at":"2027-03-09T10:00:00Z"`, 1, 0},
		"next year":                   {`,"priority":9,"start_at":"2028-03-09T10:00:00Z"`, 0, 1},
		"behind those of now":         {`,"priority":-9`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dry := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document?dry_run=true", body: `{"ads":[` + plain("n", c.extra) + `]}`}))
			require.Equal(t, 1, dry.Diff.Added)
			require.Equal(t, c.keys, dry.Diff.Keys)
			require.Equal(t, c.later, dry.Diff.KeysLater)
		})
	}
}

// An import waits for the diff before its own, so who has gone away must not be waited for.
func TestADiffEndsWithItsRequest(t *testing.T) {
	doc, err := campaign.Decode([]byte(manyCampaigns(100)))
	require.NoError(t, err)
	before := new(campaign.Overlay).Apply(doc, revision.Rows{}.Campaigns())
	index, err := compile.Compile(doc, compile.Params{Now: monday})
	require.NoError(t, err)
	h := start(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	s := &server{Config: Config{Publisher: h.publisher, MaxIndexBytes: compile.DefaultMaxBytes, Now: func() time.Time { return monday }}}
	d, err := s.diffOf(ctx, trial{before: before, after: before, index: index})
	require.NoError(t, err)
	require.Zero(t, d.Keys)
	leave()
	_, err = s.diffOf(ctx, trial{before: before, after: before, index: index})
	require.ErrorIs(t, err, context.Canceled)
}
