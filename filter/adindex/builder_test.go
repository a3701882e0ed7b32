package adindex

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnEmptyIndexIsReadable(t *testing.T) {
	data, err := NewBuilder().Build(-5)
	require.NoError(t, err)
	r, err := Open(data)
	require.NoError(t, err)
	require.Zero(t, r.Ads())
	require.Zero(t, r.Keys())
	require.Zero(t, r.Cursors())
	require.EqualValues(t, -5, r.SourceTime())
	require.Equal(t, len(data), r.Size())
	require.Nil(t, r.Body(0))
	_, ok := r.Find(mustKey(t, "us/eng"))
	require.False(t, ok)
	_, ok = r.Find(0)
	require.False(t, ok)
	require.Zero(t, r.CycleAt(Entry{}, 0).Len())
	walk(t, r)
}

// The bytes of a small index, field by field: what FORMAT.md says, not what the code says.
func TestBuildWritesWhatTheFormatSays(t *testing.T) {
	f := newFixture(t)
	c := f.cycle("abcde", "f", "abcde")
	week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, c}}})
	s := f.schedule(Schedule{Clock: Absolute, Base: -2, Minutes: 9, After: week, Segments: []Segment{{0, f.cycle()}, {7, c}}})
	f.key("us/en", "us/eng", s)
	data, err := f.Build(0x0102030405060708)
	require.NoError(t, err)

	want := []byte{
		'A', 'D', 'I', 'X', 2, 0, 0, 0, 248, 0, 0, 0, // magic, format, length
		0xe8, 0x38, 0x31, 0xe2, // CRC32C of all that follows
		8, 7, 6, 5, 4, 3, 2, 1, // source time
		104, 0, 0, 0, 3, 0, 0, 0, // ad offsets
		116, 0, 0, 0, 6, 0, 0, 0, // ad bodies
		124, 0, 0, 0, 3, 0, 0, 0, // cycle references
		136, 0, 0, 0, 3, 0, 0, 0, // cycles
		148, 0, 0, 0, 3, 0, 0, 0, // segments
		172, 0, 0, 0, 3, 0, 0, 0, // segment lists
		184, 0, 0, 0, 2, 0, 0, 0, // schedules
		232, 0, 0, 0, 1, 0, 0, 0, // keys
		236, 0, 0, 0, 1, 0, 0, 0, // key entries
		244, 0, 0, 0, 1, 0, 0, 0, // cursor keys
		0, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, // ads end at 5 and 6
		'a', 'b', 'c', 'd', 'e', 'f', 0, 0,
		0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, // the cycle 0 1 0
		0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, // and the empty one
		0, 0, 0, 0, 0, 0, 0, 0, // list 0: minute 0 cycle 0
		0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, // list 1: minute 0 cycle 1, minute 7 cycle 0
		0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0,
		2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // a week of list 0
		3, 0, 0, 0, 1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 9, 0, 0, 0, 0, 0, 0, 0,
		0xc0, 0x95, 0x59, 0x01, // us/en
		1, 0, 0, 0, 0, 0, 0, 0, // schedule 1, cursor 0
		0xc7, 0x95, 0x59, 0x01, // us/eng
	}
	require.Equal(t, want, data)
}

func TestBuildIsDeterministic(t *testing.T) {
	build := func(keys ...string) []byte {
		f := newFixture(t)
		s := f.always("a", "b")
		for _, key := range keys {
			f.key(key, key, s)
		}
		data := f.build()
		require.Equal(t, data, f.build(), "building twice")
		return data
	}
	data := build("us/eng", "ca/fra", "us/*", "*/*")
	require.Equal(t, data, build("us/eng", "ca/fra", "us/*", "*/*"))
	require.Equal(t, data, build("*/*", "us/*", "us/eng", "ca/fra"), "the order of keys does not matter")
	require.NotEqual(t, data, build("us/eng", "ca/fra", "us/*"))
}

