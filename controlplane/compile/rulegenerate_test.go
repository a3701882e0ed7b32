package compile_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
)

// ruleCase is campaigns with every field, the time of their compiling, and what is asked of the index.
type ruleCase struct {
	campaigns []campaign.Campaign
	now       time.Time
	queries   []query
	minutes   []time.Time
}

// The pools are small, so that campaigns meet in one key. The times lie near changes of the zones and far from them.
var (
	ruleCountries = rapid.SampledFrom([]string{"us", "fr", "us", campaign.Any})
	ruleLangs     = rapid.SampledFrom([]string{"eng", "fra", "eng", campaign.Any})
	ruleQueries   = rapid.Custom(func(t *rapid.T) query {
		return query{
			rapid.SampledFrom([]string{"us", "fr", "gb"}).Draw(t, "asked country"),
			rapid.SampledFrom([]string{"en", "eng", "fr", "fre", "deu"}).Draw(t, "asked lang"),
		}
	})
	ruleZones = rapid.SampledFrom([]string{
		"", "", "", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Chatham",
	})
	rulePriorities = rapid.SampledFrom([]int{0, 0, 0, 1, -1, campaign.MaxPriority, campaign.MinPriority})
	ruleWeights    = rapid.SampledFrom([]int{0, 1, 1, 2, 4, 6, 50, 97, 100})
	ruleDays       = rapid.SampledFrom([]string{
		"2027-01-04", "2027-01-08", "2027-03-10", "2027-03-24", "2027-03-28", "2027-03-29", "2027-04-03", "2027-10-02", "2027-10-20",
		"2027-10-31", "2027-11-01", "2027-11-07", "2028-02-28", "1969-12-31",
	})
)

var ruleCampaigns = rapid.Custom(func(t *rapid.T) campaign.Campaign {
	c := campaign.Campaign{
		VideoURL: "https://v/", Country: ruleCountries.Draw(t, "country"), Lang: ruleLangs.Draw(t, "lang"),
		StartHour: rapid.IntRange(0, 23).Draw(t, "start"), EndHour: rapid.IntRange(0, 24).Draw(t, "end"),
		Priority: rulePriorities.Draw(t, "priority"), Weight: ruleWeights.Draw(t, "weight"),
		TimeZone: ruleZones.Draw(t, "zone"), Paused: oneIn(t, 12),
	}
	if oneIn(t, 3) {
		c.Days = campaign.Days(rapid.IntRange(1, 126).Draw(t, "days"))
	}
	return c
})

// flight gives the campaign a flight with edges around the horizon, one or both.
func flight(t *rapid.T, c *campaign.Campaign, h ruleHorizon) {
	edge := func(name string) campaign.Instant { return campaign.At(h.near(t, name).Unix() / 60) }
	switch rapid.IntRange(0, 8).Draw(t, "flight") {
	case 0:
		c.StartAt = edge("start at")
	case 1:
		c.EndAt = edge("end at")
	case 2:
		c.StartAt, c.EndAt = edge("start at"), edge("end at")
		if c.StartAt.Minute() > c.EndAt.Minute() {
			c.StartAt, c.EndAt = c.EndAt, c.StartAt
		}
		if c.StartAt.Minute() == c.EndAt.Minute() {
			c.EndAt = 0
		}
	}
}

// ruleHorizon is the horizon's first minute and its end.
type ruleHorizon struct{ first, end time.Time }

func ruleHorizonOf(now time.Time) ruleHorizon {
	midnight := now.Truncate(24 * time.Hour)
	return ruleHorizon{midnight.AddDate(0, 0, -1), midnight.AddDate(0, 0, 14)}
}

// near draws a minute: one of the horizon, one at or beside its ends, or one up to some days outside.
func (h ruleHorizon) near(t *rapid.T, name string) time.Time {
	minutes := func(from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Minute
	}
	quarters := func(from, to int) time.Duration { return 15 * minutes(from*96, to*96) }
	switch rapid.IntRange(0, 7).Draw(t, name+" is near") {
	case 0:
		return h.first.Add(minutes(-1, 1))
	case 1:
		return h.end.Add(minutes(-1, 1))
	case 2:
		return h.first.Add(-minutes(1, 4*1440))
	case 3:
		return h.end.Add(minutes(0, 9*1440))
	case 4:
		return h.first.Add(minutes(0, 15*1440-1))
	default:
		return h.first.Add(quarters(0, 15))
	}
}

var ruleCases = rapid.Custom(func(t *rapid.T) ruleCase {
	day, _ := time.Parse(time.DateOnly, ruleDays.Draw(t, "day")) // all of the pool are dates
	r := ruleCase{now: day.Add(time.Duration(rapid.IntRange(0, 86_399).Draw(t, "second of the day")) * time.Second)}
	h := ruleHorizonOf(r.now)
	plain := oneIn(t, 3) // without flights and zones, so that days and weeks are reached
	for n := range rapid.IntRange(1, 12).Draw(t, "campaigns") {
		c := ruleCampaigns.Draw(t, "campaign")
		c.ID, c.Index = fmt.Sprintf("%c%d", 'a'+rapid.IntRange(0, 2).Draw(t, "letter"), n), n
		if plain {
			c.TimeZone = ""
		} else {
			flight(t, &c, h)
		}
		r.campaigns = append(r.campaigns, c)
	}
	if oneIn(t, 60) {
		r.campaigns = append(r.campaigns, cutCampaigns()...)
	}
	r.queries = rapid.SliceOfN(ruleQueries, 3, 6).Draw(t, "queries")
	for range 16 {
		minute := h.near(t, "minute")
		if edge := r.campaigns[rapid.IntRange(0, len(r.campaigns)-1).Draw(t, "whose edge")]; edge.StartAt != 0 && oneIn(t, 4) {
			minute = time.Unix(edge.StartAt.Minute()*60, 0).Add(time.Duration(rapid.IntRange(-1, 0).Draw(t, "beside")) * time.Minute)
		} else if edge.EndAt != 0 && oneIn(t, 4) {
			minute = time.Unix(edge.EndAt.Minute()*60, 0).Add(time.Duration(rapid.IntRange(-1, 0).Draw(t, "beside")) * time.Minute)
		}
		r.minutes = append(r.minutes, minute.UTC().Add(time.Duration(rapid.IntRange(0, 59).Draw(t, "second"))*time.Second))
	}
	return r
})

// cutCampaigns are more than MaxTurns turns together.
func cutCampaigns() []campaign.Campaign {
	var all []campaign.Campaign
	for n := range 700 {
		all = append(all, campaign.Campaign{
			ID: fmt.Sprintf("cut%03d", n), VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 6, EndHour: 18,
			Weight: 100 - n%7, Index: 100 + n,
		})
	}
	return all
}
