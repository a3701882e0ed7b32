package adindex

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serves returns the bodies that key answers with at a time, in their order; nil where no entry is found.
func serves(t *testing.T, r *Reader, key string, unixSeconds int64) []string {
	t.Helper()
	e, ok := r.Find(mustKey(t, key))
	if !ok {
		return nil
	}
	c := r.CycleAt(e, unixSeconds)
	bodies := make([]string, c.Len())
	for i := range bodies {
		bodies[i] = string(r.Body(c.Ad(i)))
	}
	return bodies
}

func unix(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at.Unix()
}

func TestTheDayClockCountsMinutesOfTheUTCDay(t *testing.T) {
	f := newFixture(t)
	f.key("us/eng", "us/eng", f.schedule(Schedule{Clock: Day, Segments: []Segment{
		{0, f.cycle("night")}, {61, f.cycle("morning", "second")}, {62, f.cycle()}, {1439, f.cycle("last minute")},
	}}))
	r := f.open()
	tests := map[string][]string{
		"2024-01-01T00:00:00Z":      {"night"},
		"2024-01-01T01:00:59Z":      {"night"},
		"2024-01-01T01:01:00Z":      {"morning", "second"},
		"2024-01-01T01:01:59Z":      {"morning", "second"},
		"2024-01-01T01:02:00Z":      {},
		"2024-01-01T23:58:59Z":      {},
		"2024-01-01T23:59:00Z":      {"last minute"},
		"2024-01-01T23:59:59Z":      {"last minute"},
		"2024-01-02T00:00:00Z":      {"night"},
		"2024-01-01T03:01:00+02:00": {"morning", "second"},
		"1970-01-01T00:00:00Z":      {"night"},
		"1969-12-31T23:59:59Z":      {"last minute"},
		"1969-12-31T23:58:59Z":      {},
		"1969-12-31T00:00:00Z":      {"night"},
		"2416-02-29T01:01:30Z":      {"morning", "second"},
	}
	for at, want := range tests {
		require.Equal(t, want, serves(t, r, "us/eng", unix(t, at)), at)
	}
}

func TestTheWeekClockCountsMinutesFromMonday(t *testing.T) {
	f := newFixture(t)
	f.key("us/eng", "us/eng", f.schedule(Schedule{Clock: Week, Segments: []Segment{
		{0, f.cycle("mon")},
		{1440, f.cycle("tue to thu")},
		{4*1440 + 22*60, f.cycle("fri night")},
		{5*1440 + 2*60, f.cycle("weekend")},
		{7*1440 - 1, f.cycle("last minute")},
	}}))
	r := f.open()
	tests := map[string]string{
		"2024-01-01T00:00:00Z": "mon",
		"2024-01-01T23:59:59Z": "mon",
		"2024-01-02T00:00:00Z": "tue to thu",
		"2024-01-05T21:59:59Z": "tue to thu",
		"2024-01-05T22:00:00Z": "fri night",
		"2024-01-06T01:59:59Z": "fri night",
		"2024-01-06T02:00:00Z": "weekend",
		"2024-01-07T23:58:59Z": "weekend",
		"2024-01-07T23:59:00Z": "last minute",
		"2024-01-08T00:00:00Z": "mon",
		"1970-01-01T00:00:00Z": "tue to thu", // a Thursday
		"1969-12-28T23:59:59Z": "last minute",
		"1969-12-29T00:00:00Z": "mon",
		"0001-01-01T12:00:00Z": "mon",
	}
	for at, want := range tests {
		require.Equal(t, []string{want}, serves(t, r, "us/eng", unix(t, at)), at)
	}
}

