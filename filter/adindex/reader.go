package adindex

// AdRef numbers an ad of one index, in order of adding.
type AdRef uint32

// Reader looks up in an index that Open has checked. It keeps the index's bytes and reads them in place, so they must not
// change. It has no state of its own and is safe for concurrent use; its lookups neither allocate nor fail.
type Reader struct {
	data       []byte
	section    [sectionCount][]byte
	sourceTime int64
}

// Entry is what an index holds for a key. It belongs to the Reader that found it.
type Entry struct{ schedule, cursor uint32 }

// Cursor returns the number of the canonical key, which all its aliases share: dense, from 0 to below [Reader.Cursors].
func (e Entry) Cursor() uint32 { return e.cursor }

// Cycle is the ads that take turns, as a view of the index. The zero Cycle has none.
type Cycle struct{ refs []byte }

// Len returns the number of turns; 0 means that no ad is to be served.
func (c Cycle) Len() int { return len(c.refs) / wordSize }

// Ad returns the ad of turn i. Like an index expression it panics unless 0 <= i < Len.
func (c Cycle) Ad(i int) AdRef { return AdRef(word(c.refs, i)) }

// Find returns the entry that answers k: the first found of (country, lang), (country, *), (*, lang) and (*, *). That one answers
// alone, whatever it has now: the compiler has written into it all that applies.
func (r *Reader) Find(k Key) (Entry, bool) {
	for _, candidate := range [...]Key{k, k & countryMask, k & langMask, 0} {
		if i, ok := r.search(candidate); ok {
			return r.entry(i), true
		}
	}
	return Entry{}, false
}

func (r *Reader) search(k Key) (int, bool) {
	keys := r.section[secKeys]
	lo, hi := 0, len(keys)/wordSize
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if Key(word(keys, mid)) < k {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < r.Keys() && Key(word(keys, lo)) == k
}

func (r *Reader) entry(i int) Entry {
	entries := r.section[secEntries]
	return Entry{schedule: word(entries, 2*i), cursor: word(entries, 2*i+1)}
}

// CycleAt returns the cycle that e serves in the UTC minute of a Unix time in seconds; any int64 is a time. An Entry of another
// Reader gives some cycle of this one, or the zero Cycle.
func (r *Reader) CycleAt(e Entry, unixSeconds int64) Cycle {
	if uint64(e.schedule) >= uint64(len(r.section[secSchedules])/scheduleSize) {
		return Cycle{}
	}
	s := r.schedule(e.schedule)
	minute := unixMinute(unixSeconds)
	at := uint32(0)
	switch s.clock {
	case Day:
		at = minuteOfDay(minute)
	case Week:
		at = minuteOfWeek(minute)
	case Absolute:
		if minute <= s.base {
			break // a clock that is behind serves the horizon's first minute
		}
		// The difference of two int64 fits uint64 and is exact, though not int64.
		elapsed := uint64(minute) - uint64(s.base)
		if elapsed < uint64(s.minutes) {
			at = uint32(elapsed)
			break
		}
		s = r.schedule(uint32(s.after))
		at = minuteOfWeek(minute)
	}
	return r.cycle(r.segmentAt(s.list, at))
}

// segmentAt returns the cycle of the last segment of a list that starts at or before a minute. Each list has one that starts at 0.
func (r *Reader) segmentAt(list, minute uint32) uint32 {
	segments := r.section[secSegments]
	first, end := span(r.section[secLists], list)
	lo, hi := first+1, end
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if word(segments, 2*mid) <= minute {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return word(segments, 2*(lo-1)+1)
}

func (r *Reader) cycle(n uint32) Cycle {
	first, end := span(r.section[secCycles], n)
	return Cycle{refs: r.section[secRefs][first*wordSize : end*wordSize : end*wordSize]}
}

func (r *Reader) schedule(n uint32) scheduleRecord {
	return readSchedule(r.section[secSchedules][int(n)*scheduleSize:])
}

// span returns where element n of a section of offsets begins and ends.
func span(offsets []byte, n uint32) (begin, end int) {
	return int(word(offsets, int(n))), int(word(offsets, int(n)+1))
}

// Body returns what was added for an ad, which the answer is made of. It aliases the index and must not be changed. It is nil for
// an ad that the index does not have.
func (r *Reader) Body(ad AdRef) []byte {
	if uint64(ad) >= uint64(r.Ads()) {
		return nil
	}
	begin, end := span(r.section[secAdEnds], uint32(ad))
	return r.section[secBodies][begin:end:end]
}

// CheckBodies calls check for the bodies of all ads in order, and returns its first error with the ad's number. Open does not look
// into a body; who makes answers of them does, so that no request meets one that it cannot use.
func (r *Reader) CheckBodies(check func(body []byte) error) error {
	ends, bodies := r.section[secAdEnds], r.section[secBodies]
	begin := word(ends, 0)
	for ad := range r.Ads() {
		end := word(ends, ad+1)
		if err := check(bodies[begin:end:end]); err != nil {
			return fault("ad ", ad, ": ", err.Error())
		}
		begin = end
	}
	return nil
}

// Cursors returns how many canonical keys the index has.
func (r *Reader) Cursors() int { return len(r.section[secCursors]) / wordSize }

// CursorKey returns canonical key n; the keys ascend with n. Like an index expression it panics unless n < Cursors. Two indexes
// number the same key differently: whoever keeps cursors over a push matches them by key.
func (r *Reader) CursorKey(n uint32) Key { return Key(word(r.section[secCursors], int(n))) }

// Ads returns the number of ads.
func (r *Reader) Ads() int { return len(r.section[secAdEnds])/wordSize - 1 }

// Keys returns the number of keys, aliases and wildcards included.
func (r *Reader) Keys() int { return len(r.section[secKeys]) / wordSize }

// SourceTime returns the time that Build was given, in Unix seconds.
func (r *Reader) SourceTime() int64 { return r.sourceTime }

// Size returns the length of the index in bytes.
func (r *Reader) Size() int { return len(r.data) }
