package compile_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

func minuteOf(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", text)
	require.NoError(t, err)
	return at
}

func instant(t testing.TB, text string) campaign.Instant {
	t.Helper()
	return campaign.At(minuteOf(t, text).Unix() / 60)
}

// TestNamedCases are the cases that the rules name. The index, the model and Explain are asked; each case lists the minutes from which
// on something else is served, and every minute between the first and the last is compared. The command explain is asked the same ones.
func TestNamedCases(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/named.json")
	require.NoError(t, err)
	var cases map[string]struct {
		Now      time.Time
		Document json.RawMessage
		Changes  []struct {
			From  time.Time
			Turns []string
		}
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := campaign.Decode(tc.Document)
			require.NoError(t, err)
			require.NotEmpty(t, doc.Campaigns)
			require.Zero(t, doc.Rejected)
			c := newRuleComparer(t, doc.Campaigns, tc.Now)
			last := len(tc.Changes) - 1
			require.Positive(t, last)
			for i, change := range tc.Changes[:last] {
				for at := change.From; at.Before(tc.Changes[i+1].From); at = at.Add(time.Minute) {
					require.Equal(t, change.Turns, append([]string{}, c.serve(t, query{"us", "en"}, at)...), "the index at %v", at)
					e, err := compile.Explain(c.doc, "us", "en", at)
					require.NoError(t, err)
					require.Equal(t, change.Turns, append([]string{}, explainedTurns(e)...), "explained at %v", at)
					if at.Minute()%15 == 0 || at.Minute()%15 == 14 {
						c.compare(t, query{"us", "en"}, at, true)
					}
				}
			}
		})
	}
}

func TestExplainReasons(t *testing.T) {
	t.Parallel()
	at := minuteOf(t, "2027-01-08 12:30") // a Friday
	base := campaign.Campaign{ID: "w", VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 0, EndHour: 24}
	with := func(change func(*campaign.Campaign)) campaign.Campaign {
		c := base
		change(&c)
		return c
	}
	winner := with(func(c *campaign.Campaign) { c.ID, c.StartHour, c.EndHour = "winner", 12, 13 })
	tests := map[string]struct {
		c      campaign.Campaign
		reason string
		next   string // empty if there is none
	}{
		"paused": {with(func(c *campaign.Campaign) { c.Paused = true }), "paused", ""},
		"paused comes before all others": {with(func(c *campaign.Campaign) {
			c.Paused, c.EndAt, c.StartHour, c.EndHour = true, instant(t, "2027-01-01 00:00"), 1, 2
		}), "paused", ""},
		"a flight that begins next year": {
			with(func(c *campaign.Campaign) { c.StartAt, c.StartHour, c.EndHour = instant(t, "2028-05-01 10:30"), 8, 9 }),
			"before_flight", "2028-05-02 08:00",
		},
		"a flight that begins inside the window": {
			with(func(c *campaign.Campaign) { c.StartAt = instant(t, "2027-01-08 12:31") }), "before_flight", "2027-01-08 12:31",
		},
		"a flight that has ended":            {with(func(c *campaign.Campaign) { c.EndAt = instant(t, "2027-01-08 12:30") }), "after_flight", ""},
		"a flight that misses every window":  {with(func(c *campaign.Campaign) { c.EndAt, c.EndHour = instant(t, "2027-01-08 23:00"), 10 }), "out_of_hours", ""},
		"a window later on another day":      {with(func(c *campaign.Campaign) { c.Days = campaign.DaysOf(time.Sunday) }), "wrong_day", "2027-01-10 00:00"},
		"neither the day nor the hour":       {with(func(c *campaign.Campaign) { c.Days, c.EndHour = campaign.DaysOf(time.Thursday), 5 }), "wrong_day", "2027-01-14 00:00"},
		"the night of the day before":        {with(func(c *campaign.Campaign) { c.Days, c.StartHour, c.EndHour = campaign.DaysOf(time.Friday), 20, 13 }), "wrong_day", "2027-01-08 20:00"},
		"the day, at another hour":           {with(func(c *campaign.Campaign) { c.Days, c.EndHour = campaign.DaysOf(time.Friday), 12 }), "out_of_hours", "2027-01-15 00:00"},
		"an hour of its zone":                {with(func(c *campaign.Campaign) { c.TimeZone, c.StartHour = "Asia/Kathmandu", 19 }), "out_of_hours", "2027-01-08 13:15"},
		"lower priority":                     {with(func(c *campaign.Campaign) { c.Priority = -1 }), "lower_priority", "2027-01-08 12:30"},
		"lower priority and less exact":      {with(func(c *campaign.Campaign) { c.Priority, c.Country = -1, campaign.Any }), "lower_priority", "2027-01-08 12:30"},
		"every language of the country":      {with(func(c *campaign.Campaign) { c.Lang = campaign.Any }), "less_exact", "2027-01-08 12:30"},
		"the language in every country":      {with(func(c *campaign.Campaign) { c.Country = campaign.Any }), "less_exact", "2027-01-08 12:30"},
		"every country and every language":   {with(func(c *campaign.Campaign) { c.Country, c.Lang = campaign.Any, campaign.Any }), "less_exact", "2027-01-08 12:30"},
		"less exact, and not its hour":       {with(func(c *campaign.Campaign) { c.Country, c.EndHour = campaign.Any, 12 }), "out_of_hours", "2027-01-09 00:00"},
		"a lower priority, and not its hour": {with(func(c *campaign.Campaign) { c.Priority, c.EndHour = -1, 12 }), "out_of_hours", "2027-01-09 00:00"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := explain(t, &campaign.Document{Campaigns: []campaign.Campaign{tc.c, winner}}, "us", "en", at)
			require.Equal(t, []string{"winner"}, explainedTurns(e))
			require.Equal(t, "us/eng", e.Key)
			require.Len(t, e.Waiting, 1)
			require.Equal(t, "w", e.Waiting[0].ID)
			require.Equal(t, tc.reason, e.Waiting[0].Reason)
			var want time.Time
			if tc.next != "" {
				want = minuteOf(t, tc.next)
			}
			require.Equal(t, want, e.Waiting[0].NextEligible)
			require.Contains(t, e.String(), tc.reason)
		})
	}
}

