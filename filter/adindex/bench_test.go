package adindex

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// fullIndex builds an index of that many ads over that many keys, as plain campaigns give it: each key has its own ads, and a
// day that changes twice.
func fullIndex(tb testing.TB, ads, keys int) []byte {
	tb.Helper()
	b := NewBuilder()
	for key := range keys {
		var cycle []AdRef
		for n := key; n < ads; n += keys {
			cycle = append(cycle, b.AddAd(fmt.Appendf(nil, `{"id":"ad-%07d","url":"https://cdn.example.com/%07d.mp4"}`, n, n)))
		}
		night, err := b.AddCycle(cycle[:len(cycle)/2])
		require.NoError(tb, err)
		day, err := b.AddCycle(cycle)
		require.NoError(tb, err)
		s, err := b.AddSchedule(Schedule{Clock: Day, Segments: []Segment{{0, night}, {360, day}, {1320, night}}})
		require.NoError(tb, err)
		k := nthKey(tb, key)
		require.NoError(tb, b.AddKey(k, k, s))
	}
	data, err := b.Build(1_700_000_000)
	require.NoError(tb, err)
	return data
}

// nthKey returns a key of its own for each n below 26⁴.
func nthKey(tb testing.TB, n int) Key {
	tb.Helper()
	letter := func(i int) byte { return 'a' + byte(i%26) }
	k, ok := MakeKey(string([]byte{letter(n), letter(n / 26)}), string([]byte{letter(n / 676), letter(n / 17576), 'x'}))
	require.True(tb, ok)
	return k
}

func BenchmarkFind(b *testing.B) {
	for _, size := range []struct{ ads, keys int }{{100, 13}, {1_000_000, 20_000}} {
		r, err := Open(fullIndex(b, size.ads, size.keys))
		require.NoError(b, err)
		keys := make([]Key, 0, r.Keys())
		for k := range entries(r) {
			keys = append(keys, k)
		}
		b.Run(fmt.Sprintf("found/ads=%d/keys=%d", size.ads, size.keys), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				e, _ := r.Find(keys[n*7919%len(keys)])
				c := r.CycleAt(e, int64(n)*60)
				r.Body(c.Ad(n % c.Len()))
			}
		})
		absent, ok := MakeKey("zz", "zzz")
		require.True(b, ok)
		b.Run(fmt.Sprintf("absent/ads=%d/keys=%d", size.ads, size.keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Find(absent)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []struct{ ads, keys int }{{100, 13}, {100_000, 2_000}, {1_000_000, 20_000}} {
		data := fullIndex(b, size.ads, size.keys)
		name := fmt.Sprintf("ads=%d/bytes=%d", size.ads, len(data))
		b.Run("whole/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := Open(data)
				require.NoError(b, err)
			}
		})
		b.Run("checksum/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				checksum(data)
			}
		})
	}
}

func BenchmarkVersion(b *testing.B) {
	data := fullIndex(b, 100_000, 2_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Version(data)
	}
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		fullIndex(b, 100_000, 2_000)
	}
}

func TestAnIndexOfManyAdsOpens(t *testing.T) {
	data := fullIndex(t, 50_000, 1_000)
	r, err := Open(data)
	require.NoError(t, err)
	require.Equal(t, 50_000, r.Ads())
	require.Equal(t, 1_000, r.Keys())
	require.Equal(t, 1_000, r.Cursors())
	require.Equal(t, len(data), r.Size())
	require.True(t, bytes.Equal(data, fullIndex(t, 50_000, 1_000)))
}