func TestTheAbsoluteClockHasABeginningAndAnEnd(t *testing.T) {
	f := newFixture(t)
	week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, f.cycle("mon")}, {1440, f.cycle("rest of the week")}}})
	f.key("us/eng", "us/eng", f.schedule(Schedule{
		Clock: Absolute, Base: mondayMinute - 1440, Minutes: 3 * 1440, After: week,
		Segments: []Segment{{0, f.cycle("first minute")}, {1, f.cycle()}, {1440, f.cycle("flight")}, {4319, f.cycle("last minute")}},
	}))
	r := f.open()
	tests := map[string]struct {
		at   int64
		want []string
	}{
		"the first second":                        {unix(t, "2023-12-31T00:00:00Z"), []string{"first minute"}},
		"the last second of the first minute":     {unix(t, "2023-12-31T00:00:59Z"), []string{"first minute"}},
		"the second minute":                       {unix(t, "2023-12-31T00:01:00Z"), []string{}},
		"before the flight":                       {unix(t, "2023-12-31T23:59:59Z"), []string{}},
		"the flight begins":                       {unix(t, "2024-01-01T00:00:00Z"), []string{"flight"}},
		"the flight's last second":                {unix(t, "2024-01-02T23:58:59Z"), []string{"flight"}},
		"the last minute":                         {unix(t, "2024-01-02T23:59:00Z"), []string{"last minute"}},
		"the last second":                         {unix(t, "2024-01-02T23:59:59Z"), []string{"last minute"}},
		"the week answers from the end on":        {unix(t, "2024-01-03T00:00:00Z"), []string{"rest of the week"}},
		"the week goes on":                        {unix(t, "2024-01-08T00:00:00Z"), []string{"mon"}},
		"and on":                                  {unix(t, "2044-01-05T00:00:00Z"), []string{"rest of the week"}},
		"a clock one second behind":               {unix(t, "2023-12-30T23:59:59Z"), []string{"first minute"}},
		"a clock at the epoch":                    {0, []string{"first minute"}},
		"a clock before the epoch":                {-1, []string{"first minute"}},
		"the first of all times":                  {math.MinInt64, []string{"first minute"}},
		"the last of all times, another Sunday":   {math.MaxInt64, []string{"rest of the week"}},
		"a Monday in three hundred billion years": {mondayUnix + 15_000_000_000_000*7*86400, []string{"mon"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, serves(t, r, "us/eng", tc.at))
		})
	}
}

// Bases that no compiler writes must not overflow either.
func TestTheAbsoluteClockBearsAnyBase(t *testing.T) {
	tests := map[string]struct {
		base, at int64
		minutes  uint32
		want     string
	}{
		"the smallest base, the smallest time":   {math.MinInt64, math.MinInt64, math.MaxUint32, "after"},
		"the smallest base, the largest time":    {math.MinInt64, math.MaxInt64, math.MaxUint32, "after"},
		"the largest base, the smallest time":    {math.MaxInt64, math.MinInt64, 1, "horizon"},
		"the largest base, the largest time":     {math.MaxInt64, math.MaxInt64, 1, "horizon"},
		"the base is the last minute there is":   {math.MaxInt64 / 60, math.MaxInt64, 1, "horizon"},
		"the base is the minute before":          {math.MaxInt64/60 - 1, math.MaxInt64, 1, "after"},
		"the base is the first minute there is":  {math.MinInt64/60 - 1, math.MinInt64, 1, "horizon"},
		"a longest horizon, its last minute":     {0, (math.MaxUint32 - 1) * 60, math.MaxUint32, "horizon"},
		"a longest horizon, the minute after it": {0, math.MaxUint32 * 60, math.MaxUint32, "after"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, f.cycle("after")}}})
			f.key("us/eng", "us/eng", f.schedule(Schedule{
				Clock: Absolute, Base: tc.base, Minutes: tc.minutes, After: week, Segments: []Segment{{0, f.cycle("horizon")}},
			}))
			require.Equal(t, []string{tc.want}, serves(t, f.open(), "us/eng", tc.at))
		})
	}
}

func TestFindGoesFromTheMostExactKeyToTheLeast(t *testing.T) {
	order := []string{"us/eng", "us/*", "*/eng", "*/*"}
	for missing := range 1 << len(order) {
		f := newFixture(t)
		var want []string
		for i, key := range order {
			if missing>>i&1 == 0 {
				f.key(key, key, f.always(key))
				if want == nil {
					want = []string{key}
				}
			}
		}
		f.key("us/enh", "us/enh", f.always("the key behind"))
		f.key("ur/eng", "ur/eng", f.always("another country"))
		require.Equal(t, want, serves(t, f.open(), "us/eng", mondayUnix), "without %04b", missing)
	}
}

func TestFindAsksTheWildcardsOfEachKey(t *testing.T) {
	f := newFixture(t)
	for _, key := range []string{"us/eng", "us/*", "*/eng", "ca/fra"} {
		f.key(key, key, f.always(key))
	}
	r := f.open()
	tests := map[string][]string{
		"us/eng": {"us/eng"},
		"us/fra": {"us/*"},
		"us/en":  {"us/*"},
		"ca/eng": {"*/eng"},
		"ca/fra": {"ca/fra"},
		"ca/fre": nil,
		"mx/spa": nil,
		// A wildcard asked for is a key like others.
		"us/*":  {"us/*"},
		"*/eng": {"*/eng"},
		"ca/*":  nil,
		"*/fra": nil,
		"*/*":   nil,
	}
	for key, want := range tests {
		require.Equal(t, want, serves(t, r, key, mondayUnix), key)
	}
	_, ok := r.Find(math.MaxUint32)
	require.False(t, ok)
}