func TestBodiesMayBeAddedInAnyPortions(t *testing.T) {
	bodies := make([][]byte, 5000)
	for i := range bodies {
		bodies[i] = bytes.Repeat([]byte{byte(i)}, i%1000) // several blocks; the first is empty
	}
	one, many := NewBuilder(), NewBuilder()
	many.ExpectAds(len(bodies))
	turns := make([]AdRef, len(bodies))
	for i := range turns {
		turns[i] = AdRef(i)
	}
	_, err := many.AddCycle(turns)
	require.NoError(t, err, "ads that are expected may be named")
	for i, body := range bodies {
		require.EqualValues(t, i, one.AddAd(body))
	}
	_, err = one.AddCycle(turns)
	require.NoError(t, err)
	for at, portion := 0, 0; at < len(bodies); portion++ {
		if portion%3 == 0 {
			require.EqualValues(t, at, many.AddAd(bodies[at]))
			at++
			continue
		}
		var joined []byte
		var ends []uint32
		for _, body := range bodies[at:min(at+portion, len(bodies))] {
			joined = append(joined, body...)
			ends = append(ends, uint32(len(joined)))
		}
		first, err := many.AddAds(joined, ends)
		require.NoError(t, err)
		require.EqualValues(t, at, first)
		at += len(ends)
	}
	want, err := one.Build(1)
	require.NoError(t, err)
	got, err := many.Build(1)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	r, err := Open(got)
	require.NoError(t, err)
	for i, body := range bodies {
		require.True(t, bytes.Equal(body, r.Body(AdRef(i))))
	}
}

func TestBodiesThatWereHandedOverAreNotWrittenTo(t *testing.T) {
	b := NewBuilder()
	room := []byte("abcdef")
	_, err := b.AddAds(room[:3], []uint32{3})
	require.NoError(t, err)
	b.AddAd([]byte("x"))
	require.Equal(t, "abcdef", string(room))
}

func TestTheBuilderRefusesBodiesThatDoNotAddUp(t *testing.T) {
	f := newFixture(t)
	f.AddAd([]byte("a"))
	for name, tc := range map[string]struct {
		ends []uint32
		want string
	}{
		"ends that descend":    {[]uint32{2, 1, 3}, "body 1 ends at 1, before the one before it at 2"},
		"bytes behind the end": {[]uint32{1, 2}, "bodies end at 2 of 3 bytes"},
		"an end behind them":   {[]uint32{1, 4}, "bodies end at 4 of 3 bytes"},
		"bytes and no ends":    {nil, "bodies end at 0 of 3 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.AddAds([]byte("abc"), tc.ends)
			require.EqualError(t, err, tc.want)
		})
	}
	require.Equal(t, 1, f.open().Ads(), "what was refused left nothing behind")

	f.ExpectAds(3)
	_, err := f.AddCycle([]AdRef{3})
	require.EqualError(t, err, "turn 0 of the cycle: ad 3 of 3")
	_, err = f.Build(0)
	require.EqualError(t, err, "1 ads of 3 that are expected")
	_, err = f.AddAds([]byte("abc"), []uint32{1, 3})
	require.NoError(t, err)
	require.Equal(t, 3, f.open().Ads())
}

func TestPiecesAreTheIndex(t *testing.T) {
	f := newFixture(t)
	f.key("us/eng", "us/eng", f.always("a", "bb"))
	p, err := f.Pieces(mondayUnix)
	require.NoError(t, err)
	data := p.Bytes()
	require.Equal(t, f.build(), data)
	require.Equal(t, len(data), p.Size())
	require.Equal(t, Version(data), p.Version())
	clear(data)
	require.Equal(t, f.build(), p.Bytes(), "the bytes are a copy")
}

func TestABuilderGoesOnAfterBuild(t *testing.T) {
	f := newFixture(t)
	f.key("us/eng", "us/eng", f.always("a"))
	before := bytes.Clone(f.build())
	f.key("ca/eng", "ca/eng", f.always("b"))
	r := f.open()
	require.Equal(t, []string{"a"}, serves(t, r, "us/eng", 0))
	require.Equal(t, []string{"b"}, serves(t, r, "ca/eng", 0))
	old, err := Open(before)
	require.NoError(t, err)
	require.Equal(t, 1, old.Keys())
}

