package adindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// AdRef numbers an ad of one index, in order of adding.
type AdRef uint32

// CycleRef numbers a cycle of one builder.
type CycleRef uint32

// ScheduleRef numbers a schedule of one builder.
type ScheduleRef uint32

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
	bodies    []byte
	adEnds    []uint64
	cycles    listSet
	lists     listSet
	schedules []scheduleRecord
	scheduled map[scheduleRecord]ScheduleRef
	keys      map[Key]keyTarget
	scratch   []byte
}

// scheduleRecord is a schedule as it is stored.
type scheduleRecord struct {
	clock   Clock
	list    uint32
	base    int64
	minutes uint32
	after   ScheduleRef
}

type keyTarget struct {
	canonical Key
	schedule  ScheduleRef
}

// NewBuilder returns an empty builder. Built at once it gives an index without ads.
func NewBuilder() *Builder {
	return &Builder{
		cycles:    newListSet(),
		lists:     newListSet(),
		scheduled: make(map[scheduleRecord]ScheduleRef),
		keys:      make(map[Key]keyTarget),
	}
}

// AddAd adds an answer body and returns its number: 0 for the first, then 1 and so on. It copies body, and does not look into it.
func (b *Builder) AddAd(body []byte) AdRef {
	b.bodies = append(b.bodies, body...)
	b.adEnds = append(b.adEnds, uint64(len(b.bodies)))
	return AdRef(len(b.adEnds) - 1)
}

// AddCycle adds the ads that take turns, in their order; an ad may stand in it several times. A cycle without ads means "no
// ad". It fails on an ad that has not been added.
func (b *Builder) AddCycle(ads []AdRef) (CycleRef, error) {
	buf := b.scratch[:0]
	for i, ad := range ads {
		if uint64(ad) >= uint64(len(b.adEnds)) {
			return 0, fmt.Errorf("turn %d of the cycle: ad %d of %d", i, ad, len(b.adEnds))
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
	b.scratch = buf

	rec := scheduleRecord{clock: s.Clock, list: b.lists.add(buf), base: s.Base, minutes: s.Minutes, after: s.After}
	if ref, ok := b.scheduled[rec]; ok {
		return ref, nil
	}
	ref := ScheduleRef(len(b.schedules))
	b.schedules = append(b.schedules, rec)
	b.scheduled[rec] = ref
	return ref, nil
}

// span returns how many minutes the clock of s has.
func (b *Builder) span(s Schedule) (uint32, error) {
	switch {
	case s.Clock == Absolute && s.Minutes == 0:
		return 0, errors.New("an absolute schedule needs a horizon of at least one minute")
	case s.Clock == Absolute && uint64(s.After) >= uint64(len(b.schedules)):
		return 0, fmt.Errorf("after the horizon: schedule %d of %d", s.After, len(b.schedules))
	case s.Clock == Absolute && b.schedules[s.After].clock != Week:
		return 0, fmt.Errorf("after the horizon: schedule %d has clock %d, want a week", s.After, b.schedules[s.After].clock)
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
	if uint64(s) >= uint64(len(b.schedules)) {
		return fmt.Errorf("key %s: schedule %d of %d", key, s, len(b.schedules))
	}
	if _, ok := b.keys[key]; ok {
		return fmt.Errorf("key %s has been added already", key)
	}
	b.keys[key] = keyTarget{canonical: canonical, schedule: s}
	return nil
}

// Build returns the index. sourceTime, in Unix seconds, is the age of what the index was made from; it does not count in the
// index's [Version]. It fails where the index would pass 4 GiB. The builder keeps no part of the result and may go on.
func (b *Builder) Build(sourceTime int64) ([]byte, error) {
	keys := slices.Sorted(maps.Keys(b.keys))
	cursors := make([]Key, 0, len(keys))
	for _, t := range b.keys {
		cursors = append(cursors, t.canonical)
	}
	slices.Sort(cursors)
	cursors = slices.Compact(cursors)

	l, err := newLayout([sectionCount]uint64{
		secAdEnds:    uint64(len(b.adEnds)) + 1,
		secBodies:    uint64(len(b.bodies)),
		secRefs:      uint64(len(b.cycles.data)) / wordSize,
		secCycles:    b.cycles.len() + 1,
		secSegments:  uint64(len(b.lists.data)) / segmentSize,
		secLists:     b.lists.len() + 1,
		secSchedules: uint64(len(b.schedules)),
		secKeys:      uint64(len(keys)),
		secEntries:   uint64(len(keys)),
		secCursors:   uint64(len(cursors)),
	})
	if err != nil {
		return nil, err
	}
	w := newWriter(l)
	w.section(secAdEnds)
	w.ends(b.adEnds, 1)
	w.section(secBodies)
	w.bytes(b.bodies)
	w.section(secRefs)
	w.bytes(b.cycles.data)
	w.section(secCycles)
	w.ends(b.cycles.ends, wordSize)
	w.section(secSegments)
	w.bytes(b.lists.data)
	w.section(secLists)
	w.ends(b.lists.ends, segmentSize)
	w.section(secSchedules)
	for _, s := range b.schedules {
		w.u32(uint32(s.clock))
		w.u32(s.list)
		w.u64(uint64(s.base))
		w.u32(s.minutes)
		w.u32(uint32(s.after))
	}
	w.section(secKeys)
	for _, k := range keys {
		w.u32(uint32(k))
	}
	w.section(secEntries)
	for _, k := range keys {
		t := b.keys[k]
		cursor, _ := slices.BinarySearch(cursors, t.canonical)
		w.u32(uint32(t.schedule))
		w.u32(uint32(cursor))
	}
	w.section(secCursors)
	for _, k := range cursors {
		w.u32(uint32(k))
	}
	return w.finish(sourceTime), nil
}
