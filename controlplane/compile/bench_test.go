package compile_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// BenchmarkCompile compiles ads of random windows. "spread" has up to 676 countries with two languages, "hot" has keys of
// 10,000 ads each. The ids come in no order, as in a real document.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{100, 100_000, 1_000_000} {
		for name, perKey := range map[string]int{"spread": max(n/1352, 1), "hot": 10_000} {
			b.Run(fmt.Sprintf("ads=%d/%s", n, name), func(b *testing.B) {
				doc := &campaign.Document{Campaigns: manyCampaigns(n, perKey)}
				b.ReportAllocs()
				for b.Loop() {
					result, err := compile.Compile(doc, compile.Params{})
					require.NoError(b, err)
					require.Equal(b, n, result.Ads)
					b.ReportMetric(float64(len(result.Bytes))/float64(n), "bytes/ad")
				}
			})
		}
	}
}

func manyCampaigns(n, perKey int) []campaign.Campaign {
	campaigns := make([]campaign.Campaign, n)
	for i := range campaigns {
		key := i / perKey
		mixed := uint64(i) * 0x9e3779b97f4a7c15
		campaigns[i] = campaign.Campaign{
			ID:        fmt.Sprintf("%016x%016x", mixed, mixed^0xa5a5),
			VideoURL:  fmt.Sprintf("https://www.example.com/watch?v=%08d", i),
			Country:   string([]byte{'a' + byte(key%20), 'a' + byte(key/20%26)}),
			Lang:      [...]string{"fra", "eng", "gsw"}[key/520%3],
			StartHour: int(mixed>>32) % 24, EndHour: int(mixed>>40) % 25, Index: i,
		}
	}
	return campaigns
}
