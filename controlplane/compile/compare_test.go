package compile_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

// comparedCase is two sets of campaigns that have most in common.
type comparedCase struct {
	before, after []campaign.Campaign
	now           time.Time
	queries       []query
	minutes       []time.Time
}

var comparedCases = rapid.Custom(func(t *rapid.T) comparedCase {
	r := ruleCases.Filter(func(r ruleCase) bool { return len(r.campaigns) < 100 }).Draw(t, "before")
	c := comparedCase{before: r.campaigns, now: r.now, queries: r.queries, minutes: r.minutes}
	h := ruleHorizonOf(r.now)
	for _, kept := range r.campaigns {
		switch rapid.IntRange(0, 9).Draw(t, "change") {
		case 0:
			continue
		case 1:
			kept.Weight = ruleWeights.Draw(t, "weight")
		case 2:
			kept.Priority = rulePriorities.Draw(t, "priority")
		case 3:
			kept.StartAt, kept.EndAt = 0, 0
			flight(t, &kept, h)
		case 4:
			kept.VideoURL, kept.Name = "https://v/2", "another"
		case 5:
			kept.Name = "another"
		}
		c.after = append(c.after, kept)
	}
	if oneIn(t, 3) {
		added := ruleCampaigns.Draw(t, "added")
		added.ID = "b-added"
		flight(t, &added, h)
		c.after = append(c.after, added)
	}
	return c
})

func openedIndex(t require.TestingT, doc *campaign.Document, now time.Time) *adindex.Reader {
	result, err := compile.Compile(doc, compile.Params{Now: now})
	require.NoError(t, err)
	r, err := adindex.Open(result.Bytes)
	require.NoError(t, err)
	return r
}

// answersOf are the answers of an index, by the numbers of its ads.
func answersOf(r *adindex.Reader) []string {
	all := make([]string, r.Ads())
	for n := range all {
		all[n] = string(answer(r, adindex.AdRef(n)))
	}
	return all
}

// differs compares a key minute by minute and turn by turn.
func differs(a, b *adindex.Reader, answersA, answersB []string, key adindex.Key, from, until time.Time) bool {
	entryA, inA := a.Find(key)
	entryB, inB := b.Find(key)
	for at := from.Truncate(time.Minute); at.Before(until); at = at.Add(time.Minute) {
		var x, y adindex.Cycle
		if inA {
			x = a.CycleAt(entryA, at.Unix())
		}
		if inB {
			y = b.CycleAt(entryB, at.Unix())
		}
		if x.Len() != y.Len() {
			return true
		}
		for turn := range x.Len() {
			if answersA[x.Ad(turn)] != answersB[y.Ad(turn)] {
				return true
			}
		}
	}
	return false
}

// TestCompareAgreesWithEveryMinute compares random campaigns minute by minute, also of indexes that are of different days, or older than their horizon.
func TestCompareAgreesWithEveryMinute(t *testing.T) {
	t.Parallel()
	counts := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		c := comparedCases.Draw(t, "case")
		older := rapid.SampledFrom([]int{0, 0, 0, 1, 5, 13, 20}).Draw(t, "days between them")
		a := openedIndex(t, &campaign.Document{Campaigns: c.before}, c.now.AddDate(0, 0, -older))
		b := openedIndex(t, &campaign.Document{Campaigns: c.after}, c.now)
		got, err := compile.Compare(t.Context(), a, b, c.now)
		require.NoError(t, err)
		require.False(t, got.Until.Before(c.now.Truncate(time.Minute).AddDate(0, 0, 7)))
		var want []adindex.Key
		answersA, answersB := answersOf(a), answersOf(b)
		for _, r := range []*adindex.Reader{a, b} {
			for n := range r.Cursors() {
				key := r.CursorKey(uint32(n))
				if differs(a, b, answersA, answersB, key, c.now, got.Until) {
					want = append(want, key)
					counts["differs"]++
				} else {
					counts["same"]++
				}
			}
		}
		slices.Sort(want)
		require.Equal(t, slices.Compact(want), got.Keys)

		back, err := compile.Compare(t.Context(), b, a, c.now)
		require.NoError(t, err)
		require.Equal(t, got.Keys, back.Keys)
		require.Equal(t, got.Until, back.Until)
	})
	require.Greater(t, counts["differs"], 20)
	require.Greater(t, counts["same"], 20)
}

