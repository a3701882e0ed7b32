package compile

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// Difference is for which keys two indexes answer differently.
type Difference struct {
	// Keys are the canonical keys, in order, of which the two indexes have other answers, or the same ones in another order or number of
	// turns, at a minute from the present one until Until. Where a turn stands does not count.
	Keys []adindex.Key
	// Until is the earlier end of the two horizons, but a week from now at least. A key that has neither flight edges nor changes of zones
	// ahead repeats week by week, so that it is compared for ever.
	Until time.Time

	same []adindex.Key // the other keys, in order
}

// Compare compares what two indexes say of every key at every minute. It takes time linear in their lengths, as a rule: equal cycles are
// recognised by numbers, and keys of one schedule are compared once. It returns ctx's error as soon as it has ended, and otherwise fails
// only on indexes of bodies that the filter would refuse.
func Compare(ctx context.Context, a, b *adindex.Reader, now time.Time) (*Difference, error) {
	from := floorDiv(now.Unix(), 60)
	c := comparison{from: from, until: commonEnd(a, b, from), alike: make(map[[2]adindex.ScheduleRef]bool)}
	var err error
	ads, cycles := make(numbering), make(numbering)
	cycles.of(nil) // 0 is that of no ad
	if c.a, err = newSide(ctx, a, ads, cycles); err != nil {
		return nil, err
	}
	if c.b, err = newSide(ctx, b, ads, cycles); err != nil {
		return nil, err
	}
	d := &Difference{Until: unixMinute(c.until)}
	for _, key := range canonicalKeys(a, b) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c.same(key) {
			d.same = append(d.same, key)
		} else {
			d.Keys = append(d.Keys, key)
		}
	}
	return d, nil
}

// commonEnd returns the minute until which two indexes are to be compared. One that is older than its horizon serves the weeks behind it,
// so these are what is compared then.
func commonEnd(a, b *adindex.Reader, from int64) int64 {
	until := adindex.Forever
	for _, r := range [...]*adindex.Reader{a, b} {
		if end, ok := r.Horizon(); ok {
			until = min(until, end)
		}
	}
	if until == adindex.Forever {
		return from + weekMinutes
	}
	return max(until, from+weekMinutes)
}

func canonicalKeys(a, b *adindex.Reader) []adindex.Key {
	keys := make([]adindex.Key, 0, a.Cursors()+b.Cursors())
	for _, r := range [...]*adindex.Reader{a, b} {
		for n := range r.Cursors() {
			keys = append(keys, r.CursorKey(uint32(n)))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// comparison compares the minutes [from, until).
type comparison struct {
	a, b        *side
	from, until int64
	alike       map[[2]adindex.ScheduleRef]bool // by schedules that have been compared
}

func (c *comparison) same(key adindex.Key) bool {
	x, y := c.a.find(key), c.b.find(key)
	of := [2]adindex.ScheduleRef{x.schedule, y.schedule}
	alike, met := c.alike[of]
	if !met {
		alike = c.compare(x, y)
		c.alike[of] = alike
	}
	return alike
}

// compare goes from one edge of either entry to the next.
func (c *comparison) compare(x, y sideEntry) bool {
	until := c.until
	if period := max(x.period, y.period); x.period > 0 && y.period > 0 {
		until = c.from + period
	}
	for at := c.from; at < until; {
		cycleX, endX := c.a.stretch(x, at)
		cycleY, endY := c.b.stretch(y, at)
		if cycleX != cycleY {
			return false
		}
		at = min(endX, endY)
	}
	return true
}

// side is one of the indexes, with a number for each of its cycles: the same as that of an equal one of the other side.
type side struct {
	*adindex.Reader

	cycles []uint32
}

func newSide(ctx context.Context, r *adindex.Reader, ads, cycles numbering) (*side, error) {
	body := func(ad uint32) []byte { return r.Body(adindex.AdRef(ad)) }
	if err := r.CheckBodies(adrequest.Checker(body)); err != nil {
		return nil, fmt.Errorf("read an index: %w", err)
	}
	adNumbers := make([]uint32, r.Ads())
	var text []byte
	for ad := range adNumbers {
		if ad%batch == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		text = AppendAnswer(text[:0], r, adindex.AdRef(ad))
		adNumbers[ad] = ads.of(text)
	}
	s := &side{Reader: r, cycles: make([]uint32, r.Cycles())}
	for n := range s.cycles {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cycle := r.Cycle(adindex.CycleRef(n))
		text = text[:0]
		for turn := range cycle.Len() {
			ad := adNumbers[cycle.Ad(turn)]
			text = append(text, byte(ad), byte(ad>>8), byte(ad>>16), byte(ad>>24))
		}
		s.cycles[n] = cycles.of(text)
	}
	return s, nil
}

// AppendAnswer appends the body of the 200 for an ad of an index to dst, and returns the longer slice. The index is one whose bodies are
// checked, as those that Compile makes are.
func AppendAnswer(dst []byte, r *adindex.Reader, ad adindex.AdRef) []byte {
	held := r.Body(ad)
	var base []byte
	if number, ok := adrequest.BaseOf(held); ok {
		base = r.Body(adindex.AdRef(number))
	}
	return adrequest.AppendBody(dst, held, base)
}

// sideEntry is what a side has for a key.
type sideEntry struct {
	adindex.Entry

	schedule adindex.ScheduleRef // noSchedule: nothing answers
	period   int64               // minutes in which the answers repeat; 0 on the absolute clock
}

// noSchedule is a number that no index has: it would be one of 24 GiB.
const noSchedule = ^adindex.ScheduleRef(0)

func (s *side) find(key adindex.Key) sideEntry {
	e, ok := s.Find(key)
	if !ok {
		return sideEntry{schedule: noSchedule, period: dayMinutes}
	}
	found := sideEntry{Entry: e, schedule: e.Schedule()}
	switch s.Clock(found.schedule) {
	case adindex.Day:
		found.period = dayMinutes
	case adindex.Week:
		found.period = weekMinutes
	}
	return found
}

func (s *side) stretch(e sideEntry, minute int64) (cycle uint32, end int64) {
	if e.schedule == noSchedule {
		return 0, adindex.Forever
	}
	ref, end := s.Stretch(e.Entry, minute)
	return s.cycles[ref], end
}

// numbering gives equal texts the same number, by hashes of 128 bits, which do not meet in practice.
type numbering map[[2]uint64]uint32

var numberSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func (n numbering) of(text []byte) uint32 {
	hash := [2]uint64{maphash.Bytes(numberSeeds[0], text), maphash.Bytes(numberSeeds[1], text)}
	number, met := n[hash]
	if !met {
		number = uint32(len(n))
		n[hash] = number
	}
	return number
}
