package compile

import (
	"errors"
	"fmt"
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// keyAdder adds groups to a builder. What it makes for one it uses again for the next.
type keyAdder struct {
	*adindex.Builder

	cycle    []adindex.AdRef
	segments []adindex.Segment
	aliases  map[string][]string // of the languages met so far
}

// add adds the group's day, and an entry for each alias of its language.
func (k *keyAdder) add(g *group) error {
	if err := k.cut(g); err != nil {
		return fmt.Errorf("key %s: %w", g.key, err)
	}
	schedule, err := k.AddSchedule(adindex.Schedule{Clock: adindex.Day, Segments: k.segments})
	if err != nil {
		return fmt.Errorf("key %s: %w", g.key, err)
	}
	country, lang := g.key.Country(), g.key.Lang()
	aliases, ok := k.aliases[lang]
	if !ok {
		aliases = campaign.LangAliases(lang)
		k.aliases[lang] = aliases
	}
	for _, lang := range aliases {
		alias, ok := adindex.MakeKey(country, lang)
		if !ok {
			err = errors.Join(err, fmt.Errorf("key %s: alias %q is no language", g.key, lang))
			continue
		}
		err = errors.Join(err, k.AddKey(alias, g.key, schedule))
	}
	return err
}

// cut makes the segments of the group's day: it cuts at each hour at which an ad starts or stops; between two cuts the cycle is
// the same.
func (k *keyAdder) cut(g *group) error {
	cuts := hourSet(1)
	for _, hours := range g.hours {
		cuts |= hours ^ hours<<1
	}
	k.segments = k.segments[:0]
	k.cycle = slices.Grow(k.cycle[:0], len(g.ads))[:len(g.ads)]
	for h := range dayHours {
		if cuts>>h&1 == 0 {
			continue
		}
		turns := 0
		for i, hours := range g.hours {
			k.cycle[turns] = g.ads[i]
			turns += int(hours >> h & 1) // no branch: which ads run at an hour cannot be predicted
		}
		ref, err := k.AddCycle(k.cycle[:turns])
		if err != nil {
			return err
		}
		k.segments = append(k.segments, adindex.Segment{Start: uint32(h * hourMinutes), Cycle: ref})
	}
	return nil
}
