package publish

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// TestTheLargestReportIsKept, and what a version tells of itself is what its index did.
func TestTheLargestReportIsKept(t *testing.T) {
	index := decodedIndex(t, doc("a"))
	index.TimeZones = "2026a-and-a-name-of-some-length"
	index.Rejected, index.CutCycles, index.Reasons = math.MaxInt, math.MaxInt, map[string]int{}
	for _, reason := range campaign.Reasons() {
		index.Reasons[reason] = math.MaxInt
	}
	for i := range compile.MaxCuts {
		index.Cuts = append(index.Cuts, compile.Cut{Key: fmt.Sprintf("us/e%02d", i), Ads: math.MaxInt, Turns: math.MaxInt, Uncut: math.MaxInt})
	}
	meta := revision.Version{Hash: index.Version, Report: reportOf(index)}
	require.LessOrEqual(t, len(meta.Report), revision.MaxReportBytes)

	report, err := ReportOf(meta)
	require.NoError(t, err)
	require.Equal(t, Report{
		SourceTime: sourceTime, Ads: index.Ads, Keys: index.Keys, Rejected: math.MaxInt, Reasons: index.Reasons,
		CutCycles: math.MaxInt, Cuts: index.Cuts[:10], TimeZones: index.TimeZones,
	}, report)

	r, err := releaseOf(meta, index.Bytes)
	require.NoError(t, err)
	require.Equal(t, meta.Report, reportOf(r.index), "a version that is rolled back to tells the same")

	status := (&Loop{now: time.Now}).statusOf(r.index, sourceTime)
	require.Equal(t, []any{math.MaxInt, index.TimeZones}, []any{status.CutCycles, status.TimeZones})
}
