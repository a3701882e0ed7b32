//go:build !wasip1

package adindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// CycleRef numbers a cycle of one builder.
type CycleRef uint32

// Segment is a stretch of a schedule: from the minute Start until the next segment's start, or the end of the clock, Cycle is served.
type Segment struct {
	Start uint32
	Cycle CycleRef
}

// Schedule says which cycle is served at each minute of its clock.
type Schedule struct {
	Clock Clock
	// Segments cover the whole clock: the first starts at 0, starts ascend strictly and lie inside the clock.
	Segments []Segment

	// The rest is for the Absolute clock alone and zero for the others.

	// Base is the minute that segments count from, in minutes since the Unix epoch.
	Base int64
	// Minutes is the length of the horizon, at least 1.
	Minutes uint32
	// After is the Week schedule that holds from the end of the horizon on.
	After ScheduleRef
}

// Builder gathers the parts of an index. The parts are added bottom up: ads, cycles of them, schedules of those, keys. Equal
// cycles, segment lists and schedules are stored once. The same calls in the same order build the same bytes; the order of
// AddKey does not matter. A Builder is not safe for concurrent use.
type Builder struct {
	bodies    blocks
	adEnds    []uint64 // where each body ends
	expected  int      // ads that cycles may name, if they are more than have been added
	cycles    listSet
	lists     listSet
	schedules listSet // as they are stored
	keys      []keyTarget
	added     map[Key]struct{}
	scratch   []byte
}

type keyTarget struct {
	key, canonical Key
	schedule       ScheduleRef
}

// NewBuilder returns an empty builder. Built at once it gives an index without ads.
func NewBuilder() *Builder {
	return &Builder{
		cycles:    newListSet(),
		lists:     newListSet(),
		schedules: newListSet(),
		added:     make(map[Key]struct{}),
	}
}

// AddAd adds an ad by its body and returns its number: 0 for the first, then 1 and so on. It copies body, and does not look into it.
func (b *Builder) AddAd(body []byte) AdRef {
	b.bodies.copy(body)
	b.adEnds = append(b.adEnds, b.bodiesEnd(len(b.adEnds))+uint64(len(body)))
	return AdRef(len(b.adEnds) - 1)
}

// ExpectAds says that n ads will have been added in all before Build, so that cycles may name them while their bodies are still
// being made.
func (b *Builder) ExpectAds(n int) { b.expected = n }

// AddAds adds several bodies, which stand one behind the other and end at these places, ascending to len(bodies), and returns the
// number of the first. It keeps bodies, which must not change before the last Build, and not ends. It fails where ends are not that.
func (b *Builder) AddAds(bodies []byte, ends []uint32) (AdRef, error) {
	before := uint32(0)
	for i, end := range ends {
		if end < before {
			return 0, fmt.Errorf("body %d ends at %d, before the one before it at %d", i, end, before)
		}
		before = end
	}
	if uint64(before) != uint64(len(bodies)) {
		return 0, fmt.Errorf("bodies end at %d of %d bytes", before, len(bodies))
	}
	first := len(b.adEnds)
	begin := b.bodiesEnd(first)
	b.adEnds = slices.Grow(b.adEnds, len(ends))
	for _, end := range ends {
		b.adEnds = append(b.adEnds, begin+uint64(end))
	}
	b.bodies.take(bodies)
	return AdRef(first), nil
}

// bodiesEnd returns where the first n bodies end.
func (b *Builder) bodiesEnd(n int) uint64 {
	if n == 0 {
		return 0
	}
	return b.adEnds[n-1]
}

// AddCycle adds the ads that take turns, in their order; an ad may stand in it several times. A cycle without ads means "no
// ad". It fails on an ad that has not been added.
func (b *Builder) AddCycle(ads []AdRef) (CycleRef, error) {
	buf := b.scratch[:0]
	known := max(len(b.adEnds), b.expected)
	for i, ad := range ads {
		if uint64(ad) >= uint64(known) {
			return 0, fmt.Errorf("turn %d of the cycle: ad %d of %d", i, ad, known)
		}
		buf = binary.LittleEndian.AppendUint32(buf, uint32(ad))
	}
	b.scratch = buf
	return CycleRef(b.cycles.add(buf)), nil
}

