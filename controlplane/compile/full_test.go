package compile_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/zone"
)

func campaignsOf(n int, change func(i int, c *campaign.Campaign)) []campaign.Campaign {
	all := make([]campaign.Campaign, n)
	for i := range all {
		all[i] = campaign.Campaign{ID: fmt.Sprintf("%06d", i), VideoURL: "https://v/", Country: "us", Lang: "eng", Index: i}
		change(i, &all[i])
	}
	return all
}

func TestCyclesByWeight(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		weights []int
		want    string // ids a, b, c …
	}{
		"equal weights":               {[]int{7, 7, 7}, "abc"},
		"three to one":                {[]int{3, 1}, "aaab"},
		"one to three":                {[]int{1, 3}, "abbb"},
		"a common divisor":            {[]int{30, 10}, "aaab"},
		"two to one to one":           {[]int{2, 1, 1}, "abac"},
		"no weight is the weight one": {[]int{0, 2}, "abb"},
		// a is at 1/6, b at 1/6, 3/6 and 5/6, c at 5/6.
		"turns at one place go by id": {[]int{1, 3, 1}, "abbbc"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := compileDocument(t, &campaign.Document{Campaigns: campaignsOf(len(tc.weights), func(i int, c *campaign.Campaign) {
				c.ID, c.Weight = string(rune('a'+i)), tc.weights[i]
			})}, compile.Params{})
			require.Equal(t, tc.want, strings.Join(cycle(t, r, "us", "eng", hour(0)), ""))
		})
	}
	t.Run("primes have a turn for each", func(t *testing.T) {
		t.Parallel()
		weights := []int{97, 89, 83}
		_, r := compileDocument(t, &campaign.Document{Campaigns: campaignsOf(3, func(i int, c *campaign.Campaign) { c.Weight = weights[i] })}, compile.Params{})
		turns := cycle(t, r, "us", "eng", hour(0))
		require.Len(t, turns, 269)
		for i, w := range weights {
			n := 0
			for _, id := range turns {
				if id == fmt.Sprintf("%06d", i) {
					n++
				}
			}
			require.Equal(t, w, n)
		}
	})
}

func TestCyclesThatAreCut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ads    int
		weight func(i int) int
		turns  int
		cut    []compile.Cut
	}{
		// 662 · 99 − 2 = 65,536.
		"at the limit":   {662, func(i int) int { return []int{99, 97}[i/661] }, 65_536, nil},
		"one turn above": {656, func(i int) int { return []int{100, 37}[i/655] }, 655*99 + 36, []compile.Cut{{Key: "us/eng", Ads: 656, Turns: 655*99 + 36, Uncut: 65_537}}},
		"more ads than the limit, with equal weights": {65_600, func(int) int { return 50 }, 65_600, nil},
		"more ads than the limit": {
			65_600, func(i int) int { return 1 + i%2 }, 65_600, []compile.Cut{{Key: "us/eng", Ads: 65_600, Turns: 65_600, Uncut: 98_400}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, r := compileDocument(t, &campaign.Document{Campaigns: campaignsOf(tc.ads, func(i int, c *campaign.Campaign) {
				c.Weight = tc.weight(i)
			})}, compile.Params{})
			require.Equal(t, tc.cut, result.Cuts)
			require.Equal(t, len(tc.cut), result.CutCycles)
			entry, ok := r.Find(mustKey(t, "us", "en"))
			require.True(t, ok)
			require.Equal(t, tc.turns, r.CycleAt(entry, 0).Len())
		})
	}
}

func TestTheTimeOfTheDayDoesNotShow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := ruleCases.Draw(rt, "case")
		doc := &campaign.Document{Campaigns: r.campaigns}
		midnight := r.now.Truncate(24 * time.Hour)
		var want []byte
		for _, now := range []time.Time{midnight, r.now.In(time.FixedZone("", 5*3600)), midnight.Add(24*time.Hour - 1)} {
			result, err := compile.Compile(doc, compile.Params{Now: now})
			require.NoError(rt, err)
			if want == nil {
				want = result.Bytes
			}
			require.Equal(rt, want, result.Bytes)
			if !result.Until.IsZero() {
				require.Equal(rt, midnight.Add(24*time.Hour), result.Until)
			}
		}
	})
}

// TestUntil: a result without an end is the same on every later day.
func TestUntil(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := ruleCases.Draw(rt, "case")
		doc := &campaign.Document{Campaigns: r.campaigns}
		result, err := compile.Compile(doc, compile.Params{Now: r.now})
		require.NoError(rt, err)
		if result.Until.IsZero() {
			later, err := compile.Compile(doc, compile.Params{Now: r.now.AddDate(0, 0, rapid.IntRange(1, 500).Draw(rt, "days later"))})
			require.NoError(rt, err)
			require.Equal(rt, result.Bytes, later.Bytes)
		}
	})
}

