//go:build !wasip1

package adindex

// Schedule returns the number of the entry's schedule. Entries of one schedule serve the same at every minute.
func (e Entry) Schedule() ScheduleRef { return ScheduleRef(e.schedule) }

// Clock returns the clock of schedule n. Like an index expression it panics unless an entry of r has it.
func (r *Reader) Clock(n ScheduleRef) Clock { return r.schedule(uint32(n)).clock }

// Cycles returns the number of cycles. Builder stores equal ones once.
func (r *Reader) Cycles() int { return r.cycles() }

// Cycle returns cycle n. Like an index expression it panics unless n < Cycles.
func (r *Reader) Cycle(n CycleRef) Cycle { return r.cycle(uint32(n)) }

// Stretch returns which cycle e, an entry of r, serves in a minute since the Unix epoch, and the end of the stretch: the first later minute in
// which it may be another one, or Forever. From any time in seconds a minute is far enough from the ends of int64.
func (r *Reader) Stretch(e Entry, minute int64) (cycle CycleRef, end int64) {
	s := r.schedule(e.schedule)
	switch s.clock {
	case Week:
		return r.stretchOfWeek(s, minute)
	case Absolute:
		if minute > s.base && uint64(minute)-uint64(s.base) >= uint64(s.minutes) {
			return r.stretchOfWeek(r.schedule(uint32(s.after)), minute)
		}
		cycle, until := r.segmentUntil(s, uint32(max(minute, s.base)-s.base), s.minutes)
		if last := minuteBefore(s.base, until); last != Forever {
			return cycle, last + 1
		}
		return cycle, Forever
	default:
		at := minuteOfDay(minute)
		cycle, until := r.segmentUntil(s, at, dayMinutes)
		return cycle, minute - int64(at) + int64(until)
	}
}

func (r *Reader) stretchOfWeek(s scheduleRecord, minute int64) (cycle CycleRef, end int64) {
	at := minuteOfWeek(minute)
	cycle, until := r.segmentUntil(s, at, weekMinutes)
	return cycle, minute - int64(at) + int64(until)
}

// segmentUntil returns the cycle at a minute of the clock of s, which ends at last, and where its segment ends.
func (r *Reader) segmentUntil(s scheduleRecord, minute, last uint32) (cycle CycleRef, until uint32) {
	segments := r.section[secSegments]
	first, end := span(r.section[secLists], s.list)
	lo, hi := first+1, end
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if word(segments, 2*mid) <= minute {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < end {
		last = word(segments, 2*lo)
	}
	return CycleRef(word(segments, 2*(lo-1)+1)), last
}

// Horizon returns the first minute since the Unix epoch that no schedule of the absolute clock covers any more, or false where there is
// none: then each key is the same day by day or week by week. Of several horizons it is the end of the first.
func (r *Reader) Horizon() (end int64, ok bool) {
	end = Forever
	for n := range len(r.section[secSchedules]) / scheduleSize {
		s := r.schedule(uint32(n))
		if s.clock != Absolute {
			continue
		}
		ok = true
		if last := minuteBefore(s.base, s.minutes); last != Forever {
			end = min(end, last+1)
		}
	}
	return end, ok
}
