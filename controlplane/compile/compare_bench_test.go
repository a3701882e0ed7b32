package compile_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// houseCampaigns are keys with a campaign each, and wildcards of weights with priority over or behind them.
func houseCampaigns(keys, wild, priority int) []campaign.Campaign {
	all := make([]campaign.Campaign, 0, keys+wild)
	for n := range keys {
		all = append(all, campaign.Campaign{
			ID: fmt.Sprint(n), VideoURL: "https://v.example/v", Country: string([]byte{'a' + byte(n%20), 'a' + byte(n/20%26)}), // not uk
			Lang:      campaign.CanonicalLang(string([]byte{'a' + byte(n/520%26), 'a' + byte(n/13520), 'x'})),
			StartHour: n % 24, EndHour: (n + 9) % 24, Index: n,
		})
	}
	for n := range wild {
		all = append(all, campaign.Campaign{
			ID: fmt.Sprint("w", n), VideoURL: "https://v.example/w", Country: campaign.Any, Lang: campaign.Any,
			Priority: priority, Weight: 100 - n%50, Index: keys + n,
		})
	}
	return all
}

// BenchmarkCompare compares an index with one that has a campaign more: 20,000 keys with ten weighted wildcards behind all, 4,000 with 100
// before all, and 100,000 plain ads.
func BenchmarkCompare(b *testing.B) {
	now := time.Date(2027, 3, 20, 12, 0, 0, 0, time.UTC)
	for name, campaigns := range map[string][]campaign.Campaign{
		"keys=20000/wildcards=10":             houseCampaigns(20_000, 10, -100),
		"keys=4000/wildcards=100 of priority": houseCampaigns(4_000, 100, 1),
		"ads=100000/plain":                    manyCampaigns(100_000, 74),
	} {
		b.Run(name, func(b *testing.B) {
			before := &campaign.Document{Campaigns: campaigns}
			after := &campaign.Document{Campaigns: append(slices.Clone(campaigns), campaign.Campaign{
				ID: "new", VideoURL: "https://v/", Country: "us", Lang: "eng", StartAt: campaign.At(now.Unix()/60 + 60), Priority: 9,
			})}
			x, y := openedIndex(b, before, now), openedIndex(b, after, now)
			b.ReportAllocs()
			for b.Loop() {
				d, err := compile.Compare(b.Context(), x, y, now)
				require.NoError(b, err)
				require.Len(b, d.Keys, 1)
				_, err = d.Later(before, after)
				require.NoError(b, err)
			}
		})
	}
}