// TestWhatIsNeitherChangedNorLaterStaysForEver asks the rules themselves, at minutes years ahead too.
func TestWhatIsNeitherChangedNorLaterStaysForEver(t *testing.T) {
	t.Parallel()
	counts := make(map[string]int)
	check := func(t *rapid.T) {
		c := comparedCases.Draw(t, "case")
		before, after := &campaign.Document{Campaigns: c.before}, &campaign.Document{Campaigns: c.after}
		a, b := openedIndex(t, before, c.now), openedIndex(t, after, c.now)
		d, err := compile.Compare(t.Context(), a, b, c.now)
		require.NoError(t, err)
		later, err := d.Later(before, after)
		require.NoError(t, err)
		for _, key := range later {
			require.NotContains(t, d.Keys, key)
		}
		for _, q := range c.queries {
			keys := []adindex.Key{}
			for _, r := range []*adindex.Reader{a, b} {
				if e, ok := r.Find(mustMakeKey(t, q)); ok {
					keys = append(keys, r.CursorKey(e.Cursor()))
				}
			}
			in := func(set []adindex.Key) bool {
				return slices.ContainsFunc(keys, func(k adindex.Key) bool { return slices.Contains(set, k) })
			}
			for _, at := range c.minutes {
				at = at.AddDate(0, 0, rapid.SampledFrom([]int{0, 0, 7, 14, 100, 200, 1000}).Draw(t, "days later"))
				if at.Before(c.now.Truncate(time.Minute)) || slices.Equal(ruled(t, before, q, at), ruled(t, after, q, at)) {
					continue
				}
				switch {
				case in(d.Keys):
					counts["at once"]++
				case at.Before(d.Until):
					require.Fail(t, "it differs, and no key says so", "%v at %v", q, at)
				default:
					require.True(t, in(later), "%v at %v", q, at)
					counts["later"]++
				}
			}
		}
	}
	for n := 0; n == 0 || n < 20 && counts["later"] < 5; n++ {
		rapid.Check(t, check)
	}
	require.Greater(t, counts["at once"], 20)
	require.GreaterOrEqual(t, counts["later"], 5)
}

func mustMakeKey(t require.TestingT, q query) adindex.Key {
	key, ok := adindex.MakeKey(q.country, q.lang)
	require.True(t, ok)
	return key
}

// ruled is what the rules give without a horizon: the answers, turn by turn.
func ruled(t require.TestingT, doc *campaign.Document, q query, at time.Time) []string {
	e, err := compile.Explain(doc, q.country, q.lang, at)
	require.NoError(t, err)
	turns := make([]string, len(e.Cycle))
	for i, ad := range e.Cycle {
		turns[i] = e.Eligible[ad].ID + " " + e.Eligible[ad].VideoURL
	}
	return turns
}

