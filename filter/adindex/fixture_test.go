package adindex

import (
	"encoding/binary"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The week of the fixtures begins on Monday 2024-01-01 00:00 UTC.
const (
	mondayUnix   int64 = 1_704_067_200
	mondayMinute       = mondayUnix / 60
)

func mustKey(tb testing.TB, s string) Key {
	tb.Helper()
	country, lang, _ := strings.Cut(s, "/")
	k, ok := MakeKey(country, lang)
	require.True(tb, ok, s)
	return k
}

// fixture is a builder whose calls must succeed, with ads named by their bodies.
type fixture struct {
	*Builder
	tb  testing.TB
	ads map[string]AdRef
}

func newFixture(tb testing.TB) *fixture {
	return &fixture{Builder: NewBuilder(), tb: tb, ads: map[string]AdRef{}}
}

// cycle adds the cycle of the ads with these bodies, adding those that are new.
func (f *fixture) cycle(bodies ...string) CycleRef {
	f.tb.Helper()
	ads := make([]AdRef, len(bodies))
	for i, body := range bodies {
		if _, ok := f.ads[body]; !ok {
			f.ads[body] = f.AddAd([]byte(body))
		}
		ads[i] = f.ads[body]
	}
	c, err := f.AddCycle(ads)
	require.NoError(f.tb, err)
	return c
}

func (f *fixture) schedule(s Schedule) ScheduleRef {
	f.tb.Helper()
	ref, err := f.AddSchedule(s)
	require.NoError(f.tb, err)
	return ref
}

// always adds the schedule of one cycle all day.
func (f *fixture) always(bodies ...string) ScheduleRef {
	f.tb.Helper()
	return f.schedule(Schedule{Clock: Day, Segments: []Segment{{0, f.cycle(bodies...)}}})
}

func (f *fixture) key(key, canonical string, s ScheduleRef) {
	f.tb.Helper()
	require.NoError(f.tb, f.AddKey(mustKey(f.tb, key), mustKey(f.tb, canonical), s))
}

func (f *fixture) build() []byte {
	f.tb.Helper()
	data, err := f.Build(mondayUnix)
	require.NoError(f.tb, err)
	return data
}

func (f *fixture) open() *Reader {
	f.tb.Helper()
	r, err := Open(f.build())
	require.NoError(f.tb, err)
	return r
}

// smallIndex has every kind of part, in a few hundred bytes.
func smallIndex(tb testing.TB) []byte {
	tb.Helper()
	f := newFixture(tb)
	none, one, two := f.cycle(), f.cycle("a"), f.cycle("a", "bb", "a")
	day := f.schedule(Schedule{Clock: Day, Segments: []Segment{{0, one}, {600, none}}})
	week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, two}, {10079, one}}})
	flight := f.schedule(Schedule{
		Clock: Absolute, Segments: []Segment{{0, none}, {5, two}}, Base: mondayMinute, Minutes: 10, After: week,
	})
	f.key("us/eng", "us/eng", day)
	f.key("us/en", "us/eng", day)
	f.key("us/*", "us/*", week)
	f.key("*/eng", "*/eng", flight)
	f.key("*/*", "*/*", f.always("ccc"))
	return f.build()
}

// repair makes the header agree with a changed index, so that a test gets past it.
func repair(data []byte) []byte {
	if len(data) >= headerSize {
		copy(data, magic)
		binary.LittleEndian.PutUint32(data[offFormat:], FormatVersion)
		binary.LittleEndian.PutUint32(data[offLength:], uint32(len(data)))
		binary.LittleEndian.PutUint32(data[offChecksum:], checksum(data))
	}
	return data
}

// entries yields every key with its entry, in ascending order of the keys.
func entries(r *Reader) iter.Seq2[Key, Entry] {
	return func(yield func(Key, Entry) bool) {
		for i := range r.Keys() {
			if !yield(Key(word(r.section[secKeys], i)), r.entry(i)) {
				return
			}
		}
	}
}

// walk makes every lookup that an index allows, at the edges of all clocks, and fails where one does not hold.
func walk(tb testing.TB, r *Reader) {
	tb.Helper()
	times := []int64{math.MinInt64, math.MinInt64 + 59, -1, 0, 1, math.MaxInt64 - 59, math.MaxInt64}
	for hour := range int64(7 * 24) {
		times = append(times, mondayUnix+hour*3600-1, mondayUnix+hour*3600)
	}
	seen := 0
	for k, e := range entries(r) {
		require.NotEmpty(tb, k.String())
		found, ok := r.Find(k)
		require.True(tb, ok)
		require.Equal(tb, e, found)
		require.Less(tb, int(e.Cursor()), r.Cursors())
		require.True(tb, r.CursorKey(e.Cursor()).valid())
		for _, at := range times {
			c := r.CycleAt(e, at)
			for i := range c.Len() {
				r.Body(c.Ad(i))
			}
		}
		s := r.schedule(e.schedule)
		for _, minute := range []int64{s.base - 1, s.base, s.base + 1, s.base + int64(s.minutes) - 1, s.base + int64(s.minutes)} {
			r.CycleAt(e, minute*60)
		}
		for _, near := range []Key{k - 1, k + 1, k & countryMask, k & langMask, math.MaxUint32} {
			r.Find(near)
		}
		seen++
	}
	require.Equal(tb, r.Keys(), seen)
	for ad := range r.Ads() {
		require.NotNil(tb, r.Body(AdRef(ad)))
	}
	require.Nil(tb, r.Body(AdRef(r.Ads())))
}
