package adindex

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is what an index says, read from its parts by plain scans and unbounded integers.
type model struct {
	cycles    [][]AdRef
	schedules []Schedule
	keys      map[[2]string]modelEntry
}

type modelEntry struct {
	canonical [2]string
	schedule  int
}

// answer returns the entry for a country and a language and the ads that it serves at a time.
func (m *model) answer(country, lang string, unixSeconds int64) (entry modelEntry, ads []AdRef, found bool) {
	for _, key := range [][2]string{{country, lang}, {country, "*"}, {"*", lang}, {"*", "*"}} {
		if entry, found = m.keys[key]; found {
			return entry, m.serves(m.schedules[entry.schedule], unixSeconds), true
		}
	}
	return modelEntry{}, nil, false
}

func (m *model) serves(s Schedule, unixSeconds int64) []AdRef {
	// Div and Mod of big integers are Euclidean: they round down for a positive divisor.
	at := new(big.Int).Div(big.NewInt(unixSeconds), big.NewInt(60))
	switch s.Clock {
	case Day:
		at.Mod(at, big.NewInt(24*60))
	case Week:
		at.Sub(at, big.NewInt(mondayMinute)).Mod(at, big.NewInt(7*24*60))
	case Absolute:
		elapsed := new(big.Int).Sub(at, big.NewInt(s.Base))
		if elapsed.Cmp(big.NewInt(int64(s.Minutes))) >= 0 {
			return m.serves(m.schedules[s.After], unixSeconds)
		}
		at = elapsed
	}
	cycle := s.Segments[0].Cycle
	for _, seg := range s.Segments {
		if big.NewInt(int64(seg.Start)).Cmp(at) <= 0 {
			cycle = seg.Cycle
		}
	}
	return m.cycles[cycle]
}

// drawModel draws parts, adds them to a builder and remembers them by the numbers that the builder gave.
func drawModel(t *rapid.T, b *Builder) *model {
	m := &model{keys: map[[2]string]modelEntry{}}
	ads := rapid.IntRange(0, 6).Draw(t, "ads")
	for i := range ads {
		require.EqualValues(t, i, b.AddAd(fmt.Appendf(nil, "ad %d", i)))
	}
	for range rapid.IntRange(1, 5).Draw(t, "cycles") {
		var cycle []AdRef
		if ads > 0 {
			cycle = rapid.SliceOfN(rapid.Map(rapid.IntRange(0, ads-1), func(i int) AdRef { return AdRef(i) }), 0, 5).Draw(t, "cycle")
		}
		ref, err := b.AddCycle(cycle)
		require.NoError(t, err)
		m.cycles = put(t, m.cycles, int(ref), cycle)
	}
	for range rapid.IntRange(1, 6).Draw(t, "schedules") {
		s := drawSchedule(t, m)
		ref, err := b.AddSchedule(s)
		require.NoError(t, err)
		m.schedules = put(t, m.schedules, int(ref), s)
	}
	for range rapid.IntRange(0, 8).Draw(t, "keys") {
		key, canonical := drawKey(t), drawKey(t)
		if _, ok := m.keys[key]; ok {
			continue
		}
		e := modelEntry{canonical: canonical, schedule: rapid.IntRange(0, len(m.schedules)-1).Draw(t, "schedule")}
		m.keys[key] = e
		k, _ := MakeKey(key[0], key[1])
		c, _ := MakeKey(canonical[0], canonical[1])
		require.NoError(t, b.AddKey(k, c, ScheduleRef(e.schedule)))
	}
	return m
}

// put stores a part under its number: a new one, or that of an equal part.
func put[T any](t *rapid.T, parts []T, ref int, part T) []T {
	if ref < len(parts) {
		require.Equal(t, parts[ref], part)
		return parts
	}
	require.Equal(t, len(parts), ref)
	return append(parts, part)
}

