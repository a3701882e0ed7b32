package compile_test

import (
	"fmt"
	"testing"
	"time"

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

// BenchmarkCompileFull compiles ads with weights on the day, with every field in the horizon, and a key of 10,000 flights.
func BenchmarkCompileFull(b *testing.B) {
	now := time.Date(2027, 3, 20, 12, 0, 0, 0, time.UTC)
	zones := [...]string{"", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"}
	flights := func(i int, c *campaign.Campaign, minutes int64) {
		from := now.Unix()/60 + int64(i%10_000)
		c.StartAt, c.EndAt = campaign.At(from), campaign.At(from+minutes)
	}
	benchmarks := map[string]struct {
		n, perKey int
		change    func(i int, c *campaign.Campaign)
	}{
		"ads=100000/weights": {100_000, 74, func(i int, c *campaign.Campaign) { c.Weight = 1 + i%5 }},
		"ads=100000/every field": {100_000, 74, func(i int, c *campaign.Campaign) {
			c.Weight, c.Priority, c.TimeZone, c.Days = 1+i%5, i%3, zones[i%4], campaign.Days(i%127)
			if i%10 == 0 {
				flights(i, c, 20_000)
			}
		}},
		"ads=10000/short flights of one key": {10_000, 10_000, func(i int, c *campaign.Campaign) { flights(i, c, 1_000) }},
	}
	for name, bb := range benchmarks {
		b.Run(name, func(b *testing.B) {
			doc := &campaign.Document{Campaigns: manyCampaigns(bb.n, bb.perKey)}
			for i := range doc.Campaigns {
				bb.change(i, &doc.Campaigns[i])
			}
			b.ReportAllocs()
			for b.Loop() {
				result, err := compile.Compile(doc, compile.Params{Now: now})
				require.NoError(b, err)
				b.ReportMetric(float64(len(result.Bytes))/float64(bb.n), "bytes/ad")
			}
		})
	}
}

// BenchmarkCompileWildcards compiles keys with a campaign each under wildcards of other weights, behind all of them or before.
func BenchmarkCompileWildcards(b *testing.B) {
	for name, campaigns := range map[string][]campaign.Campaign{
		"keys=20000/10 behind":  houseCampaigns(20_000, 10, -100),
		"keys=20000/100 before": houseCampaigns(20_000, 100, 1),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := compile.Compile(&campaign.Document{Campaigns: campaigns}, compile.Params{})
				require.NoError(b, err)
			}
		})
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
