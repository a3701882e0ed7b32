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
	builder  *adindex.Builder
	resolver *resolver
	maxBytes int

	cycle    []adindex.AdRef
	segments []adindex.Segment
	aliases  map[string][]string // of the languages met so far

	wider  int   // campaigns met so far in keys besides their own
	cycles int   // in the builder
	bytes  int64 // of the cycles in the builder
	cuts   cuts
}

func (k *keyAdder) addGroups(all *groups) error {
	for n := range all.list {
		if err := k.add(all, n); err != nil {
			return err
		}
	}
	return nil
}

// add adds the schedule of group n, and an entry for each alias of its language.
func (k *keyAdder) add(all *groups, n int) error {
	g := &all.list[n]
	schedule, err := k.schedule(all, n)
	if err != nil {
		return fmt.Errorf("key %s: %w", g.key, err)
	}
	if k.maxBytes > 0 && k.bytes > int64(k.maxBytes) {
		return fmt.Errorf("%w: more than %d bytes for %d of %d keys, the limit is %d bytes",
			ErrTooLarge, k.bytes, n+1, len(all.list), k.maxBytes)
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
		err = errors.Join(err, k.builder.AddKey(alias, g.key, schedule))
	}
	return err
}

func (k *keyAdder) schedule(all *groups, n int) (adindex.ScheduleRef, error) {
	g := &all.list[n]
	wider := all.wider(n)
	if g.plain && len(wider) == 0 && len(g.ads) <= maxPlainAds {
		if err := k.cut(g); err != nil {
			return 0, err
		}
		return k.addSchedule(adindex.Schedule{Clock: adindex.Day, Segments: k.segments})
	}
	for _, ads := range wider {
		k.wider += len(ads)
	}
	if k.wider > maxCandidates {
		return 0, fmt.Errorf("%w: their campaigns stand in other keys more than %d times", ErrTooManyPairs, maxCandidates)
	}
	schedule, err := k.resolver.schedule(k, g.key, append([][]adindex.AdRef{g.ads}, wider...))
	if s := k.resolver.sweeper; s.cuts > 0 {
		k.cuts.add(g.key, s.cut, s.cuts)
	}
	return schedule, err
}

// maxPlainAds is how many plain ads of one key are surely inside its limit.
const maxPlainAds = MaxKeyBytes/dayHours/turnBytes - segmentBytes

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
		ref, err := k.addCycle(k.cycle[:turns])
		if err != nil {
			return err
		}
		k.segments = append(k.segments, adindex.Segment{Start: uint32(h * hourMinutes), Cycle: ref})
	}
	return nil
}

// addCycle adds a cycle to the builder, and counts what it takes if there was none such.
func (k *keyAdder) addCycle(ads []adindex.AdRef) (adindex.CycleRef, error) {
	ref, err := k.builder.AddCycle(ads)
	if err == nil && int(ref) == k.cycles {
		k.cycles++
		k.bytes += int64(len(ads)) * turnBytes
	}
	return ref, err
}

func (k *keyAdder) addSchedule(s adindex.Schedule) (adindex.ScheduleRef, error) {
	return k.builder.AddSchedule(s)
}
