package campaign_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func TestRejectsAreDescribedUpToALimitAndAllCounted(t *testing.T) {
	t.Parallel()
	const n = campaign.MaxRejects
	last, err := campaign.Decode(afterMany(ad("id", `"first"`)))
	require.NoError(t, err)
	require.Len(t, last.Rejects, n)
	require.Equal(t, n, last.Rejected)
	require.Equal(t, n, last.Rejects[n-1].Line)

	doc, err := campaign.Decode(afterMany(ad("id", `"first"`), `7`, ad("id", `"first"`), ad("id", `"b"`, "lang", `"x"`, "end_hour", `25`), ad("id", `"b"`)))
	require.NoError(t, err)
	require.Equal(t, last.Rejects, doc.Rejects, "the first stay")
	require.Equal(t, n+3, doc.Rejected)
	require.Equal(t, map[string]int{"out_of_range": n, "wrong_type": 1, "duplicate": 1, "invalid_lang": 1}, doc.Reasons)
	require.Len(t, doc.Campaigns, 2, "ads after the limit are served")
	require.Equal(t, []int{n, n + 4}, []int{doc.Campaigns[0].Index, doc.Campaigns[1].Index})
}

// TestRejectsThatAreOnlyCountedCostNoMemory: a small compressed document may hold millions of bad ads.
func TestRejectsThatAreOnlyCountedCostNoMemory(t *testing.T) {
	tests := map[string]string{
		"no object":           `0`,
		"an empty object":     `{}`,
		"a field of one type": `{"id":{}}`,
		"a field twice":       `{"id":1,"id":1}`,
		"a later bad field":   `{"video_url":"x"}`,
		"a bad label":         ad("labels", `["a",1]`),
	}
	const fewAds, manyAds = campaign.MaxRejects, 30 * campaign.MaxRejects
	for name, element := range tests {
		few := []byte(`{"ads":[` + strings.Repeat(element+",", fewAds) + `null]}`)
		many := []byte(`{"ads":[` + strings.Repeat(element+",", manyAds) + `null]}`)
		t.Run(name, func(t *testing.T) {
			allocations := func(data []byte) float64 {
				return testing.AllocsPerRun(1, func() { _, _ = campaign.Decode(data) })
			}
			require.Less(t, allocations(many)-allocations(few), float64(fewAds), "of 29 times as many rejects")
		})
	}
}
