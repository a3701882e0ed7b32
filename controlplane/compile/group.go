package compile

import (
	"fmt"
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// group is the ads of one canonical key, in order of id bytes. It has none where its campaigns are past or far ahead, and where it is
// there for the sake of wildcards alone.
type group struct {
	key   adindex.Key
	ads   []adindex.AdRef
	hours []hourSet // of the ad at the same place in ads
	plain bool      // all ads are
}

// groups are the groups in order of their keys.
type groups struct {
	list []group
	at   map[adindex.Key]int // place in the list; nil without wildcards
}

// gatherGroups makes the groups of all entries and of the keys without ads. Ads are numbered in the order of the entries, which their
// groups keep.
func gatherGroups(o *ordered, campaigns []campaign.Campaign) (*groups, error) {
	numbers := make(map[adindex.Key]int) // of the keys, in the order in which they are met
	var keys []adindex.Key
	numberOf := make([]int, len(o.entries))
	for i := range o.entries {
		e := &o.entries[i]
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
	for _, key := range o.bare {
		if _, met := numbers[key]; !met {
			numbers[key] = len(keys)
			keys = append(keys, key)
		}
	}
	wild, err := addPairs(&keys, numbers)
	if err != nil {
		return nil, err
	}
	sizes := make([]int, len(keys))
	for _, n := range numberOf {
		sizes[n]++
	}
	// Cycles and schedules are numbered as they are added, so the order of the keys shows in the bytes.
	slices.Sort(keys)
	ads, hours := make([]adindex.AdRef, len(o.entries)), make([]hourSet, len(o.entries))
	all := &groups{list: make([]group, len(keys))}
	next := make([]int, len(keys))    // of each number, where its next ad goes
	groupOf := make([]int, len(keys)) // of each number, where its group is
	begin := 0
	for i, key := range keys {
		n := numbers[key]
		end := begin + sizes[n]
		all.list[i] = group{key: key, ads: ads[begin:end], hours: hours[begin:end], plain: true}
		next[n], groupOf[n], begin = begin, i, end
	}
	for i, n := range numberOf {
		ads[next[n]], hours[next[n]] = adindex.AdRef(i), o.entries[i].hours
		next[n]++
	}
	for i, n := range numberOf {
		if !o.mixed {
			break
		}
		if o.entries[i].kind != plainAd {
			all.list[groupOf[n]].plain = false
		}
	}
	if wild {
		all.at = make(map[adindex.Key]int, len(keys))
		for i, key := range keys {
			all.at[key] = i
		}
	}
	return all, nil
}

// addPairs adds a key for each pair of which (country, *) and (*, lang) are keys: the first of the two would answer for it, and hide the
// other. It reports whether there are wildcards.
func addPairs(keys *[]adindex.Key, numbers map[adindex.Key]int) (wild bool, err error) {
	var countries, langs []string
	for _, key := range *keys {
		country, lang := key.Country(), key.Lang()
		switch {
		case country == campaign.Any && lang == campaign.Any:
			wild = true
		case lang == campaign.Any:
			countries = append(countries, country)
		case country == campaign.Any:
			langs = append(langs, lang)
		}
	}
	wild = wild || len(countries)+len(langs) > 0
	if pairs := len(countries) * len(langs); pairs > maxKeys {
		return wild, fmt.Errorf("%w: %d countries with every language and %d languages with every country make %d keys, the limit is %d",
			ErrTooManyPairs, len(countries), len(langs), pairs, maxKeys)
	}
	for _, country := range countries {
		for _, lang := range langs {
			key, _ := adindex.MakeKey(country, lang) // both come from keys
			if _, met := numbers[key]; !met {
				numbers[key] = len(*keys)
				*keys = append(*keys, key)
			}
		}
	}
	return wild, nil
}

// wider returns the ads of less exact keys that apply to the key of group n too, the more exact first.
func (g *groups) wider(n int) [][]adindex.AdRef {
	if g.at == nil {
		return nil
	}
	own := g.list[n].key
	country, lang, last := own.Country(), own.Lang(), own
	var all [][]adindex.AdRef
	for _, wider := range [...][2]string{{country, campaign.Any}, {campaign.Any, lang}, {campaign.Any, campaign.Any}} {
		key, ok := adindex.MakeKey(wider[0], wider[1])
		if !ok || key == own || key == last {
			continue
		}
		last = key
		if i, ok := g.at[key]; ok && len(g.list[i].ads) > 0 {
			all = append(all, g.list[i].ads)
		}
	}
	return all
}

// canonical reports whether the codes of c are as Decode leaves them.
func canonical(c *campaign.Campaign) bool {
	country, countryErr := campaign.ParseCountry(c.Country)
	lang, langErr := campaign.ParseLang(c.Lang)
	return (c.Country == campaign.Any || countryErr == nil && country == c.Country) &&
		(c.Lang == campaign.Any || langErr == nil && lang == c.Lang)
}
