package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func TestEntriesAreInOrderOfIDBytes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	letters := func(alphabet string, most int) string {
		var s strings.Builder
		for range random.IntN(most + 1) {
			s.WriteByte(alphabet[random.IntN(len(alphabet))])
		}
		return s.String()
	}
	tests := map[string]func(n int) string{
		"no order":                 func(int) string { return fmt.Sprintf("%016x", random.Uint64()) },
		"numbers":                  func(n int) string { return fmt.Sprint("campaign-", n) },
		"numbers behind zeros":     func(n int) string { return fmt.Sprintf("campaign-%012d", n*7919%20_000) },
		"few letters":              func(int) string { return "x" + letters("ab", 16) },
		"all letters":              func(int) string { return "x" + letters(" ~09AZaz", 5) },
		"alike but for their ends": func(n int) string { return "a" + strings.Repeat("b", 20*(n%2)) + fmt.Sprint(n) },
	}
	for name, id := range tests {
		t.Run(name, func(t *testing.T) {
			ids := make(map[string]bool)
			var campaigns []campaign.Campaign
			for n := range 20_000 {
				if id := id(n); !ids[id] {
					ids[id] = true
					campaigns = append(campaigns, campaign.Campaign{ID: id, Country: "us", Lang: "eng", Index: n})
				}
			}
			o, err := inOrder(campaigns, horizonOf(time.Time{}))
			require.NoError(t, err)
			require.Len(t, o.entries, len(campaigns))
			require.True(t, slices.IsSortedFunc(o.entries, func(a, b entry) int {
				return strings.Compare(campaigns[a.number].ID, campaigns[b.number].ID)
			}))

			twice := campaigns[len(campaigns)/2]
			twice.Index = 99_999
			_, err = inOrder(append(campaigns, twice), horizonOf(time.Time{}))
			require.EqualError(t, err, fmt.Sprintf("ads %d and 99999: both have the id %q", campaigns[len(campaigns)/2].Index, twice.ID))
		})
	}
}

func TestHoursAreThoseAtWhichACampaignIsActive(t *testing.T) {
	t.Parallel()
	for start := -1; start <= 30; start++ {
		for end := -1; end <= 30; end++ {
			c := campaign.Campaign{StartHour: start, EndHour: end}
			for h := range 24 {
				require.Equal(t, c.ActiveAt(h), hoursOf(&c)>>h&1 == 1, "%d to %d at %d", start, end, h)
			}
		}
	}
}