func TestExplainOverriddenCampaigns(t *testing.T) {
	t.Parallel()
	source := []campaign.Campaign{
		{ID: "a", VideoURL: "https://v/source", Country: "us", Lang: campaign.Any, Index: 7},
		{ID: "b", VideoURL: "https://v/source", Country: "fr", Lang: "eng", Index: 8},
	}
	doc := &campaign.Document{Campaigns: []campaign.Campaign{{ID: "a", VideoURL: "https://v/operator", Country: "us", Lang: "eng"}}}
	e, err := compile.ExplainOver(doc, source, "us", "en", time.Unix(0, 0))
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, explainedTurns(e))
	require.Equal(t, "https://v/operator", e.Eligible[0].VideoURL)
	require.Equal(t, []compile.Waiting{{
		Ad:     compile.Ad{ID: "a", VideoURL: "https://v/source", Country: "us", Lang: "*", Weight: 1, Index: 7},
		Reason: "overridden",
	}}, e.Waiting)
	text := e.String()
	require.Contains(t, text, "overridden  -\n")
}

// TestExplainNamesTheEntryThatAnswers compares with the keys of the index.
func TestExplainNamesTheEntryThatAnswers(t *testing.T) {
	t.Parallel()
	ad := func(id, country, lang string) campaign.Campaign {
		return campaign.Campaign{ID: id, VideoURL: "https://v/", Country: country, Lang: lang}
	}
	paused := ad("p", "us", "deu")
	paused.Paused = true
	tests := map[string]struct {
		campaigns []campaign.Campaign
		key       string
	}{
		"the exact pair":                   {[]campaign.Campaign{ad("a", "us", "deu"), ad("b", "us", "*")}, "us/deu"},
		"a pair of wildcards":              {[]campaign.Campaign{ad("a", "us", "*"), ad("b", "*", "deu")}, "us/deu"},
		"the country":                      {[]campaign.Campaign{ad("a", "us", "*"), ad("b", "*", "*")}, "us/*"},
		"the language":                     {[]campaign.Campaign{ad("a", "*", "deu"), ad("b", "*", "*")}, "*/deu"},
		"everybody":                        {[]campaign.Campaign{ad("a", "*", "*"), ad("b", "*", "fra")}, "*/*"},
		"nothing for a paused campaign":    {[]campaign.Campaign{paused, ad("b", "*", "*")}, "*/*"},
		"nothing but a paused campaign":    {[]campaign.Campaign{paused}, ""},
		"nothing of another country's too": {[]campaign.Campaign{ad("a", "fr", "*")}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := &campaign.Document{Campaigns: tc.campaigns}
			require.Equal(t, tc.key, explain(t, doc, "us", "ger", time.Unix(0, 0)).Key)
			_, r := compileDocument(t, doc, compile.Params{})
			entry, ok := r.Find(mustKey(t, "us", "ger"))
			require.Equal(t, tc.key != "", ok)
			if ok {
				require.Equal(t, tc.key, r.CursorKey(entry.Cursor()).String())
			}
		})
	}
}

func TestExplainTheTurnsOfWeights(t *testing.T) {
	t.Parallel()
	doc := &campaign.Document{Campaigns: []campaign.Campaign{
		{ID: "b", VideoURL: "https://v/b", Country: "us", Lang: "eng", Weight: 10},
		{ID: "a", VideoURL: "https://v/a", Country: "us", Lang: "eng", Weight: 30, Days: campaign.DaysOf(time.Thursday, time.Sunday), TimeZone: "Europe/Paris"},
	}}
	e := explain(t, doc, "us", "en", time.Unix(0, 0))
	require.Equal(t, []int{0, 0, 0, 1}, e.Cycle)
	require.Equal(t, `country us, lang eng (en eng), 1970-01-01 00:00 UTC
key us/eng answers, ads eligible: 2

TURN  ID  HOURS                         URL
1     a   all day thu,sun Europe/Paris  https://v/a
2     b   all day                       https://v/b

cycle of 4 turns: a a a b
`, e.String())
}
