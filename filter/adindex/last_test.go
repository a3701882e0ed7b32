package adindex

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLastMinutes(t *testing.T) {
	f := newFixture(t)
	week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, f.cycle("weekly")}, {600, f.cycle()}}})
	hours := f.schedule(Schedule{Clock: Day, Segments: []Segment{{0, f.cycle()}, {60, f.cycle("daily")}, {120, f.cycle()}}})
	days := f.schedule(Schedule{
		Clock: Absolute, Base: mondayMinute, Minutes: 1000, After: week,
		Segments: []Segment{{0, f.cycle("first", "twice")}, {10, f.cycle("twice")}, {20, f.cycle("last")}},
	})
	f.cycle("in no schedule")
	require.NoError(t, f.AddKey(mustKey(t, "us/eng"), mustKey(t, "us/eng"), hours))
	for _, key := range []string{"us/deu", "us/ger"} {
		require.NoError(t, f.AddKey(mustKey(t, key), mustKey(t, "us/deu"), days))
	}
	data, err := f.Build(0)
	require.NoError(t, err)
	r, err := Open(data)
	require.NoError(t, err)
	got := map[string]int64{}
	for i, last := range r.LastMinutes() {
		got[string(r.Body(AdRef(i)))] = last
	}
	require.Equal(t, map[string]int64{
		"weekly": Forever, "daily": Forever, "first": mondayMinute + 9, "twice": mondayMinute + 19, "last": mondayMinute + 999,
		"in no schedule": Never,
	}, got)
}

func TestLastMinutesAgreeWithAPlainScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder()
		m := drawModel(t, b)
		data, err := b.Build(0)
		require.NoError(t, err)
		r, err := Open(data)
		require.NoError(t, err)
		for i, last := range r.LastMinutes() {
			require.Equal(t, m.lastMinute(AdRef(i)), last, "ad %d", i)
		}
	})
}

// lastMinute is when the model's keys serve an ad last.
func (m *model) lastMinute(ad AdRef) int64 {
	last := Never
	for _, e := range m.keys {
		s := m.schedules[e.schedule]
		for i, segment := range s.Segments {
			end := big.NewInt(Forever)
			if s.Clock == Absolute {
				after := s.Minutes
				if i+1 < len(s.Segments) {
					after = s.Segments[i+1].Start
				}
				if sum := new(big.Int).Add(big.NewInt(s.Base), big.NewInt(int64(after)-1)); sum.Cmp(end) < 0 {
					end = sum
				}
			}
			last = m.laterIf(ad, segment, end.Int64(), last)
		}
		if s.Clock == Absolute {
			for _, segment := range m.schedules[s.After].Segments {
				last = m.laterIf(ad, segment, Forever, last)
			}
		}
	}
	return last
}

// laterIf is the later of two minutes if the segment's cycle has the ad, else the last one.
func (m *model) laterIf(ad AdRef, s Segment, minute, last int64) int64 {
	for _, in := range m.cycles[s.Cycle] {
		if in == ad {
			return max(last, minute)
		}
	}
	return last
}