// AddSchedule adds a schedule. It fails where s breaks a rule of [Schedule] or names a cycle or schedule that has not been added.
func (b *Builder) AddSchedule(s Schedule) (ScheduleRef, error) {
	span, err := b.span(s)
	if err != nil {
		return 0, err
	}
	if err := b.checkSegments(s.Segments, span); err != nil {
		return 0, err
	}
	buf := b.scratch[:0]
	for _, seg := range s.Segments {
		buf = binary.LittleEndian.AppendUint32(buf, seg.Start)
		buf = binary.LittleEndian.AppendUint32(buf, uint32(seg.Cycle))
	}
	list := b.lists.add(buf)
	buf = scheduleRecord{clock: s.Clock, list: list, base: s.Base, minutes: s.Minutes, after: s.After}.append(buf[:0])
	b.scratch = buf
	return ScheduleRef(b.schedules.add(buf)), nil
}

// append writes what readSchedule reads.
func (s scheduleRecord) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.clock))
	dst = binary.LittleEndian.AppendUint32(dst, s.list)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.base))
	dst = binary.LittleEndian.AppendUint32(dst, s.minutes)
	return binary.LittleEndian.AppendUint32(dst, uint32(s.after))
}

// span returns how many minutes the clock of s has.
func (b *Builder) span(s Schedule) (uint32, error) {
	switch {
	case s.Clock == Absolute && s.Minutes == 0:
		return 0, errors.New("an absolute schedule needs a horizon of at least one minute")
	case s.Clock == Absolute && uint64(s.After) >= b.schedules.len():
		return 0, fmt.Errorf("after the horizon: schedule %d of %d", s.After, b.schedules.len())
	case s.Clock == Absolute && b.schedule(s.After).clock != Week:
		return 0, fmt.Errorf("after the horizon: schedule %d has clock %d, want a week", s.After, b.schedule(s.After).clock)
	case s.Clock == Absolute:
		return s.Minutes, nil
	case s.Clock != Day && s.Clock != Week:
		return 0, fmt.Errorf("unknown clock %d", s.Clock)
	case s.Base != 0 || s.Minutes != 0 || s.After != 0:
		return 0, errors.New("base, minutes and after are for the absolute clock alone")
	case s.Clock == Day:
		return dayMinutes, nil
	default:
		return weekMinutes, nil
	}
}

func (b *Builder) schedule(n ScheduleRef) scheduleRecord { return readSchedule(b.schedules.lists[n]) }

func (b *Builder) checkSegments(segments []Segment, span uint32) error {
	if len(segments) == 0 || segments[0].Start != 0 {
		return errors.New("segments do not start at minute 0")
	}
	for i, seg := range segments {
		switch {
		case i > 0 && seg.Start <= segments[i-1].Start:
			return fmt.Errorf("segment %d starts at %d, not after %d", i, seg.Start, segments[i-1].Start)
		case seg.Start >= span:
			return fmt.Errorf("segment %d starts at %d, the clock ends at %d", i, seg.Start, span)
		case uint64(seg.Cycle) >= b.cycles.len():
			return fmt.Errorf("segment %d: cycle %d of %d", i, seg.Cycle, b.cycles.len())
		}
	}
	return nil
}

// AddKey lets key answer from schedule s. All keys of one canonical key share a cursor; a key that is nobody's alias is its own
// canonical key. It fails on a key that has been added already, on a key that [MakeKey] would not make, and on an unknown
// schedule.
func (b *Builder) AddKey(key, canonical Key, s ScheduleRef) error {
	if !key.valid() || !canonical.valid() {
		return fmt.Errorf("key %#x with canonical key %#x: not a pair of country and language", uint32(key), uint32(canonical))
	}
	if uint64(s) >= b.schedules.len() {
		return fmt.Errorf("key %s: schedule %d of %d", key, s, b.schedules.len())
	}
	if _, ok := b.added[key]; ok {
		return fmt.Errorf("key %s has been added already", key)
	}
	b.added[key] = struct{}{}
	b.keys = append(b.keys, keyTarget{key: key, canonical: canonical, schedule: s})
	return nil
}

// Build returns the index. sourceTime, in Unix seconds, is the age of what the index was made from; it does not count in the
// index's [Version]. It fails where the index would pass 4 GiB, and while ads are expected. The builder keeps no part of the result and may go
// on.
func (b *Builder) Build(sourceTime int64) ([]byte, error) {
	p, err := b.Pieces(sourceTime)
	if err != nil {
		return nil, err
	}
	return p.Bytes(), nil
}
