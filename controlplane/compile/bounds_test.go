package compile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

func TestBetweenItsBoundsAResultIsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := ruleCases.Draw(rt, "case")
		doc := &campaign.Document{Campaigns: r.campaigns}
		result, err := compile.Compile(doc, compile.Params{Now: r.now})
		require.NoError(rt, err)
		other := r.now.AddDate(0, 0, rapid.IntRange(-500, 500).Draw(rt, "days later"))
		if other.Before(result.Since) || !result.Until.IsZero() && !other.Before(result.Until) {
			return
		}
		again, err := compile.Compile(doc, compile.Params{Now: other})
		require.NoError(rt, err)
		require.Equal(rt, result.Bytes, again.Bytes)
	})
}

func TestSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*campaign.Campaign)
		bound  bool
	}{
		"a plain campaign":             {func(*campaign.Campaign) {}, false},
		"a flight that ended long ago": {func(c *campaign.Campaign) { c.EndAt = instant(t, "2026-01-01 00:00") }, true},
		"a zone that keeps its offset": {func(c *campaign.Campaign) { c.TimeZone = "Asia/Kathmandu" }, true},
		"a paused campaign's flight":   {func(c *campaign.Campaign) { c.Paused, c.EndAt = true, instant(t, "2026-01-01 00:00") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 3}
			c.change(&a)
			result, _ := compileDocument(t, &campaign.Document{Campaigns: []campaign.Campaign{a}},
				compile.Params{Now: time.Date(2027, 1, 8, 23, 30, 0, 0, time.FixedZone("", -3600))})
			if c.bound {
				require.Equal(t, time.Date(2027, 1, 9, 0, 0, 0, 0, time.UTC), result.Since)
			} else {
				require.Zero(t, result.Since)
			}
			require.Zero(t, result.Until)
		})
	}
}

func TestKnows(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-01-08 12:30")
	a := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng"}
	require.True(t, servedBy(t, now, a).Knows(now.AddDate(50, 0, 0)), "each day is as the last one")
	a.EndAt = instant(t, "2027-01-09 00:00")
	s := servedBy(t, now, a)
	end := minuteOf(t, "2027-01-22 00:00")
	require.True(t, s.Knows(time.Unix(0, 0)))
	require.True(t, s.Knows(end.Add(-time.Second)))
	require.False(t, s.Knows(end))
	require.True(t, (&compile.Served{}).Knows(end))
}
