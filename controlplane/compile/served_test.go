package compile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

// servedBy compiles campaigns for a time.
func servedBy(t testing.TB, now time.Time, campaigns ...campaign.Campaign) *compile.Served {
	t.Helper()
	result, _ := compileDocument(t, &campaign.Document{Campaigns: campaigns}, compile.Params{Now: now})
	s, err := compile.ServedBy(result.Bytes)
	require.NoError(t, err)
	return s
}

func TestRemovedAds(t *testing.T) {
	t.Parallel()
	monday := time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)
	ad := func(id string, change ...func(*campaign.Campaign)) campaign.Campaign {
		c := campaign.Campaign{ID: id, VideoURL: "https://v/" + id, Country: "us", Lang: "eng"}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	ends := func(after time.Duration) func(*campaign.Campaign) {
		return func(c *campaign.Campaign) { c.EndAt = campaign.At(monday.Add(after).Unix() / 60) }
	}
	starts := func(after time.Duration) func(*campaign.Campaign) {
		return func(c *campaign.Campaign) { c.StartAt = campaign.At(monday.Add(after).Unix() / 60) }
	}
	paused := func(c *campaign.Campaign) { c.Paused = true }
	first := func(c *campaign.Campaign) { c.Priority = 1 }
	morning := func(c *campaign.Campaign) { c.StartHour, c.EndHour = 0, 11 }
	elsewhere := func(c *campaign.Campaign) { c.Country = "fr" }
	one, other := `a"},\\x`, `a"},\\y` // what JSON must escape
	type ads []campaign.Campaign
	for name, c := range map[string]struct {
		before, after   ads
		later           time.Duration // from compiling the one before to comparing
		removed, served int
	}{
		"the same":                           {before: ads{ad("a"), ad("b")}, after: ads{ad("a"), ad("b")}, served: 2},
		"one of two":                         {before: ads{ad("a"), ad("b")}, after: ads{ad("b"), ad("c")}, removed: 1, served: 2},
		"nothing of nothing":                 {after: ads{ad("a")}},
		"all":                                {before: ads{ad("a"), ad("b")}, removed: 2, served: 2},
		"one that is paused":                 {before: ads{ad("a"), ad("b")}, after: ads{ad("a"), ad("b", paused)}, removed: 1, served: 2},
		"one that was paused before":         {before: ads{ad("a"), ad("b", paused)}, after: ads{ad("a")}, served: 1},
		"one that is behind another for all": {before: ads{ad("a"), ad("b")}, after: ads{ad("a"), ad("b", first)}, removed: 1, served: 2},
		"one that is behind another for an hour of the day": {
			before: ads{ad("a"), ad("b", morning)}, after: ads{ad("a"), ad("b", first, morning)}, served: 2,
		},
		"one that moves to another country":                 {before: ads{ad("a")}, after: ads{ad("a", elsewhere)}, served: 1},
		"one out of its hours now, which has some tomorrow": {before: ads{ad("a", morning)}, removed: 1, served: 1},
		"one in the last minute of its flight":              {before: ads{ad("a", ends(time.Hour)), ad("b")}, later: 59 * time.Minute, after: ads{ad("b")}, removed: 1, served: 2},
		"one whose flight has just ended":                   {before: ads{ad("a", ends(time.Hour)), ad("b")}, later: time.Hour, after: ads{ad("b")}, served: 1},
		"one that is still to come":                         {before: ads{ad("a", starts(48*time.Hour)), ad("b")}, after: ads{ad("b")}, removed: 1, served: 2},
		"one that is cut short, but not yet":                {before: ads{ad("a", ends(99*time.Hour))}, after: ads{ad("a", ends(time.Hour))}, served: 1},
		"one that is cut short already":                     {before: ads{ad("a", ends(99*time.Hour))}, later: 2 * time.Hour, after: ads{ad("a", ends(time.Hour))}, removed: 1, served: 1},
		"one that begins where no index sees it":            {before: ads{ad("a", starts(30*24*time.Hour)), ad("b")}, after: ads{ad("b")}, served: 1},
		"one without an end, long after the horizon":        {before: ads{ad("a", starts(time.Hour))}, later: 99 * 24 * time.Hour, removed: 1, served: 1},
		"one that ends in an index which sees other edges":  {before: ads{ad("a", ends(99*24*time.Hour)), ad("b", ends(time.Hour))}, later: 20 * 24 * time.Hour, after: ads{ad("c")}},
		"texts that are escaped":                            {before: ads{ad(one), ad(other), ad("a")}, after: ads{ad(one)}, removed: 2, served: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := monday.Add(c.later)
			removed, served := servedBy(t, monday, c.before...).Removed(servedBy(t, now, c.after...), now)
			require.Equal(t, []int{c.removed, c.served}, []int{removed, served})
		})
	}
	t.Run("what is no index", func(t *testing.T) {
		t.Parallel()
		_, err := compile.ServedBy([]byte("x"))
		require.Error(t, err)
		b := adindex.NewBuilder()
		b.AddAd([]byte("x"))
		index, err := b.Build(0)
		require.NoError(t, err)
		_, err = compile.ServedBy(index)
		require.ErrorContains(t, err, "ad 0")
	})
}

// TestWhatAnIndexServesCounts: whatever a request is answered with is among the ads that can still be served.
func TestWhatAnIndexServesCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := ruleCases.Draw(rt, "case")
		c := newRuleComparer(rt, r.campaigns, r.now)
		before, err := compile.ServedBy(c.result.Bytes)
		require.NoError(rt, err)
		for _, at := range r.minutes[:min(len(r.minutes), 4)] {
			ids := map[string]bool{}
			for _, q := range r.queries {
				for _, id := range c.serve(rt, q, at) {
					ids[id] = true
				}
			}
			left := &campaign.Document{}
			for _, campaign := range c.doc.Campaigns {
				if !ids[campaign.ID] {
					left.Campaigns = append(left.Campaigns, campaign)
				}
			}
			without, err := compile.Compile(left, compile.Params{Now: r.now})
			require.NoError(rt, err)
			after, err := compile.ServedBy(without.Bytes)
			require.NoError(rt, err)
			removed, served := before.Removed(after, at)
			require.GreaterOrEqual(rt, removed, len(ids))
			require.GreaterOrEqual(rt, served, removed)
		}
	})
}
