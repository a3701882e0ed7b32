package compile_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/zone"
)

// The reference model of the full rules: it answers one question about one minute at a time, from the rules' words and with nothing of the
// compiler's. Its only help is the wall clock of package time.

// ruleAd is a campaign in the words of the rules.
type ruleAd struct {
	id, country, lang string
	start, end        int
	days              map[time.Weekday]bool
	zone              *time.Location
	startAt, endAt    *time.Time
	priority, weight  int
	enabled           bool
}

// ruleModel is a document as an index of the UTC day of now serves it.
type ruleModel struct {
	ads         []ruleAd
	first, last time.Time // minutes of the horizon

	changing map[*time.Location]bool
}

func newRuleModel(ads []ruleAd, now time.Time) *ruleModel {
	midnight := now.UTC().Truncate(24 * time.Hour)
	return &ruleModel{
		ads: ads, first: midnight.AddDate(0, 0, -1), last: midnight.AddDate(0, 0, 14).Add(-time.Minute),
		changing: make(map[*time.Location]bool),
	}
}

func (m *ruleModel) end() time.Time { return m.last.Add(time.Minute) }

// inWindow is the rule of hours and days, on the wall clock.
func (a *ruleAd) inWindow(wall time.Time) bool {
	hour, today, yesterday := wall.Hour(), wall.Weekday(), wall.AddDate(0, 0, -1).Weekday()
	if a.start == a.end {
		return a.days[today]
	}
	if a.start < a.end {
		return a.days[today] && a.start <= hour && hour < a.end
	}
	return a.days[today] && hour >= a.start || a.days[yesterday] && hour < a.end
}

func (a *ruleAd) inFlight(at time.Time) bool {
	return (a.startAt == nil || !at.Before(*a.startAt)) && (a.endAt == nil || at.Before(*a.endAt))
}

func (a *ruleAd) eligible(at time.Time) bool {
	return a.enabled && a.inFlight(at) && a.inWindow(at.In(a.zone))
}

// withOffset returns the wall clock of at with the offset that the zone has at another time.
func (a *ruleAd) withOffset(at, other time.Time) time.Time {
	_, seconds := other.In(a.zone).Zone()
	return at.UTC().Add(time.Duration(seconds) * time.Second)
}

// of returns the enabled campaigns that an index of the horizon can serve for a country and language.
func (m *ruleModel) of(country, lang string) []ruleAd {
	var found []ruleAd
	for _, a := range m.ads {
		past := a.endAt != nil && !a.endAt.After(m.first)
		ahead := a.startAt != nil && a.startAt.After(m.end())
		if a.enabled && !past && !ahead && (a.country == country || a.country == "*") && (a.lang == lang || a.lang == "*") {
			found = append(found, a)
		}
	}
	return found
}

// absolute reports whether a flight's edge or a change of a zone lies inside the horizon.
func (m *ruleModel) absolute(ads []ruleAd) bool {
	inside := func(edge *time.Time) bool { return edge != nil && edge.After(m.first) && edge.Before(m.end()) }
	for _, a := range ads {
		if inside(a.startAt) || inside(a.endAt) || m.zoneChanges(a.zone) {
			return true
		}
	}
	return false
}

func (m *ruleModel) zoneChanges(loc *time.Location) bool {
	if changes, known := m.changing[loc]; known {
		return changes
	}
	_, before := m.first.In(loc).Zone()
	for at := m.first; !at.After(m.last); at = at.Add(time.Minute) {
		if _, now := at.In(loc).Zone(); now != before {
			m.changing[loc] = true
			return true
		}
	}
	m.changing[loc] = false
	return false
}

// serve returns the ads that an index of the horizon serves in a minute, turn by turn.
func (m *ruleModel) serve(country, lang string, at time.Time) []string {
	at = at.Truncate(time.Minute)
	ads := m.of(country, lang)
	var eligible []ruleAd
	absolute := m.absolute(ads)
	for _, a := range ads {
		var is bool
		switch {
		case !absolute:
			// No flight of these begins or ends inside: a day or a week goes on for ever.
			is = a.inFlight(m.last) && a.inWindow(a.withOffset(at, m.first))
		case at.Before(m.first):
			is = a.eligible(m.first)
		case !at.After(m.last):
			is = a.eligible(at)
		default:
			is = a.endAt == nil && (a.startAt == nil || !a.startAt.After(m.end())) && a.inWindow(a.withOffset(at, m.last))
		}
		if is {
			eligible = append(eligible, a)
		}
	}
	return turns(winners(eligible))
}