func TestEqualPartsAreStoredOnce(t *testing.T) {
	f := newFixture(t)
	ab, none := f.cycle("a", "b"), f.cycle()
	require.Equal(t, ab, f.cycle("a", "b"))
	require.NotEqual(t, ab, f.cycle("b", "a"))
	require.NotEqual(t, ab, f.cycle("a"))
	require.Equal(t, none, f.cycle())

	segments := []Segment{{0, f.cycle("a")}, {60, f.cycle()}}
	day := f.schedule(Schedule{Clock: Day, Segments: segments})
	week := f.schedule(Schedule{Clock: Week, Segments: segments})
	absolute := f.schedule(Schedule{Clock: Absolute, Minutes: 100, After: week, Segments: segments})
	require.Len(t, map[ScheduleRef]bool{day: true, week: true, absolute: true}, 3)
	require.Equal(t, day, f.schedule(Schedule{Clock: Day, Segments: segments}))
	require.Equal(t, absolute, f.schedule(Schedule{Clock: Absolute, Minutes: 100, After: week, Segments: segments}))
	require.NotEqual(t, absolute, f.schedule(Schedule{Clock: Absolute, Minutes: 101, After: week, Segments: segments}))
	require.NotEqual(t, absolute, f.schedule(Schedule{Clock: Absolute, Base: 1, Minutes: 100, After: week, Segments: segments}))
	require.NotEqual(t, day, f.always("a"))

	r := f.open()
	require.Equal(t, 4, r.cycles())
	require.Equal(t, 2, r.lists(), "schedules share the list of segments")
	require.Len(t, r.section[secSchedules], 6*scheduleSize)
}

// Lists whose hashes collide must still be told apart.
func TestAListSetComparesBytesAndNotHashesAlone(t *testing.T) {
	s := newListSet()
	const sameHash = 62 // near the end of the first table
	list := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	for n := range 1000 {
		require.EqualValues(t, n, s.addHashed(list(n), sameHash))
	}
	for n := range 1000 {
		require.EqualValues(t, n, s.addHashed(list(n), sameHash))
	}
	require.EqualValues(t, 1000, s.len())
}