func TestWhatDependsOnTheDay(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-01-08 12:30")
	in := func(name string) func(*campaign.Campaign) { return func(c *campaign.Campaign) { c.TimeZone = name } }
	tests := map[string]struct {
		change func(*campaign.Campaign)
		until  bool
		zones  bool
	}{
		"nothing of a plain campaign":       {func(*campaign.Campaign) {}, false, false},
		"not a priority, a weight, or days": {func(c *campaign.Campaign) { c.Priority, c.Weight, c.Days = 1, 2, 3 }, false, false},
		"a flight that began long ago":      {func(c *campaign.Campaign) { c.StartAt = instant(t, "2026-01-01 00:00") }, false, false},
		"a flight that ended long ago":      {func(c *campaign.Campaign) { c.EndAt = instant(t, "2026-01-01 00:00") }, false, false},
		"a flight that begins far ahead":    {func(c *campaign.Campaign) { c.StartAt = instant(t, "2028-01-01 00:00") }, true, false},
		"a flight that ends far ahead":      {func(c *campaign.Campaign) { c.EndAt = instant(t, "2028-01-01 00:00") }, true, false},
		"a paused campaign's flight":        {func(c *campaign.Campaign) { c.Paused, c.EndAt = true, instant(t, "2027-01-10 00:00") }, false, false},
		"the name UTC":                      {in("UTC"), false, false},
		"a zone that keeps its offset":      {in("Asia/Kathmandu"), false, true},
		"a zone that changes in summer":     {in("Europe/Berlin"), true, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 3}
			tc.change(&c)
			result, _ := compileDocument(t, &campaign.Document{Campaigns: []campaign.Campaign{c}}, compile.Params{Now: now})
			require.Equal(t, tc.until, !result.Until.IsZero())
			want := ""
			if tc.zones {
				want = zone.Version()
			}
			require.Equal(t, want, result.TimeZones)
		})
	}
}

func TestThePresentTimeIsNeededWhereItCounts(t *testing.T) {
	t.Parallel()
	doc := &campaign.Document{Campaigns: []campaign.Campaign{
		{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartAt: instant(t, "2026-01-01 00:00")},
	}}
	_, err := compile.Compile(doc, compile.Params{})
	require.EqualError(t, err, "campaigns have flights or time zones: the present time is needed")
	doc.Campaigns[0].Paused = true
	_, err = compile.Compile(doc, compile.Params{})
	require.NoError(t, err)
	doc.Campaigns[0].Paused, doc.Campaigns[0].StartAt, doc.Campaigns[0].TimeZone = false, 0, "Mars/Olympus"
	_, err = compile.Compile(doc, compile.Params{Now: time.Unix(0, 0)})
	require.ErrorContains(t, err, `ad 0: time zone "Mars/Olympus": no such name`)
}

// TestTheSimplestClock: what the rules say of clocks shows in the index where the time is outside the horizon.
func TestTheSimplestClock(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-01-08 12:30") // the horizon is from 2027-01-07 to 2027-01-22
	tests := map[string]struct {
		change func(*campaign.Campaign)
		served map[string]bool
	}{
		"an end inside the horizon": {func(c *campaign.Campaign) { c.EndAt = instant(t, "2027-01-21 23:59") }, map[string]bool{
			"2027-01-05 06:00": false, "2027-01-20 06:00": true, "2027-01-22 06:00": false,
		}},
		"an end at the horizon's": {func(c *campaign.Campaign) { c.EndAt = instant(t, "2027-01-22 00:00") }, map[string]bool{
			"2027-01-05 06:00": true, "2027-01-20 06:00": true, "2027-01-22 06:00": true,
		}},
		"a start at the horizon's first minute": {func(c *campaign.Campaign) { c.StartAt = instant(t, "2027-01-07 00:00") }, map[string]bool{
			"2027-01-05 06:00": true, "2027-01-20 06:00": true, "2027-01-22 06:00": true,
		}},
		"a start in its second minute": {func(c *campaign.Campaign) { c.StartAt = instant(t, "2027-01-07 00:01") }, map[string]bool{
			"2027-01-05 06:00": false, "2027-01-20 06:00": true, "2027-01-22 06:00": true,
		}},
		"a start at the horizon's end": {func(c *campaign.Campaign) { c.StartAt = instant(t, "2027-01-22 00:00") }, map[string]bool{
			"2027-01-20 06:00": false, "2027-01-22 06:00": false,
		}},
		"no edge at all": {func(c *campaign.Campaign) { c.Weight = 2 }, map[string]bool{
			"2027-01-05 06:00": true, "2027-01-22 06:00": true,
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 6, EndHour: 12}
			tc.change(&c)
			both := newRuleComparer(t, []campaign.Campaign{c}, now)
			for text, served := range tc.served {
				at := minuteOf(t, text)
				require.Equal(t, served, len(both.serve(t, query{"us", "en"}, at)) == 1, text)
				both.compare(t, query{"us", "en"}, at, false)
			}
		})
	}
}

