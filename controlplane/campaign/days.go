package campaign

import "time"

// Days is a set of days of the week: bit n is the day that time.Weekday numbers n, so bit 0 is Sunday. A set without days stands for
// every day, and is the only form of that: no Campaign that Decode or ParseOne makes has all seven bits set.
type Days uint8

const allDays Days = 1<<7 - 1

// DaysOf returns the set of the days given; of no day, or of all seven, the set of every day.
func DaysOf(days ...time.Weekday) Days {
	var set Days
	for _, day := range days {
		set |= 1 << day
	}
	return set.canonical()
}

// Has reports whether the set has a day.
func (d Days) Has(day time.Weekday) bool { return d == 0 || d>>day&1 != 0 }

func (d Days) canonical() Days {
	if d == allDays {
		return 0
	}
	return d
}

// dayNames are in the order in which a campaign's days are written.
var dayNames = [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// weekday returns the day whose name is number i.
func weekday(i int) time.Weekday { return time.Weekday((i + 1) % len(dayNames)) }

func parseDay(name []byte) (time.Weekday, bool) {
	for i := range dayNames {
		if dayNames[i] == string(name) {
			return weekday(i), true
		}
	}
	return 0, false
}

// names returns the names of the days in a set, and none for every day.
func (d Days) names() []string {
	var names []string
	for i := range dayNames {
		if d.canonical()>>weekday(i)&1 != 0 {
			names = append(names, dayNames[i])
		}
	}
	return names
}
