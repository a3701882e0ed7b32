package adindex

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// refs are the ads of a cycle, turn by turn.
func refs(c Cycle) []AdRef {
	var all []AdRef
	for i := range c.Len() {
		all = append(all, c.Ad(i))
	}
	return all
}

// secondOf is a time in a minute. The first minute of all begins before the first second that there is.
func secondOf(minute int64) int64 {
	if minute < math.MinInt64/60 {
		return math.MinInt64
	}
	return minute * 60
}

// TestStretchesAgreeWithLookups: each stretch serves its cycle at its first and last minute and at any between, and the next one begins where
// it ends.
func TestStretchesAgreeWithLookups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder()
		m := drawModel(t, b)
		data, err := b.Build(0)
		require.NoError(t, err)
		r, err := Open(data)
		require.NoError(t, err)
		minute := unixMinute(drawTime(t, m))
		for _, e := range entries(r) {
			for at, n := minute, 0; n < 20 && at != Forever; n++ {
				cycle, end := r.Stretch(e, at)
				require.Greater(t, end, at)
				last := min(end-1, math.MaxInt64/60)
				for _, within := range []int64{at, last, at + (last-at)/2} {
					require.Equal(t, refs(r.CycleAt(e, secondOf(within))), refs(r.Cycle(cycle)), "minute %d of %d to %d", within, at, end)
				}
				if end > math.MaxInt64/60 {
					break
				}
				at = end
			}
		}
	})
}

func TestStretches(t *testing.T) {
	f := newFixture(t)
	none, one, two := f.cycle(), f.cycle("a"), f.cycle("b", "a")
	day := f.schedule(Schedule{Clock: Day, Segments: []Segment{{0, one}, {600, none}}})
	week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, two}, {10000, one}}})
	flight := f.schedule(Schedule{Clock: Absolute, Segments: []Segment{{0, none}, {5, two}}, Base: mondayMinute, Minutes: 100, After: week})
	endless := f.schedule(Schedule{Clock: Absolute, Segments: []Segment{{0, one}}, Base: math.MaxInt64 - 3, Minutes: 100, After: week})
	f.schedule(Schedule{Clock: Absolute, Segments: []Segment{{0, one}}, Base: mondayMinute + 7, Minutes: 100, After: week})
	f.key("us/eng", "us/eng", day)
	f.key("us/*", "us/*", week)
	f.key("*/eng", "*/eng", flight)
	f.key("*/*", "*/*", endless)
	r := f.open()
	require.Equal(t, 3, r.Cycles())
	for key, stretches := range map[string][][3]int64{ // minute, cycle, end
		"us/eng": {{0, int64(one), 600}, {599, int64(one), 600}, {600, int64(none), 1440}, {1440, int64(one), 2040}, {-1, int64(none), 0}},
		"us/*":   {{0, int64(two), 10000}, {10000, int64(one), 10080}, {10080, int64(two), 20080}, {-1, int64(one), 0}},
		"*/eng":  {{-1000, int64(none), 5}, {4, int64(none), 5}, {5, int64(two), 100}, {99, int64(two), 100}, {100, int64(two), 10000}},
		"*/*":    {{0, int64(one), Forever - mondayMinute}},
	} {
		e, ok := r.Find(mustKey(t, key))
		require.True(t, ok)
		for _, want := range stretches {
			cycle, end := r.Stretch(e, mondayMinute+want[0])
			require.Equal(t, want, [3]int64{want[0], int64(cycle), end - mondayMinute}, key)
		}
	}
	end, ok := r.Horizon()
	require.True(t, ok)
	require.Equal(t, mondayMinute+100, end, "the first of three")

	plain := newFixture(t)
	plain.key("us/eng", "us/eng", plain.always("a"))
	_, ok = plain.open().Horizon()
	require.False(t, ok)
}
