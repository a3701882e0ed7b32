//go:build !wasip1

package adindex

import "math"

// What LastMinutes says of an ad besides a minute.
const (
	Forever int64 = math.MaxInt64 // no end is in sight
	Never   int64 = math.MinInt64 // no key serves it
)

// LastMinutes returns for each ad, by its number, the last minute since the Unix epoch in which a key of the index serves it, or Forever or
// Never. An ad is still served by an index, now or later, where that minute is not over. It takes time linear in the length of the index.
func (r *Reader) LastMinutes() []int64 {
	w := lastMinutes{r: r, cycles: make([]int64, len(r.section[secCycles])/wordSize-1)}
	for i := range w.cycles {
		w.cycles[i] = Never
	}
	seen := make([]bool, len(r.section[secSchedules])/scheduleSize)
	for i := range r.Keys() {
		if s := r.entry(i).schedule; !seen[s] {
			seen[s] = true
			w.schedule(r.schedule(s))
		}
	}
	ads := make([]int64, r.Ads())
	for i := range ads {
		ads[i] = Never
	}
	for n, last := range w.cycles {
		if last == Never {
			continue
		}
		cycle := r.cycle(uint32(n))
		for i := range cycle.Len() {
			ad := cycle.Ad(i)
			ads[ad] = max(ads[ad], last)
		}
	}
	return ads
}

// lastMinutes notes for each cycle when it is served last.
type lastMinutes struct {
	r      *Reader
	cycles []int64
}

func (w *lastMinutes) schedule(s scheduleRecord) {
	segments := w.r.section[secSegments]
	first, end := span(w.r.section[secLists], s.list)
	for i := first; i < end; i++ {
		cycle, last := word(segments, 2*i+1), Forever
		if s.clock == Absolute {
			until := s.minutes
			if i+1 < end {
				until = word(segments, 2*(i+1))
			}
			last = minuteBefore(s.base, until)
		}
		w.cycles[cycle] = max(w.cycles[cycle], last)
	}
	if s.clock == Absolute {
		w.schedule(w.r.schedule(uint32(s.after))) // of the week: it has no schedule after it
	}
}

// minuteBefore is the last minute before base+n, n > 0. What lies beyond all minutes does not end.
func minuteBefore(base int64, n uint32) int64 {
	if base > Forever-int64(n) {
		return Forever
	}
	return base + int64(n) - 1
}
