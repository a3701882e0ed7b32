package compile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

const (
	dayHours    = 24
	hourMinutes = 60
)

// group is the campaigns of one canonical key, in order of id bytes.
type group struct {
	key   adindex.Key
	ads   []adindex.AdRef
	hours []hourSet // of the ad at the same place in ads
}

// hourSet has bit h set for each hour h of the UTC day at which a campaign runs.
type hourSet uint32

func hoursOf(c *campaign.Campaign) hourSet {
	var s hourSet
	for h := range dayHours {
		if c.ActiveAt(h) {
			s |= 1 << h
		}
	}
	return s
}

// addAds adds every ad in order of id bytes and returns the groups in order of their keys. That one sort orders the cycles
// of every key and hour: taking a cycle's ads from its group keeps their order.
func addAds(b *adindex.Builder, campaigns []campaign.Campaign) ([]*group, error) {
	sorted := make([]*campaign.Campaign, len(campaigns))
	for i := range campaigns {
		sorted[i] = &campaigns[i]
	}
	slices.SortFunc(sorted, func(a, b *campaign.Campaign) int { return cmp.Compare(a.ID, b.ID) })

	groups := make(map[adindex.Key]*group)
	var body []byte
	for i, c := range sorted {
		if i > 0 && c.ID == sorted[i-1].ID {
			return nil, fmt.Errorf("ads %d and %d: both have the id %q", sorted[i-1].Index, c.Index, c.ID)
		}
		key, ok := adindex.MakeKey(c.Country, c.Lang)
		g := groups[key]
		if !ok || g == nil && !canonical(c) {
			return nil, fmt.Errorf("ad %d: country %q with lang %q is no canonical key", c.Index, c.Country, c.Lang)
		}
		if g == nil {
			g = &group{key: key}
			groups[key] = g
		}
		body = adrequest.AppendAd(body[:0], c.ID, c.VideoURL)
		g.ads = append(g.ads, b.AddAd(body))
		g.hours = append(g.hours, hoursOf(c))
	}
	// Cycles and schedules are numbered as they are added, so the order of a map would show in the bytes.
	ordered := make([]*group, 0, len(groups))
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		ordered = append(ordered, groups[key])
	}
	return ordered, nil
}

// canonical reports whether the codes of c are as Decode leaves them. A wildcard is not: an entry for one would hide the
// campaigns that it does not name.
func canonical(c *campaign.Campaign) bool {
	country, countryErr := campaign.ParseCountry(c.Country)
	lang, langErr := campaign.ParseLang(c.Lang)
	return countryErr == nil && langErr == nil && country == c.Country && lang == c.Lang
}

// addTo adds the group's day, and an entry for each alias of its language.
func (g *group) addTo(b *adindex.Builder) error {
	segments, err := g.segments(b)
	if err != nil {
		return err
	}
	schedule, err := b.AddSchedule(adindex.Schedule{Clock: adindex.Day, Segments: segments})
	if err != nil {
		return err
	}
	for _, lang := range campaign.LangAliases(g.key.Lang()) {
		alias, ok := adindex.MakeKey(g.key.Country(), lang)
		if !ok {
			err = errors.Join(err, fmt.Errorf("alias %q is no language", lang))
			continue
		}
		err = errors.Join(err, b.AddKey(alias, g.key, schedule))
	}
	return err
}

// segments cuts the day at each hour at which an ad starts or stops; between two cuts the cycle is the same.
func (g *group) segments(b *adindex.Builder) ([]adindex.Segment, error) {
	cuts := hourSet(1)
	for _, hours := range g.hours {
		cuts |= hours ^ hours<<1
	}
	var segments []adindex.Segment
	cycle := make([]adindex.AdRef, 0, len(g.ads))
	for h := range dayHours {
		if cuts>>h&1 == 0 {
			continue
		}
		cycle = cycle[:0]
		for i, hours := range g.hours {
			if hours>>h&1 == 1 {
				cycle = append(cycle, g.ads[i])
			}
		}
		ref, err := b.AddCycle(cycle)
		if err != nil {
			return nil, err
		}
		segments = append(segments, adindex.Segment{Start: uint32(h * hourMinutes), Cycle: ref})
	}
	return segments, nil
}
