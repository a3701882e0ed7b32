package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

// TestADiffOfManyAds says how much it is before it names any, and names each on one line.
func TestADiffOfManyAds(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Diff = apiv1.Diff{Added: 1, Changed: 1, Removed: 100_000, Ads: []apiv1.AdChange{
		{ID: "a", After: []byte(`{"id":"a","name":"Née","country":"DE","lang":"deu","video_url":"https://v.example/a"}`)},
		{ID: "b", Before: []byte(`{"id":"b","country":"*","lang":"*","weight":1,"end_hour":12}`), After: []byte(`{"id":"b","country":"*","lang":"*","weight":3,"end_hour":11}`)},
	}}
	for i := range 998 {
		country := "us"
		if i%2 == 0 {
			country = string([]byte{'a' + byte(i/2%26), 'x'})
		}
		api.Diff.Ads = append(api.Diff.Ads, apiv1.AdChange{ID: fmt.Sprintf("r%03d", i), Before: fmt.Appendf(nil, `{"id":"r%03d","country":%q,"lang":"eng"}`, i, country)})
	}
	api.Versions[0].Ads = 100_100
	_, page := open(t, api).get(t, "/versions/diff?from=3f6c1a9be04d5d22c7&to=a81b02c4d7e9ff1023")
	text := visible(t, page)
	require.Contains(t, text, "100,000 of 100,100 ads are removed (99.9 %).")
	require.Contains(t, text, "By country and language, of the first 1,000 of 100,002 ads in order of ID")
	require.Contains(t, text, "CountryAddedChangedRemoved us00499")
	require.Contains(t, text, "LanguageAddedChangedRemoved eng00998 any010 deu100")
	require.Contains(t, text, "a Néeadded DE / deuhttps://v.example/a")
	require.Contains(t, text, "b changed any / anyUntil hour 12 → 11; Weight 1 → 3")
	require.Contains(t, text, "99,802 more are not shown.")
	require.Less(t, strings.Index(text, "99.9"), strings.Index(text, "r000"))
	shown := showDiff(api.Diff)
	require.Len(t, shown.Countries, maxParts)
	require.Len(t, shown.Campaigns, maxDiff)
	require.Equal(t, maxDiff, strings.Count(page, `<td data-label="Change">`), "one line each")
}
