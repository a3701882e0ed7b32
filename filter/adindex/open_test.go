package adindex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenGivesBackWhatWasBuilt(t *testing.T) {
	data := smallIndex(t)
	r, err := Open(data)
	require.NoError(t, err)
	require.Equal(t, 3, r.Ads())
	require.Equal(t, 5, r.Keys())
	require.Equal(t, 4, r.Cursors())
	require.Equal(t, mondayUnix, r.SourceTime())
	require.Equal(t, len(data), r.Size())
	for key, want := range map[string][]string{
		"us/eng": {"a"},
		"us/en":  {"a"},
		"us/fra": {"a", "bb", "a"},
		"ca/eng": {},
		"ca/fra": {"ccc"},
	} {
		require.Equal(t, want, serves(t, r, key, mondayUnix), key)
	}
	require.Equal(t, []string{"a", "bb", "a"}, serves(t, r, "ca/eng", mondayUnix+5*60))
	walk(t, r)
}

func TestOpenAllocatesTheReaderAlone(t *testing.T) {
	for _, data := range [][]byte{smallIndex(t), fullIndex(t, 10_000, 500)} {
		require.InDelta(t, 1, testing.AllocsPerRun(20, func() {
			_, _ = Open(data) // both open: the tests above and the next line
		}), 0)
		_, err := Open(data)
		require.NoError(t, err)
	}
}

func TestOpenRefusesEveryTruncationAndExtension(t *testing.T) {
	data := smallIndex(t)
	for n := range data {
		_, err := Open(data[:n])
		require.Error(t, err, "%d bytes", n)

		// With a header that agrees, the sections still do not.
		_, err = Open(repair(bytes.Clone(data[:n])))
		require.Error(t, err, "%d bytes with a repaired header", n)
	}
	for n := 1; n < 9; n++ {
		longer := append(bytes.Clone(data), make([]byte, n)...)
		_, err := Open(longer)
		require.EqualError(t, err, fmt.Sprintf("length %d, the header says %d", len(longer), len(data)))
		_, err = Open(repair(longer))
		require.EqualError(t, err, fmt.Sprintf("%d bytes after the last section", n))
	}
}

func TestOpenRefusesEveryCorruptByte(t *testing.T) {
	data := smallIndex(t)
	for i := range data {
		for x := 1; x < 256; x++ {
			corrupt := bytes.Clone(data)
			corrupt[i] ^= byte(x)
			_, err := Open(corrupt)
			require.Error(t, err, "byte %d", i)
		}
	}
}

// The checksum can be computed by anyone, so what it lets through must be harmless.
func TestACorruptByteUnderAGoodChecksumIsRefusedOrHarmless(t *testing.T) {
	data := smallIndex(t)
	accepted := map[int]int{}
	for i := offSource; i < len(data); i++ {
		for x := 1; x < 256; x++ {
			corrupt := bytes.Clone(data)
			corrupt[i] ^= byte(x)
			r, err := Open(repair(corrupt))
			if err == nil {
				walk(t, r)
				accepted[i]++
			}
		}
	}
	require.NotEmpty(t, accepted)
	original, err := Open(data)
	require.NoError(t, err)
	inside := func(i, section int) bool {
		start := int(binary.LittleEndian.Uint32(data[offTable+section*8:]))
		return i >= start && i < start+len(original.section[section])
	}
	for i := offSource; i < len(data); i++ {
		switch {
		case i < offTable || inside(i, secBodies):
			require.Equal(t, 255, accepted[i], "byte %d has no invariant", i)
		case i < headerSize:
			require.Zero(t, accepted[i], "byte %d of the section table", i)
		}
	}
}

