package zone_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/zone"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return instant
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	type change struct {
		at     string
		offset time.Duration
	}
	half := 30 * time.Minute
	tests := map[string]struct {
		zone, from, to string
		want           []change
	}{
		"Berlin has two a year": {
			"Europe/Berlin", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]change{{"2027-03-28T01:00:00Z", 2 * time.Hour}, {"2027-10-31T01:00:00Z", time.Hour}},
		},
		"New York has two a year": {
			"America/New_York", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]change{{"2027-03-14T07:00:00Z", -4 * time.Hour}, {"2027-11-07T06:00:00Z", -5 * time.Hour}},
		},
		"Lord Howe changes by half an hour": {
			"Australia/Lord_Howe", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]change{{"2027-04-03T15:00:00Z", 10*time.Hour + half}, {"2027-10-02T15:30:00Z", 11 * time.Hour}},
		},
		"Kathmandu has none":    {"Asia/Kathmandu", "2020-01-01T00:00:00Z", "2050-01-01T00:00:00Z", nil},
		"UTC has none":          {"UTC", "1900-01-01T00:00:00Z", "2100-01-01T00:00:00Z", nil},
		"one at from is inside": {"Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-28T01:01:00Z", []change{{"2027-03-28T01:00:00Z", 2 * time.Hour}}},
		"one at to is outside":  {"Europe/Berlin", "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z", nil},
		"one before from":       {"Europe/Berlin", "2027-03-28T01:00:01Z", "2027-03-28T02:00:00Z", nil},
		"an empty range":        {"Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-28T01:00:00Z", nil},
		"a range the wrong way": {"Europe/Berlin", "2028-01-01T00:00:00Z", "2027-01-01T00:00:00Z", nil},
		"a change that is not an hour's and of the zone for good": {
			"Asia/Pyongyang", "2015-01-01T00:00:00Z", "2019-01-01T00:00:00Z",
			[]change{{"2015-08-14T15:00:00Z", 8*time.Hour + half}, {"2018-05-04T15:00:00Z", 9 * time.Hour}},
		},
		"a whole day is left out": {
			"Pacific/Apia", "2011-12-01T00:00:00Z", "2012-01-01T00:00:00Z", []change{{"2011-12-30T10:00:00Z", 14 * time.Hour}},
		},
		// Its summer time became its standard time: another name, the same offset.
		"a new name is no change": {"Europe/Istanbul", "2016-09-01T00:00:00Z", "2017-01-01T00:00:00Z", nil},
		"changes that follow the moon": {
			"Africa/Casablanca", "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z",
			[]change{{"2030-02-10T02:00:00Z", time.Hour}, {"2030-12-22T02:00:00Z", 0}},
		},
		"behind the last one in the database, by its rule": {
			"Europe/Berlin", "2200-01-01T00:00:00Z", "2201-01-01T00:00:00Z",
			[]change{{"2200-03-30T01:00:00Z", 2 * time.Hour}, {"2200-10-26T01:00:00Z", time.Hour}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc, err := zone.Load(tc.zone)
			require.NoError(t, err)
			var want []zone.Transition
			for _, c := range tc.want {
				want = append(want, zone.Transition{At: at(t, c.at).Unix(), OffsetSeconds: int(c.offset / time.Second)})
			}
			require.Equal(t, want, zone.Transitions(loc, at(t, tc.from), at(t, tc.to)))
		})
	}
}

// TestTransitionsAreWhereTheOffsetChanges compares with the clock of every zone, each quarter of an hour.
func TestTransitionsAreWhereTheOffsetChanges(t *testing.T) {
	t.Parallel()
	from, to := at(t, "2026-11-01T00:00:00Z"), at(t, "2028-01-01T00:00:00Z")
	const step = 15 * time.Minute
	changes := 0
	for _, name := range zone.Names() {
		loc, err := zone.Load(name)
		require.NoError(t, err)
		var want []zone.Transition
		_, offset := from.Add(-step).In(loc).Zone()
		for m := from; m.Before(to); m = m.Add(step) {
			if _, next := m.In(loc).Zone(); next != offset {
				want = append(want, zone.Transition{At: m.Unix(), OffsetSeconds: next})
				offset = next
			}
		}
		require.Equal(t, want, zone.Transitions(loc, from, to), name)
		changes += len(want)
	}
	require.Greater(t, changes, 300)
}
