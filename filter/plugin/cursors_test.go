package plugin

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/filter/adindex"
)

func TestCursorsAreCarriedByKey(t *testing.T) {
	open := func(t *rapid.T, keys []string) *adindex.Reader {
		b := adindex.NewBuilder()
		cycle, err := b.AddCycle([]adindex.AdRef{b.AddAd(nil)})
		require.NoError(t, err)
		s, err := b.AddSchedule(adindex.Schedule{Clock: adindex.Day, Segments: []adindex.Segment{{Cycle: cycle}}})
		require.NoError(t, err)
		for _, name := range keys {
			key, ok := adindex.MakeKey(name, "eng")
			require.True(t, ok)
			require.NoError(t, b.AddKey(key, key, s))
		}
		data, err := b.Build(0)
		require.NoError(t, err)
		index, err := adindex.Open(data)
		require.NoError(t, err)
		return index
	}
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.StringMatching("[ab][a-e]"), rapid.ID[string])
		drawn, expected := uint32(0), uint32(0)
		fresh := func() uint32 { drawn++; return drawn }

		var c *cursors
		model := map[adindex.Key]uint32{}
		for range 3 {
			index := open(t, keys.Draw(t, "keys"))
			before := c
			var was []uint32
			if before != nil {
				was = append(was, before.next...)
			}
			c = c.carry(index, fresh)
			require.Len(t, c.next, index.Cursors())
			next := map[adindex.Key]uint32{}
			for n := range index.Cursors() {
				key := index.CursorKey(uint32(n))
				want, known := model[key]
				if !known {
					expected++
					want = expected
				}
				require.Equal(t, want, c.next[n])
				next[key] = want
			}
			if before != nil {
				require.Equal(t, was, append([]uint32(nil), before.next...))
			}
			model = next
			require.Equal(t, expected, drawn)
		}
	})
}

func TestEachKeyOfEachVMStartsAnywhere(t *testing.T) {
	starts := map[string]int{}
	for range 300 {
		w := New(nil)
		index, err := adindex.Open(buildIndex(t, entry{"us/eng", nil, allDay("A", "B", "C")}, entry{"us/spa", nil, allDay("A", "B", "C")}))
		require.NoError(t, err)
		c := w.cursors.carry(index, w.random)
		starts[string(rune('0'+c.peek(0, 3)))+string(rune('0'+c.peek(1, 3)))]++
	}
	// Nine pairs, about 33 times each: none is missing but once in 10^14 runs.
	require.Len(t, starts, 9)
}

func TestAPositionIsTakenModTheLengthAndStaysBelowIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &cursors{next: []uint32{0, rapid.Uint32().Draw(t, "start"), 0}}
		at := uint64(c.next[1])
		for range 20 {
			length := rapid.IntRange(1, 70_000).Draw(t, "length")
			at %= uint64(length)
			require.EqualValues(t, at, c.peek(1, length))
			require.EqualValues(t, at, c.take(1, length))
			at = (at + 1) % uint64(length)
			require.EqualValues(t, at, c.next[1])
		}
		require.Equal(t, []uint32{0, 0}, []uint32{c.next[0], c.next[2]})
	})
}