// winners returns the most exact of the highest priority.
func winners(eligible []ruleAd) []ruleAd {
	if len(eligible) == 0 {
		return nil
	}
	highest := slices.MaxFunc(eligible, func(a, b ruleAd) int { return cmp.Compare(a.priority, b.priority) }).priority
	ranks := make(map[string][]ruleAd)
	for _, a := range eligible {
		if a.priority != highest {
			continue
		}
		rank := "c"
		if a.country == "*" {
			rank = "*"
		}
		if a.lang == "*" {
			rank += "*"
		} else {
			rank += "l"
		}
		ranks[rank] = append(ranks[rank], a)
	}
	for _, rank := range []string{"cl", "c*", "*l"} {
		if len(ranks[rank]) > 0 {
			return ranks[rank]
		}
	}
	return ranks["**"]
}

// turns is the rule of the cycle.
func turns(ads []ruleAd) []string {
	slices.SortFunc(ads, func(a, b ruleAd) int { return cmp.Compare(a.id, b.id) })
	n, weights := int64(len(ads)), reducedWeights(ads)
	type turn struct {
		over, under int64 // the position is over / under
		id          string
	}
	var all []turn
	for r, a := range ads {
		for k := range weights[r] {
			// (k + (2r+1)/2n) / w
			all = append(all, turn{over: k*2*n + 2*int64(r) + 1, under: 2 * n * weights[r], id: a.id})
		}
	}
	slices.SortFunc(all, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.over*b.under, b.over*a.under), cmp.Compare(a.id, b.id))
	})
	var ids []string
	for _, t := range all {
		ids = append(ids, t.id)
	}
	return ids
}

func reducedWeights(ads []ruleAd) []int64 {
	divisor := int64(100)
	for ; divisor > 1; divisor-- {
		if !slices.ContainsFunc(ads, func(a ruleAd) bool { return int64(a.weight)%divisor != 0 }) {
			break
		}
	}
	var weights []int64
	sum := int64(0)
	for _, a := range ads {
		weights = append(weights, int64(a.weight)/divisor)
		sum += int64(a.weight) / divisor
	}
	if sum > 65_536 && sum > int64(len(ads)) {
		for i, w := range weights {
			weights[i] = max(1, w*65_536/sum)
		}
	}
	return weights
}

// ruleDocument returns the text of a campaign document, which has nothing of the package that reads it.
func ruleDocument(t require.TestingT, campaigns []campaign.Campaign) []byte {
	type ad = map[string]any
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	offsets := []*time.Location{time.UTC, time.FixedZone("", 2*3600), time.FixedZone("", -9*3600-30*60)}
	instant := func(i campaign.Instant, n int) string {
		return time.Unix(i.Minute()*60, 0).In(offsets[n%len(offsets)]).Format(time.RFC3339)
	}
	ads := make([]ad, 0, len(campaigns))
	for n, c := range campaigns {
		a := ad{
			"id": c.ID, "video_url": c.VideoURL, "country": c.Country, "lang": c.Lang, "start_hour": c.StartHour, "end_hour": c.EndHour,
		}
		if c.TimeZone != "" {
			a["time_zone"] = c.TimeZone
		}
		if c.Days != 0 {
			var days []string
			for day, name := range names {
				if c.Days&(1<<day) != 0 {
					days = append(days, name)
				}
			}
			a["days"] = days
		}
		if c.StartAt != 0 {
			a["start_at"] = instant(c.StartAt, n)
		}
		if c.EndAt != 0 {
			a["end_at"] = instant(c.EndAt, n+1)
		}
		if c.Priority != 0 {
			a["priority"] = c.Priority
		}
		if c.Weight != 0 {
			a["weight"] = c.Weight
		}
		if c.Paused {
			a["enabled"] = false
		}
		ads = append(ads, a)
	}
	text, err := json.Marshal(ad{"ads": ads})
	require.NoError(t, err)
	return text
}

// ruleAds returns campaigns in the words of the model.
func ruleAds(campaigns []campaign.Campaign) ([]ruleAd, error) {
	var ads []ruleAd
	for _, c := range campaigns {
		a := ruleAd{
			id: c.ID, country: c.Country, lang: c.Lang, start: c.StartHour, end: c.EndHour, zone: time.UTC,
			priority: c.Priority, weight: max(1, c.Weight), enabled: !c.Paused, days: make(map[time.Weekday]bool),
		}
		for day := range time.Weekday(7) {
			a.days[day] = c.Days == 0 || c.Days&(1<<day) != 0
		}
		// 24 is midnight, as 0 is.
		a.end %= 24
		if a.end == 0 && a.start != 0 {
			a.end = 24
		}
		if c.TimeZone != "" {
			loc, err := zone.Load(c.TimeZone)
			if err != nil {
				return nil, err
			}
			a.zone = loc
		}
		if c.StartAt != 0 {
			at := time.Unix(c.StartAt.Minute()*60, 0)
			a.startAt = &at
		}
		if c.EndAt != 0 {
			at := time.Unix(c.EndAt.Minute()*60, 0)
			a.endAt = &at
		}
		ads = append(ads, a)
	}
	return ads, nil
}
