package zone

import "time"

// Transition is an instant at which the offset of a zone changes.
type Transition struct {
	At            int64 // Unix second, from which the new offset holds
	OffsetSeconds int   // east of UTC; whole minutes in every zone since 1972
}

// Transitions returns the instants in [from, to) at which the offset of a zone changes, in order. Changes of its name or of what counts
// as daylight saving alone are not among them. The offset at from itself is from.In(loc).Zone's.
func Transitions(loc *time.Location, from, to time.Time) []Transition {
	var all []Transition
	// The bounds that hold just before from have one of exactly from as their end.
	at := from.Add(-time.Nanosecond).In(loc)
	_, offset := at.Zone()
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || !end.Before(to) || !end.After(at) {
			return all
		}
		if _, next := end.Zone(); next != offset {
			all = append(all, Transition{At: end.Unix(), OffsetSeconds: next})
			offset = next
		}
		at = end
	}
}
