package adindex

// Clock says what the segments of a schedule count.
type Clock uint8

const (
	// Day counts the minutes of the UTC day, 0 to 1439.
	Day Clock = 1
	// Week counts the minutes since Monday 00:00 UTC, 0 to 10079.
	Week Clock = 2
	// Absolute counts the minutes since the schedule's base. A time before the base is taken as the base; from the end of the
	// horizon on the schedule's After holds.
	Absolute Clock = 3
)

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	// The Unix epoch was a Thursday: three days after a Monday.
	epochMinuteOfWeek = 3 * dayMinutes
)

// unixMinute returns the minute that a Unix time in seconds lies in, also before 1970.
func unixMinute(seconds int64) int64 {
	m := seconds / 60
	if seconds%60 < 0 {
		m--
	}
	return m
}

// minuteOfDay expects a result of unixMinute, which is too small to overflow here and in minuteOfWeek.
func minuteOfDay(minute int64) uint32 { return cyclic(minute, dayMinutes) }

func minuteOfWeek(minute int64) uint32 { return cyclic(minute+epochMinuteOfWeek, weekMinutes) }

func cyclic(minute, span int64) uint32 {
	m := minute % span
	if m < 0 {
		m += span
	}
	return uint32(m)
}
