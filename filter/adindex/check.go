package adindex

// The structural checks of Open: one pass over each section. The loops take words off the front of a slice, which spares the
// bounds checks of an index; in the filter they run on each push over millions of elements.

// checkOffsets checks a section of offsets: it begins with 0, never descends and ends with the size of what it points into.
// With strict no list is empty.
func checkOffsets(name string, offsets []byte, size int, strict bool) error {
	if len(offsets) == 0 {
		return fault(name, " are empty, want at least one")
	}
	if first := word(offsets, 0); first != 0 {
		return fault(name, " begin with ", first, ", want 0")
	}
	before := uint32(0)
	for b := offsets[wordSize:]; len(b) >= wordSize; b = b[wordSize:] {
		v := word(b, 0)
		if v < before || strict && v == before {
			return fault(name, ": ", v, " after ", before)
		}
		before = v
	}
	if uint64(before) != uint64(size) {
		return fault(name, " end with ", before, ", want ", size)
	}
	return nil
}

// checkBelow checks that each word is less than n, which counts what the words point at.
func checkBelow(name string, words []byte, what string, n int) error {
	for b := words; len(b) >= wordSize; b = b[wordSize:] {
		if v := word(b, 0); uint64(v) >= uint64(n) {
			return fault(name, ": ", what, " ", v, " of ", n)
		}
	}
	return nil
}

// checkKeyOrder checks that each word is a key, and greater than the one before it.
func checkKeyOrder(name string, keys []byte) error {
	next := Key(0)
	for b := keys; len(b) >= wordSize; b = b[wordSize:] {
		k := Key(word(b, 0))
		if !k.valid() {
			return fault(name, ": 0x", hexNumber{uint32(k), 1}, " is not a key")
		}
		if k < next {
			return fault(name, ": ", k, " after ", next-1)
		}
		next = k + 1
	}
	return nil
}

func checkAds(r *Reader) error {
	return checkOffsets("ad offsets", r.section[secAdEnds], len(r.section[secBodies]), false)
}

func checkCycles(r *Reader) error {
	refs := r.section[secRefs]
	if err := checkBelow("cycle references", refs, "ad", r.Ads()); err != nil {
		return err
	}
	return checkOffsets("cycles", r.section[secCycles], len(refs)/wordSize, false)
}

func (r *Reader) cycles() int { return len(r.section[secCycles])/wordSize - 1 }
func (r *Reader) lists() int  { return len(r.section[secLists])/wordSize - 1 }

// checkSegments checks each list once, so that schedules which share lists cost nothing more.
func checkSegments(r *Reader) error {
	segments := r.section[secSegments]
	if err := checkOffsets("segment lists", r.section[secLists], len(segments)/segmentSize, true); err != nil {
		return err
	}
	cycles := r.cycles()
	for list := range r.lists() {
		begin, end := span(r.section[secLists], uint32(list))
		next := uint64(0)
		for i := begin; i < end; i++ {
			start, cycle := uint64(word(segments, 2*i)), word(segments, 2*i+1)
			switch {
			case i == begin && start != 0:
				return fault("segment list ", list, " begins at minute ", start, ", want 0")
			case start < next:
				return fault("segment list ", list, ": minute ", start, " after ", next-1)
			case uint64(cycle) >= uint64(cycles):
				return fault("segment list ", list, ": cycle ", cycle, " of ", cycles)
			}
			next = start + 1
		}
	}
	return nil
}

func checkSchedules(r *Reader) error {
	n := len(r.section[secSchedules]) / scheduleSize
	for i := range n {
		// The clock is a word in the index and a byte in the record.
		clock := word(r.section[secSchedules], i*scheduleSize/wordSize)
		s := r.schedule(uint32(i))
		minutes := s.minutes
		switch {
		case clock < uint32(Day) || clock > uint32(Absolute):
			return fault("schedule ", i, ": unknown clock ", clock)
		case uint64(s.list) >= uint64(r.lists()):
			return fault("schedule ", i, ": segment list ", s.list, " of ", r.lists())
		case s.clock != Absolute && (s.base != 0 || s.minutes != 0 || s.after != 0):
			return fault("schedule ", i, ": a horizon without the absolute clock")
		case s.clock == Absolute && uint64(s.after) >= uint64(n):
			return fault("schedule ", i, ": schedule ", uint32(s.after), " of ", n, " after its horizon")
		case s.clock == Absolute && r.schedule(uint32(s.after)).clock != Week:
			return fault("schedule ", i, ": schedule ", uint32(s.after), " after its horizon is not a week")
		case s.clock == Day:
			minutes = dayMinutes
		case s.clock == Week:
			minutes = weekMinutes
		}
		_, end := span(r.section[secLists], s.list)
		if last := word(r.section[secSegments], 2*(end-1)); last >= minutes {
			return fault("schedule ", i, ": a segment at minute ", last, ", its clock ends at ", minutes)
		}
	}
	return nil
}

func checkKeys(r *Reader) error {
	if err := checkKeyOrder("keys", r.section[secKeys]); err != nil {
		return err
	}
	entries := len(r.section[secEntries]) / entrySize
	if entries != r.Keys() {
		return fault(r.Keys(), " keys with ", entries, " key entries")
	}
	schedules := len(r.section[secSchedules]) / scheduleSize
	for i := range entries {
		e := r.entry(i)
		if uint64(e.schedule) >= uint64(schedules) {
			return fault("key entries: schedule ", e.schedule, " of ", schedules)
		}
		if uint64(e.cursor) >= uint64(r.Cursors()) {
			return fault("key entries: cursor ", e.cursor, " of ", r.Cursors())
		}
	}
	return nil
}

func checkCursors(r *Reader) error { return checkKeyOrder("cursor keys", r.section[secCursors]) }