func TestTheBuilderRefusesWhatIsNotThere(t *testing.T) {
	f := newFixture(t)
	c := f.cycle("a")
	week := f.schedule(Schedule{Clock: Week, Segments: []Segment{{0, c}}})
	day := f.schedule(Schedule{Clock: Day, Segments: []Segment{{0, c}}})
	us := mustKey(t, "us/eng")
	f.key("us/eng", "us/eng", day)

	cycle := func(ads ...AdRef) error { _, err := f.AddCycle(ads); return err }
	schedule := func(s Schedule) error { _, err := f.AddSchedule(s); return err }
	tests := map[string]struct {
		err  error
		want string
	}{
		"an ad not added":                     {cycle(0, 1), "turn 1 of the cycle: ad 1 of 1"},
		"the highest ad":                      {cycle(math.MaxUint32), "turn 0 of the cycle: ad 4294967295 of 1"},
		"no segments":                         {schedule(Schedule{Clock: Day}), "segments do not start at minute 0"},
		"a gap at the start":                  {schedule(Schedule{Clock: Day, Segments: []Segment{{1, c}}}), "segments do not start at minute 0"},
		"equal starts":                        {schedule(Schedule{Clock: Day, Segments: []Segment{{0, c}, {5, c}, {5, c}}}), "segment 2 starts at 5, not after 5"},
		"descending starts":                   {schedule(Schedule{Clock: Day, Segments: []Segment{{0, c}, {5, c}, {4, c}}}), "segment 2 starts at 4, not after 5"},
		"a start at the end of the day":       {schedule(Schedule{Clock: Day, Segments: []Segment{{0, c}, {1440, c}}}), "segment 1 starts at 1440, the clock ends at 1440"},
		"a start at the end of the week":      {schedule(Schedule{Clock: Week, Segments: []Segment{{0, c}, {10080, c}}}), "segment 1 starts at 10080, the clock ends at 10080"},
		"a start at the end of the horizon":   {schedule(Schedule{Clock: Absolute, Minutes: 7, After: week, Segments: []Segment{{0, c}, {7, c}}}), "segment 1 starts at 7, the clock ends at 7"},
		"a cycle not added":                   {schedule(Schedule{Clock: Day, Segments: []Segment{{0, c + 1}}}), "segment 0: cycle 1 of 1"},
		"no clock":                            {schedule(Schedule{Segments: []Segment{{0, c}}}), "unknown clock 0"},
		"an unknown clock":                    {schedule(Schedule{Clock: 4, Segments: []Segment{{0, c}}}), "unknown clock 4"},
		"a base on a day":                     {schedule(Schedule{Clock: Day, Base: 1, Segments: []Segment{{0, c}}}), "base, minutes and after are for the absolute clock alone"},
		"a horizon on a week":                 {schedule(Schedule{Clock: Week, Minutes: 1, Segments: []Segment{{0, c}}}), "base, minutes and after are for the absolute clock alone"},
		"an after on a week":                  {schedule(Schedule{Clock: Week, After: day, Segments: []Segment{{0, c}}}), "base, minutes and after are for the absolute clock alone"},
		"an empty horizon":                    {schedule(Schedule{Clock: Absolute, After: week, Segments: []Segment{{0, c}}}), "an absolute schedule needs a horizon of at least one minute"},
		"an after not added":                  {schedule(Schedule{Clock: Absolute, Minutes: 1, After: 2, Segments: []Segment{{0, c}}}), "after the horizon: schedule 2 of 2"},
		"an after that is no week":            {schedule(Schedule{Clock: Absolute, Minutes: 1, After: day, Segments: []Segment{{0, c}}}), "after the horizon: schedule 1 has clock 1, want a week"},
		"a key twice":                         {f.AddKey(us, us, week), "key us/eng has been added already"},
		"a schedule not added":                {f.AddKey(us+1, us, 2), "key us/enh: schedule 2 of 2"},
		"a number that is no key":             {f.AddKey(1, us, day), "key 0x1 with canonical key 0x15995c7: not a pair of country and language"},
		"a number that is no canonical key":   {f.AddKey(us+1, math.MaxUint32, day), "key 0x15995c8 with canonical key 0xffffffff: not a pair of country and language"},
		"a schedule is nothing like a number": {f.AddKey(us+1, us, math.MaxUint32), "key us/enh: schedule 4294967295 of 2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, tc.err, tc.want)
		})
	}
	require.Equal(t, 1, f.open().Keys(), "what was refused left nothing behind")
}

func TestTheBuilderRefusesWhatTheFormatCannotHold(t *testing.T) {
	_, err := newLayout([sectionCount]uint64{secBodies: math.MaxUint32 - headerSize - 3})
	require.NoError(t, err)
	_, err = newLayout([sectionCount]uint64{secBodies: math.MaxUint32 - headerSize})
	require.EqualError(t, err, "index of 4294967296 bytes, the format holds at most 4294967295")
	_, err = newLayout([sectionCount]uint64{secSchedules: math.MaxUint32})
	require.EqualError(t, err, "index of 103079215184 bytes, the format holds at most 4294967295")
	_, err = newLayout([sectionCount]uint64{secRefs: 1 << 62})
	require.EqualError(t, err, "4611686018427387904 cycle references, the format holds at most 4294967295")
}

func TestVersionIsTheHashOfTheContentAlone(t *testing.T) {
	f := newFixture(t)
	f.key("us/eng", "us/eng", f.always("a"))
	early, err := f.Build(1)
	require.NoError(t, err)
	late, err := f.Build(2)
	require.NoError(t, err)
	require.NotEqual(t, early, late)
	require.Regexp(t, `^[0-9a-f]{32}$`, Version(early))
	require.Equal(t, Version(early), Version(late))

	for i := range early {
		changed := bytes.Clone(early)
		changed[i]++
		outside := i >= offChecksum && i < offTable
		require.Equal(t, outside, Version(changed) == Version(early), "byte %d", i)
	}
	require.Empty(t, Version(early[:headerSize-1]))
	require.Empty(t, Version(nil))
}

// Other bytes for the same calls, within one format, are pushed to every Envoy once more when the control plane is updated.
func TestTheVersionOfAnIndexStays(t *testing.T) {
	require.Equal(t, "53e3628522d7c1da1fe4131984f874ff", Version(smallIndex(t)))
}
