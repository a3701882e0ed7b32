package compile

import (
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

const (
	dayHours    = 24
	hourMinutes = 60
)

// hourSet has bit h set for each hour h of the UTC day at which a campaign runs.
type hourSet uint32

func hoursOf(c *campaign.Campaign) hourSet {
	if uint(c.StartHour) < uint(len(windows)) && uint(c.EndHour) < uint(len(windows[0])) {
		return windows[c.StartHour][c.EndHour]
	}
	return runs(c)
}

// windows are the hours of every window that Decode lets pass.
var windows = func() (w [campaign.MaxStartHour + 1][campaign.MaxEndHour + 1]hourSet) {
	for start := range w {
		for end := range w[start] {
			w[start][end] = runs(&campaign.Campaign{StartHour: start, EndHour: end})
		}
	}
	return w
}()

func runs(c *campaign.Campaign) hourSet {
	var s hourSet
	for h := range dayHours {
		if c.ActiveAt(h) {
			s |= 1 << h
		}
	}
	return s
}

// group is the ads of one canonical key, in order of id bytes.
type group struct {
	key   adindex.Key
	ads   []adindex.AdRef
	hours []hourSet // of the ad at the same place in ads
}

// groups returns the groups in order of their keys. Ads are numbered in the order of the entries, which their groups keep.
func groups(entries []entry, campaigns []campaign.Campaign) ([]group, error) {
	numbers := make(map[adindex.Key]int) // of the keys, in the order in which they are met
	var keys []adindex.Key
	numberOf := make([]int, len(entries))
	for i := range entries {
		e := &entries[i]
		n, met := numbers[e.key]
		if !met {
			if c := &campaigns[e.number]; !canonical(c) {
				return nil, noKey(c)
			}
			n = len(keys)
			keys = append(keys, e.key)
			numbers[e.key] = n
		}
		numberOf[i] = n
	}
	sizes := make([]int, len(keys))
	for _, n := range numberOf {
		sizes[n]++
	}
	// Cycles and schedules are numbered as they are added, so the order of the keys shows in the bytes.
	slices.Sort(keys)
	ads, hours := make([]adindex.AdRef, len(entries)), make([]hourSet, len(entries))
	all := make([]group, len(keys))
	next := make([]int, len(keys)) // of each number, where its next ad goes
	begin := 0
	for i, key := range keys {
		n := numbers[key]
		end := begin + sizes[n]
		all[i] = group{key: key, ads: ads[begin:end], hours: hours[begin:end]}
		next[n], begin = begin, end
	}
	for i, n := range numberOf {
		ads[next[n]], hours[next[n]] = adindex.AdRef(i), entries[i].hours
		next[n]++
	}
	return all, nil
}

// canonical reports whether the codes of c are as Decode leaves them. A wildcard is not: an entry for one would hide the
// campaigns that it does not name.
func canonical(c *campaign.Campaign) bool {
	country, countryErr := campaign.ParseCountry(c.Country)
	lang, langErr := campaign.ParseLang(c.Lang)
	return countryErr == nil && langErr == nil && country == c.Country && lang == c.Lang
}