func TestOnlyTheSourceTimeFollowsItsBytes(t *testing.T) {
	data := smallIndex(t)
	corrupt := bytes.Clone(data)
	corrupt[offSource]++
	r, err := Open(repair(corrupt))
	require.NoError(t, err)
	require.Equal(t, mondayUnix+1, r.SourceTime())
	require.Equal(t, Version(data), Version(corrupt))
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	put := func(at func(place) int, v uint32) func([]byte) []byte {
		return func(data []byte) []byte {
			binary.LittleEndian.PutUint32(data[at(place{data}):], v)
			return repair(data)
		}
	}
	// raw changes the header's own fields, which repair would set right.
	raw := func(at int, b ...byte) func([]byte) []byte {
		return func(data []byte) []byte { copy(data[at:], b); return data }
	}
	elem := func(section, i int) func(place) int {
		return func(p place) int { return p.offset(section) + i*wordSize }
	}
	offset := func(section int) func(place) int { return func(place) int { return offTable + section*8 } }
	count := func(section int) func(place) int { return func(place) int { return offTable + section*8 + 4 } }

	tests := map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"no bytes":               {func([]byte) []byte { return nil }, "length 0, an index has at least 104"},
		"seven bytes":            {func(b []byte) []byte { return b[:7] }, "length 7, an index has at least 104"},
		"a header cut short":     {func(b []byte) []byte { return b[:103] }, "length 103, an index has at least 104"},
		"something else":         {func([]byte) []byte { return []byte(`{"ads":[]}`) }, `magic "{\"ad", an index begins with "ADIX"`},
		"the next format":        {raw(offFormat, 3), "format 3, this filter reads 2"},
		"the next, and short":    {func(b []byte) []byte { b[offFormat] = 3; return b[:8] }, "format 3, this filter reads 2"},
		"a format far away":      {raw(offFormat, 0xff, 0xff, 0xff, 0xff), "format 4294967295, this filter reads 2"},
		"another length":         {raw(offLength, 0, 0, 0, 0), "length 416, the header says 0"},
		"another checksum":       {raw(offChecksum, 1, 0, 0, 0), "checksum 9639b36d, the header says 00000001"},
		"a section too early":    {put(offset(secAdEnds), 100), "ad offsets at 100, want 104"},
		"a section too late":     {put(offset(secRefs), 136), "cycle references at 136, want 128"},
		"a section off its grid": {put(offset(secRefs), 126), "cycle references at 126, want 128"},
		"too many ads":           {put(count(secAdEnds), 1000), "ad offsets end at 4104, the index at 416"},
		"a count that wraps u32": {put(count(secSchedules), 0xffffffff), "schedules end at 103079215324, the index at 416"},
		"one cursor less":        {put(count(secCursors), 3), "4 bytes after the last section"},
		"no ad offsets": {func([]byte) []byte {
			var l layout
			for i := range sectionCount {
				l.offset[i] = headerSize
			}
			l.length = headerSize
			return repair(header(l, 0))
		}, "ad offsets are empty, want at least one"},
		"padding":                             {put(func(p place) int { return p.offset(secBodies) + 4 }, 0x07000000), "ad bodies are padded with 0x7, want 0"},
		"ads that begin late":                 {put(elem(secAdEnds, 0), 1), "ad offsets begin with 1, want 0"},
		"ads that descend":                    {put(elem(secAdEnds, 1), 4), "ad offsets: 3 after 4"},
		"ads that end early":                  {put(elem(secAdEnds, 3), 5), "ad offsets end with 5, want 6"},
		"ads that end late":                   {put(elem(secAdEnds, 3), 7), "ad offsets end with 7, want 6"},
		"a turn without an ad":                {put(elem(secRefs, 0), 3), "cycle references: ad 3 of 3"},
		"cycles that begin late":              {put(elem(secCycles, 0), 1), "cycles begin with 1, want 0"},
		"cycles that descend":                 {put(elem(secCycles, 1), 2), "cycles: 1 after 2"},
		"cycles that end late":                {put(elem(secCycles, 4), 6), "cycles end with 6, want 5"},
		"a segment list without segments":     {put(elem(secLists, 1), 0), "segment lists: 0 after 0"},
		"segment lists that end early":        {put(elem(secLists, 4), 6), "segment lists: 6 after 6"},
		"segment lists that end late":         {put(elem(secLists, 4), 8), "segment lists end with 8, want 7"},
		"a list that begins late":             {put(elem(secSegments, 4), 1), "segment list 1 begins at minute 1, want 0"},
		"equal minutes":                       {put(elem(secSegments, 2), 0), "segment list 0: minute 0 after 0"},
		"a segment without a cycle":           {put(elem(secSegments, 3), 4), "segment list 0: cycle 4 of 4"},
		"a segment past the day":              {put(elem(secSegments, 2), 1440), "schedule 0: a segment at minute 1440, its clock ends at 1440"},
		"a segment past the week":             {put(elem(secSegments, 6), 10080), "schedule 1: a segment at minute 10080, its clock ends at 10080"},
		"a segment past the horizon":          {put(elem(secSegments, 10), 10), "schedule 2: a segment at minute 10, its clock ends at 10"},
		"a horizon of no minutes":             {put(elem(secSchedules, 2*6+4), 0), "schedule 2: a segment at minute 5, its clock ends at 0"},
		"clock 0":                             {put(elem(secSchedules, 0), 0), "schedule 0: unknown clock 0"},
		"clock 4":                             {put(elem(secSchedules, 0), 4), "schedule 0: unknown clock 4"},
		"a clock that is the day in a byte":   {put(elem(secSchedules, 0), 0x101), "schedule 0: unknown clock 257"},
		"a schedule without a segment list":   {put(elem(secSchedules, 1), 4), "schedule 0: segment list 4 of 4"},
		"a day with a base":                   {put(elem(secSchedules, 3), 1), "schedule 0: a horizon without the absolute clock"},
		"a day with a horizon":                {put(elem(secSchedules, 4), 1), "schedule 0: a horizon without the absolute clock"},
		"a week with an after":                {put(elem(secSchedules, 6+5), 1), "schedule 1: a horizon without the absolute clock"},
		"nothing after the horizon":           {put(elem(secSchedules, 2*6+5), 4), "schedule 2: schedule 4 of 4 after its horizon"},
		"a day after the horizon":             {put(elem(secSchedules, 2*6+5), 0), "schedule 2: schedule 0 after its horizon is not a week"},
		"a horizon after the horizon":         {put(elem(secSchedules, 2*6+5), 2), "schedule 2: schedule 2 after its horizon is not a week"},
		"a key twice":                         {put(elem(secKeys, 1), 0), "keys: */* after */*"},
		"keys that descend":                   {put(elem(secKeys, 3), uint32(mustKey(t, "us/enh"))), "keys: us/eng after us/enh"},
		"a number that is no key":             {put(elem(secKeys, 0), 1), "keys: 0x1 is not a key"},
		"a key without an entry":              {func(b []byte) []byte { return dropEntry(b) }, "5 keys with 4 key entries"},
		"an entry without a schedule":         {put(elem(secEntries, 0), 4), "key entries: schedule 4 of 4"},
		"an entry without a cursor":           {put(elem(secEntries, 1), 4), "key entries: cursor 4 of 4"},
		"a cursor twice":                      {put(elem(secCursors, 1), 0), "cursor keys: */* after */*"},
		"a cursor of something that's no key": {put(elem(secCursors, 3), 1<<25), "cursor keys: 0x2000000 is not a key"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Open(tc.change(smallIndex(t)))
			require.EqualError(t, err, tc.want)
			require.Nil(t, r)
		})
	}
}

