package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adrequest"
)

func TestBeginningIsWhatOtherURLsShare(t *testing.T) {
	tests := map[string]struct{ url, want string }{
		"all up to the last name":           {"https://v.example/a/b.mp4", "https://v.example/a/"},
		"all up to the last value":          {"https://v.example/watch?list=1&v=2", "https://v.example/watch?list=1&v="},
		"a folder is all of it":             {"https://v.example/a/", "https://v.example/a/"},
		"too short to be worth a reference": {"http://v.ex", ""},
		"the shortest that is worth one":    {"http://v.ex/1", "http://v.ex/"},
		"nothing to part at":                {strings.Repeat("v", 40), ""},
		"longer than any campaign's url":    {strings.Repeat("v", campaign.MaxURLBytes) + "/1", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, beginning(tc.url)) })
	}
}

func TestTheFirstAdOfABeginningIsTheBaseOfTheOthers(t *testing.T) {
	rendered, campaigns := renderURLs([]string{
		"https://v.example/a/1", "https://v.example/b/2", "https://v.example/a/3", "ftp:none", `https://v.example/"/4`, `https://v.example/"/5`,
	})
	ads := single(t, rendered)
	want := []any{nil, nil, uint32(0), nil, nil, uint32(4)}
	for i, ad := range ads {
		number, ok := adrequest.BaseOf(ad)
		require.Equal(t, want[i] != nil, ok, campaigns[i].VideoURL)
		var base []byte
		if ok {
			require.Equal(t, want[i], number, campaigns[i].VideoURL)
			base = ads[number]
		}
		require.NoError(t, adrequest.CheckAd(ad, base))
		require.Contains(t, string(adrequest.AppendBody(nil, ad, base)), fmt.Sprintf(`"url":%q`, campaigns[i].VideoURL))
	}
}

// What is remembered is bounded, by the order of ads alone: two replicas stop at the same place.
func TestBasesAreTheFirstBeginnings(t *testing.T) {
	urls := make([]string, 0, maxBases+10)
	for i := range maxBases + 5 {
		urls = append(urls, fmt.Sprintf("https://v.example/%d/x", i))
	}
	urls = append(urls, "https://v.example/0/y", fmt.Sprintf("https://v.example/%d/y", maxBases-1), fmt.Sprintf("https://v.example/%d/y", maxBases))
	rendered, _ := renderURLs(urls)
	ads := single(t, rendered)
	for back, want := range map[int]any{3: uint32(0), 2: uint32(maxBases - 1), 1: nil} {
		number, ok := adrequest.BaseOf(ads[len(ads)-back])
		require.Equal(t, want != nil, ok)
		if ok {
			require.Equal(t, want, number)
		}
	}
}

func renderURLs(urls []string) ([]bodies, []campaign.Campaign) {
	campaigns, entries := make([]campaign.Campaign, len(urls)), make([]entry, len(urls))
	for i, url := range urls {
		campaigns[i] = campaign.Campaign{ID: fmt.Sprintf("ad %d", i), VideoURL: url}
		entries[i] = entry{number: uint32(i)}
	}
	return render(entries, campaigns), campaigns
}

func single(t *testing.T, rendered []bodies) (ads [][]byte) {
	t.Helper()
	for _, b := range rendered {
		require.NoError(t, b.err)
		begin := uint32(0)
		for _, end := range b.ends {
			ads = append(ads, b.text[begin:end])
			begin = end
		}
	}
	return ads
}
