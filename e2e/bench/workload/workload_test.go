package workload_test

import (
	"encoding/json"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/workload"
)

type ad struct {
	ID        string `json:"id"`
	URL       string `json:"video_url"`
	Country   string `json:"country"`
	Lang      string `json:"lang"`
	StartHour int    `json:"start_hour"`
	EndHour   int    `json:"end_hour"`
}

func adsOf(t *testing.T, document []byte) []ad {
	t.Helper()
	var doc struct{ Ads []ad }
	require.NoError(t, json.Unmarshal(document, &doc))
	return doc.Ads
}

func TestADocumentIsWhatThePackageSays(t *testing.T) {
	t.Parallel()
	ads := adsOf(t, workload.Document(workload.Standard(100_000)))
	require.Len(t, ads, 100_000)
	perKey := make(map[workload.Key]int)
	ids := make(map[string]bool)
	allDay, wrapped := 0, 0
	for _, ad := range ads {
		require.Len(t, ad.ID, 32)
		require.Len(t, ad.URL, 60)
		ids[ad.ID] = true
		perKey[workload.Key{Country: ad.Country, Lang: ad.Lang}]++
		if ad.StartHour == 0 && ad.EndHour == 24 {
			allDay++
		}
		if ad.StartHour > ad.EndHour && ad.EndHour > 0 {
			wrapped++
		}
	}
	require.Len(t, ids, len(ads))
	require.InDelta(t, 0.2, float64(allDay)/float64(len(ads)), 0.01)
	require.Greater(t, wrapped, len(ads)/4)

	keys := workload.AllKeys(1)
	require.Len(t, keys, workload.Keys)
	require.Len(t, perKey, workload.Keys)
	require.Equal(t, workload.HotAds, perKey[keys[0]])
	require.Equal(t, workload.HotAds, perKey[keys[1]])
	require.Less(t, perKey[keys[2]], workload.HotAds)
	require.Greater(t, perKey[keys[2]], 10*perKey[keys[100]])
}

func TestRevisionsDifferInTheirIDsAlone(t *testing.T) {
	t.Parallel()
	c := workload.Config{Seed: 7}
	first := adsOf(t, workload.Document(c))
	c.Revision = 0xabc
	second := adsOf(t, workload.Document(c))
	require.Len(t, first, workload.Keys, "one for each key")
	require.Len(t, second, len(first))
	for i := range first {
		require.Equal(t, first[i].ID[:24]+"00000abc", second[i].ID)
		second[i].ID = first[i].ID
		require.Equal(t, first[i], second[i])
	}
}

func TestAlwaysMeansThatNoKeyIsEverWithoutAnAd(t *testing.T) {
	t.Parallel()
	plain := adsOf(t, workload.Document(workload.Config{Ads: 50_000, Seed: 1}))
	always := adsOf(t, workload.Document(workload.Config{Ads: 50_000, Seed: 1, Always: true}))
	seen := make(map[workload.Key]bool)
	for i := range always {
		if key := (workload.Key{Country: always[i].Country, Lang: always[i].Lang}); !seen[key] {
			seen[key] = true
			require.Equal(t, []int{0, 24}, []int{always[i].StartHour, always[i].EndHour})
			plain[i].StartHour, plain[i].EndHour = 0, 24
		}
	}
	require.Equal(t, plain, always, "nothing else is different")
}

// Figures of one day are comparable with those of another because the documents are the same bytes.
func TestADocumentIsTheSameOnEveryMachine(t *testing.T) {
	t.Parallel()
	document := workload.Document(workload.Config{Ads: 50_000, Seed: 1})
	require.NotEqual(t, document, workload.Document(workload.Config{Ads: 50_000, Seed: 2}))
	require.Equal(t, uint32(0x2cb173fe), crc32.ChecksumIEEE(document))
}