func TestKeysThatACampaignChanges(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-03-01 10:00") // the indexes know the days up to 2027-03-15
	plain := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng"}
	hidden := campaign.Campaign{ID: "h", VideoURL: "https://v/", Country: "us", Lang: "eng", Priority: -1}
	for name, c := range map[string]struct {
		beside      []campaign.Campaign
		change      func(c *campaign.Campaign)
		keys, later []string
	}{
		"another": {nil, func(*campaign.Campaign) {}, []string{"us/eng"}, nil},
		"13 minutes inside a quarter of an hour": {nil, func(c *campaign.Campaign) {
			c.Priority, c.StartAt, c.EndAt = 9, instant(t, "2027-03-02 10:01"), instant(t, "2027-03-02 10:14")
		}, []string{"us/eng"}, nil},
		"a flight that begins in eight days": {nil, func(c *campaign.Campaign) {
			c.Priority, c.StartAt = 9, instant(t, "2027-03-09 10:00")
		}, []string{"us/eng"}, nil},
		"the last minute that the index knows": {nil, func(c *campaign.Campaign) {
			c.StartAt, c.EndAt = instant(t, "2027-03-14 23:59"), instant(t, "2027-03-15 00:00")
		}, []string{"us/eng"}, nil},
		"one that is never served and ends with that minute": {nil, func(c *campaign.Campaign) {
			c.Priority, c.EndAt = -9, instant(t, "2027-03-15 00:00")
		}, nil, nil},
		"one that is not served so far and ends a minute later": {nil, func(c *campaign.Campaign) {
			c.Priority, c.EndAt = -9, instant(t, "2027-03-15 00:01")
		}, nil, []string{"us/eng"}},
		"a minute after it": {nil, func(c *campaign.Campaign) {
			c.StartAt, c.EndAt = instant(t, "2027-03-15 00:00"), instant(t, "2027-03-15 00:01")
		}, nil, []string{"us/eng"}},
		"a flight next year": {nil, func(c *campaign.Campaign) { c.StartAt = instant(t, "2028-03-01 00:00") }, nil, []string{"us/eng"}},
		"a flight next year everywhere": {nil, func(c *campaign.Campaign) {
			c.Country, c.Lang, c.StartAt = "*", "*", instant(t, "2028-03-01 00:00")
		}, nil, []string{"*/*", "de/deu", "us/eng", "us/fra"}},
		"a flight that is over":    {nil, func(c *campaign.Campaign) { c.EndAt = instant(t, "2027-03-01 10:00") }, nil, nil},
		"one minute that is left":  {nil, func(c *campaign.Campaign) { c.EndAt = instant(t, "2027-03-01 10:01") }, []string{"us/eng"}, nil},
		"one that is never served": {nil, func(c *campaign.Campaign) { c.Priority = -1 }, nil, nil},
		"one that is not served before another ends next year": {
			[]campaign.Campaign{{ID: "x", VideoURL: "https://v/", Country: "us", Lang: "fra", Priority: 9, EndAt: instant(t, "2028-01-01 00:00")}},
			func(c *campaign.Campaign) { c.Lang = "fra" }, nil,
			[]string{"us/fra"},
		},
		"one that is not served before a zone's clocks change": {
			[]campaign.Campaign{
				{ID: "x", VideoURL: "https://v/", Country: "us", Lang: "fra", Priority: 9, StartHour: 3, EndHour: 4, TimeZone: "Europe/Berlin"},
			},
			func(c *campaign.Campaign) { c.Lang, c.StartHour, c.EndHour = "fra", 2, 3 }, nil,
			[]string{"us/fra"},
		},
		"paused":         {nil, func(c *campaign.Campaign) { c.Paused = true }, nil, nil},
		"every language": {nil, func(c *campaign.Campaign) { c.Lang, c.Priority = "*", 1 }, []string{"us/*", "us/eng", "us/fra"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := plain
			other.ID, other.Lang = "f", "fra"
			timed := campaign.Campaign{ID: "t", VideoURL: "https://v/", Country: "de", Lang: "deu", EndAt: instant(t, "2027-03-05 00:00")}
			before := append([]campaign.Campaign{plain, other, hidden, timed}, c.beside...)
			added := campaign.Campaign{ID: "new", VideoURL: "https://v/", Country: "us", Lang: "eng"}
			c.change(&added)
			docs := [2]*campaign.Document{{Campaigns: before}, {Campaigns: append(slices.Clone(before), added)}}
			for _, n := range [2][2]int{{0, 1}, {1, 0}} {
				a, b := docs[n[0]], docs[n[1]]
				d, err := compile.Compare(t.Context(), openedIndex(t, a, now), openedIndex(t, b, now), now)
				require.NoError(t, err)
				later, err := d.Later(a, b)
				require.NoError(t, err)
				require.Equal(t, c.keys, texts(d.Keys))
				require.Equal(t, c.later, texts(later))
			}
		})
	}
}