// drawKey draws from so few letters that keys and wildcards meet.
func drawKey(t *rapid.T) [2]string {
	return [2]string{
		rapid.SampledFrom([]string{"aa", "az", "zz", "*"}).Draw(t, "country"),
		rapid.SampledFrom([]string{"aa", "aaa", "zz", "*"}).Draw(t, "lang"),
	}
}

func drawSchedule(t *rapid.T, m *model) Schedule {
	weeks := []int{}
	for i, s := range m.schedules {
		if s.Clock == Week {
			weeks = append(weeks, i)
		}
	}
	clocks := []Clock{Day, Week}
	if len(weeks) > 0 {
		clocks = append(clocks, Absolute, Absolute)
	}
	s := Schedule{Clock: rapid.SampledFrom(clocks).Draw(t, "clock")}
	end := uint32(1440)
	switch s.Clock {
	case Week:
		end = 10080
	case Absolute:
		s.Base = rapid.OneOf(
			rapid.Int64Range(mondayMinute-20000, mondayMinute+20000),
			rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64/60 - 1, -1, 0, math.MaxInt64 / 60, math.MaxInt64}),
		).Draw(t, "base")
		s.Minutes = rapid.OneOf(rapid.Uint32Range(1, 30000), rapid.SampledFrom([]uint32{1, math.MaxUint32})).Draw(t, "minutes")
		s.After = ScheduleRef(rapid.SampledFrom(weeks).Draw(t, "after"))
		end = s.Minutes
	}
	starts := append(rapid.SliceOfN(rapid.Uint32Range(0, end-1), 0, 6).Draw(t, "starts"), 0)
	slices.Sort(starts)
	for _, start := range slices.Compact(starts) {
		s.Segments = append(s.Segments, Segment{start, CycleRef(rapid.IntRange(0, len(m.cycles)-1).Draw(t, "cycle"))})
	}
	return s
}

// drawTime draws from everywhere, and near what can go wrong: the edges of a schedule's segments and horizon.
func drawTime(t *rapid.T, m *model) int64 {
	s := rapid.SampledFrom(m.schedules).Draw(t, "near")
	origin := mondayMinute
	if s.Clock == Absolute {
		origin = s.Base
	}
	edge := origin + int64(rapid.SampledFrom(s.Segments).Draw(t, "segment").Start)
	// Far bases wrap around here, to one more time that may be anywhere.
	near := func(minute int64) *rapid.Generator[int64] {
		return rapid.Map(rapid.Int64Range(-61, 61), func(seconds int64) int64 { return minute*60 + seconds })
	}
	return rapid.OneOf(
		near(edge),
		near(origin+int64(s.Minutes)),
		rapid.Int64(),
		rapid.Int64Range(mondayUnix-40*86400, mondayUnix+40*86400),
		rapid.SampledFrom([]int64{math.MinInt64, -1, 0, math.MaxInt64}),
	).Draw(t, "time")
}

func TestLookupsAgreeWithAPlainScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder()
		m := drawModel(t, b)
		data, err := b.Build(rapid.Int64().Draw(t, "source time"))
		require.NoError(t, err)
		r, err := Open(data)
		require.NoError(t, err)
		require.Equal(t, len(m.keys), r.Keys())

		for range 30 {
			country := rapid.SampledFrom([]string{"aa", "az", "zz", "mm"}).Draw(t, "asked country")
			lang := rapid.SampledFrom([]string{"aa", "aaa", "zz", "mmm"}).Draw(t, "asked lang")
			at := drawTime(t, m)
			want, ads, found := m.answer(country, lang, at)
			k, ok := MakeKey(country, lang)
			require.True(t, ok)
			e, ok := r.Find(k)
			require.Equal(t, found, ok)
			if !found {
				continue
			}
			require.Equal(t, want.canonical[0]+"/"+want.canonical[1], r.CursorKey(e.Cursor()).String())
			c := r.CycleAt(e, at)
			require.Equal(t, len(ads), c.Len())
			for i, ad := range ads {
				require.Equal(t, ad, c.Ad(i))
				require.Equal(t, fmt.Sprintf("ad %d", ad), string(r.Body(c.Ad(i))))
			}
		}
	})
}