// place finds sections in an index by its table.
type place struct{ data []byte }

func (p place) offset(section int) int {
	return int(binary.LittleEndian.Uint32(p.data[offTable+section*8:]))
}

// dropEntry takes the last key entry out, and moves what follows it.
func dropEntry(data []byte) []byte {
	entries, cursors := offTable+secEntries*8, offTable+secCursors*8
	at := place{data}.offset(secCursors)
	data = append(data[:at-entrySize], data[at:]...)
	binary.LittleEndian.PutUint32(data[entries+4:], binary.LittleEndian.Uint32(data[entries+4:])-1)
	binary.LittleEndian.PutUint32(data[cursors:], uint32(at-entrySize))
	return repair(data)
}

func TestReopenChecksOnlyWhatCanBeSeenAtOnce(t *testing.T) {
	data := smallIndex(t)
	r, err := Reopen(data)
	require.NoError(t, err)
	opened, err := Open(data)
	require.NoError(t, err)
	require.Equal(t, opened, r)

	data[offChecksum] ^= 1
	_, err = Reopen(data)
	require.NoError(t, err)
	for name, cut := range map[string]int{"nothing": 0, "a header cut short": headerSize - 1, "a byte short": len(data) - 1} {
		_, err := Reopen(data[:cut])
		require.Error(t, err, name)
	}
	data[offTable]++
	_, err = Reopen(data)
	require.ErrorContains(t, err, "ad offsets at ")
}