// TestHowFarIsCompared: no further than both indexes know minute by minute, and a week at least.
func TestHowFarIsCompared(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-03-01 10:00")
	timed := &campaign.Document{Campaigns: []campaign.Campaign{
		{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", EndAt: instant(t, "2027-03-05 00:00")},
	}}
	plain := &campaign.Document{Campaigns: []campaign.Campaign{{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng"}}}
	for name, c := range map[string]struct {
		a, b  *campaign.Document
		older int // days
		until string
	}{
		"both of today":                 {timed, timed, 0, "2027-03-15 00:00"},
		"one is three days older":       {timed, timed, 3, "2027-03-12 00:00"},
		"one is nine days older":        {timed, timed, 9, "2027-03-08 10:00"},
		"only one has flights":          {plain, timed, 0, "2027-03-15 00:00"},
		"neither has flights or zones":  {plain, plain, 0, "2027-03-08 10:00"},
		"one has none and is far older": {plain, timed, 100, "2027-03-15 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openedIndex(t, c.a, now.AddDate(0, 0, -c.older)), openedIndex(t, c.b, now)
			for _, pair := range [][2]*adindex.Reader{{a, b}, {b, a}} {
				d, err := compile.Compare(t.Context(), pair[0], pair[1], now)
				require.NoError(t, err)
				require.Equal(t, minuteOf(t, c.until), d.Until)
			}
		})
	}
}

func texts(keys []adindex.Key) []string {
	var all []string
	for _, key := range keys {
		all = append(all, key.String())
	}
	return all
}

// Of each campaign its place, name and labels decide nothing.
func TestKeysThatANameChanges(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-03-01 10:00")
	c := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartAt: instant(t, "2028-03-01 00:00")}
	named := c
	named.Index, named.Name, named.Labels = 7, "name", []string{"label"}
	a, b := &campaign.Document{Campaigns: []campaign.Campaign{c}}, &campaign.Document{Campaigns: []campaign.Campaign{named}}
	d, err := compile.Compare(t.Context(), openedIndex(t, a, now), openedIndex(t, b, now), now)
	require.NoError(t, err)
	require.Empty(t, d.Keys)
	later, err := d.Later(a, b)
	require.NoError(t, err)
	require.Empty(t, later)
}

// leaving is a context that ends when it has been asked a number of times.
type leaving struct {
	context.Context //nolint:containedctx // it is one

	asked, left int
}

func (l *leaving) Err() error {
	if l.asked++; l.asked > l.left {
		return context.Canceled
	}
	return nil
}

func TestCompareEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	doc := &campaign.Document{Campaigns: manyCampaigns(1000, 10)}
	index := openedIndex(t, doc, time.Time{})
	whole := &leaving{Context: t.Context(), left: 1 << 30}
	_, err := compile.Compare(whole, index, index, time.Unix(0, 0))
	require.NoError(t, err)
	require.Greater(t, whole.asked, 100+2*index.Cycles(), "for each key and each cycle")
	for left := 0; left < whole.asked; left += 50 {
		ctx := &leaving{Context: t.Context(), left: left}
		_, err := compile.Compare(ctx, index, index, time.Unix(0, 0))
		require.ErrorIs(t, err, context.Canceled)
		require.LessOrEqual(t, ctx.asked, left+2, "it goes on")
	}
}

// An index of a store may have been written by anybody.
func TestCompareRefusesBodiesThatNobodyCanAnswer(t *testing.T) {
	t.Parallel()
	b := adindex.NewBuilder()
	b.AddAd([]byte{0xff})
	data, err := b.Build(0)
	require.NoError(t, err)
	broken, err := adindex.Open(data)
	require.NoError(t, err)
	good := openedIndex(t, &campaign.Document{}, time.Time{})
	for _, pair := range [][2]*adindex.Reader{{broken, good}, {good, broken}} {
		_, err = compile.Compare(t.Context(), pair[0], pair[1], time.Unix(0, 0))
		require.ErrorContains(t, err, "read an index: ad 0: an ad of 1 bytes")
	}
}