func TestTheFirstEntryFoundAnswersAlone(t *testing.T) {
	f := newFixture(t)
	f.key("us/eng", "us/eng", f.schedule(Schedule{Clock: Day, Segments: []Segment{{0, f.cycle("exact")}, {720, f.cycle()}}}))
	f.key("us/*", "us/*", f.always("wildcard"))
	r := f.open()
	require.Equal(t, []string{"exact"}, serves(t, r, "us/eng", mondayUnix))
	require.Equal(t, []string{}, serves(t, r, "us/eng", mondayUnix+12*3600))
	require.Equal(t, []string{"wildcard"}, serves(t, r, "us/spa", mondayUnix+12*3600))
}

func TestAnAliasSharesTheCursorOfItsCanonicalKey(t *testing.T) {
	f := newFixture(t)
	same := f.always("a", "b")
	f.key("us/eng", "us/eng", same)
	f.key("us/en", "us/eng", same)
	f.key("ca/eng", "ca/eng", same)
	f.key("fr/fre", "fr/fra", f.always("c")) // the canonical key itself may be absent
	f.key("*/*", "*/*", same)
	r := f.open()

	cursor := func(key string) uint32 {
		e, ok := r.Find(mustKey(t, key))
		require.True(t, ok)
		return e.Cursor()
	}
	require.Equal(t, cursor("us/eng"), cursor("us/en"))
	require.NotEqual(t, cursor("us/eng"), cursor("ca/eng"), "keys with equal schedules keep cursors of their own")
	require.Equal(t, cursor("mx/spa"), cursor("jp/jpn"), "what a wildcard answers shares its cursor")

	require.Equal(t, 4, r.Cursors())
	var keys []string
	for n := range r.Cursors() {
		keys = append(keys, r.CursorKey(uint32(n)).String())
	}
	require.Equal(t, []string{"*/*", "ca/eng", "fr/fra", "us/eng"}, keys)
	require.Equal(t, "us/eng", r.CursorKey(cursor("us/en")).String())
	require.Equal(t, "fr/fra", r.CursorKey(cursor("fr/fre")).String())
}

func TestKeysAreInOrder(t *testing.T) {
	r, err := Open(smallIndex(t))
	require.NoError(t, err)
	var keys []string
	for k, e := range entries(r) {
		found, ok := r.Find(k)
		require.True(t, ok)
		require.Equal(t, found, e)
		keys = append(keys, k.String())
	}
	require.Equal(t, []string{"*/*", "*/eng", "us/*", "us/en", "us/eng"}, keys)
}

func TestReaderToleratesNumbersOfAnotherIndex(t *testing.T) {
	r, err := Open(smallIndex(t))
	require.NoError(t, err)
	require.Equal(t, 3, r.Ads())
	require.Nil(t, r.Body(3))
	require.Nil(t, r.Body(math.MaxUint32))
	require.Zero(t, r.CycleAt(Entry{schedule: 4}, 0).Len())
	require.Zero(t, r.CycleAt(Entry{schedule: math.MaxUint32}, 0).Len())
}

func TestLookupsAliasTheIndexAndCannotGrowIntoIt(t *testing.T) {
	data := smallIndex(t)
	before := string(data)
	r, err := Open(data)
	require.NoError(t, err)
	body := r.Body(1)
	require.Equal(t, "bb", string(body))
	_ = append(body, 'x')
	require.Equal(t, before, string(data))
}

func TestLookupsAllocateNothing(t *testing.T) {
	r, err := Open(smallIndex(t))
	require.NoError(t, err)
	country, lang := []byte("us"), []byte("en")
	for _, at := range []int64{mondayUnix, mondayUnix + 3600, 0} {
		served := 0
		require.Zero(t, testing.AllocsPerRun(100, func() {
			k, _ := MakeKey(string(country), string(lang))
			e, _ := r.Find(k)
			c := r.CycleAt(e, at)
			served += len(r.Body(c.Ad(0)))
		}))
		require.NotZero(t, served)
	}
}

func TestCheckBodiesStopsAtTheFirstFault(t *testing.T) {
	f := newFixture(t)
	for _, body := range []string{"a", "", "ccc", "d"} {
		f.AddAd([]byte(body))
	}
	r := f.open()
	var seen []string
	collect := func(body []byte) error {
		require.Equal(t, len(body), cap(body))
		seen = append(seen, string(body))
		if len(body) == 3 {
			return errors.New("no body")
		}
		return nil
	}
	require.EqualError(t, r.CheckBodies(collect), "ad 2: no body")
	require.Equal(t, []string{"a", "", "ccc"}, seen)
	require.NoError(t, r.CheckBodies(func([]byte) error { return nil }))

	empty := newFixture(t).open()
	require.NoError(t, empty.CheckBodies(func([]byte) error { return errors.New("there is none") }))
}