func TestAFlightThatBeginsWithTheHorizonsEnd(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-01-08 12:30")
	c := newRuleComparer(t, campaignsOf(3, func(i int, c *campaign.Campaign) {
		c.StartAt = []campaign.Instant{instant(t, "2027-01-10 00:00"), instant(t, "2027-01-22 00:00"), instant(t, "2027-01-22 00:01")}[i]
	}), now)
	require.Equal(t, []string{"000000"}, c.serve(t, query{"us", "en"}, minuteOf(t, "2027-01-21 23:59")))
	require.Equal(t, []string{"000000", "000001"}, c.serve(t, query{"us", "en"}, minuteOf(t, "2027-01-22 00:00")))
	require.Equal(t, []string{"000000", "000001"}, c.serve(t, query{"us", "en"}, minuteOf(t, "2027-02-22 00:00")))
}

// TestNextEligible compares with a walk over the minutes.
func TestNextEligible(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := ruleCases.Draw(rt, "case")
		at := r.minutes[0]
		for i := range min(len(r.campaigns), 2) {
			c := &r.campaigns[i]
			ads, err := ruleAds(r.campaigns[i : i+1])
			require.NoError(rt, err)
			// Four weeks from the flight's start on are what the search promises.
			first := at.Truncate(time.Minute)
			if ads[0].startAt != nil && ads[0].startAt.After(first) {
				first = *ads[0].startAt
			}
			var want time.Time
			for minute := first; minute.Before(first.AddDate(0, 0, 28)); minute = minute.Add(time.Minute) {
				if ads[0].eligible(minute) {
					want = minute.UTC()
					break
				}
			}
			got, err := compile.NextEligible(c, at)
			require.NoError(rt, err)
			require.Equal(rt, want, got)
		}
	})
}

// A next minute in the year 10000 has no text: a list with that campaign could not be written.
func TestNextEligibleAtTheEndOfTime(t *testing.T) {
	t.Parallel()
	last := time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC)
	c := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 23, EndHour: 24, StartAt: campaign.At(last.Unix() / 60)}
	next, err := compile.NextEligible(&c, time.Unix(0, 0))
	require.NoError(t, err)
	require.Equal(t, last, next)
	c.StartHour, c.EndHour = 8, 20
	next, err = compile.NextEligible(&c, time.Unix(0, 0))
	require.NoError(t, err)
	require.Zero(t, next)
	e := explain(t, &campaign.Document{Campaigns: []campaign.Campaign{c}}, "us", "eng", last)
	require.Equal(t, "out_of_hours", e.Waiting[0].Reason)
	_, err = json.Marshal(e)
	require.NoError(t, err)
}

func TestSchedulesAndCyclesAreShared(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-03-20 12:30")
	sizes := make(map[int]int)
	for _, keys := range []int{1, 2} {
		campaigns := campaignsOf(10, func(_ int, c *campaign.Campaign) {
			c.Country, c.TimeZone, c.StartHour = campaign.Any, "Europe/Berlin", 3
		})
		for i := range keys {
			country := string([]byte{'a', 'a' + byte(i)})
			campaigns = append(campaigns, campaign.Campaign{
				ID: country, VideoURL: "https://v/", Country: country, Lang: "eng", EndAt: instant(t, "2027-01-01 00:00"),
			})
		}
		result, r := compileDocument(t, &campaign.Document{Campaigns: campaigns}, compile.Params{Now: now})
		require.Equal(t, 2*(keys+1), r.Keys(), "the key of a campaign that is past stands")
		require.Equal(t, 10, r.Ads())
		sizes[keys] = len(result.Bytes)
		entry, ok := r.Find(mustKey(t, "aa", "en"))
		require.True(t, ok)
		require.Equal(t, "aa/eng", r.CursorKey(entry.Cursor()).String())
	}
	require.Equal(t, 2*(4+8)+4, sizes[2]-sizes[1], "two entries and a cursor more, and no schedule")
}
