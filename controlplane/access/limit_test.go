package access

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestLimiterOfEachAddress(t *testing.T) {
	l := &limiter{each: map[netip.Prefix]bucket{}}
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for range failuresEach {
		require.Zero(t, l.take(a, start0))
	}
	require.Equal(t, 6*time.Second, l.take(a, start0))
	require.Equal(t, time.Nanosecond, l.take(a, start0.Add(6*time.Second-1)))
	require.Zero(t, l.take(b, start0), "another address is another matter")
	require.Positive(t, l.take(netip.MustParseAddr("::ffff:10.0.0.1"), start0), "the same in IPv6's form")
	require.Zero(t, l.take(a, start0.Add(6*time.Second)))
	require.Positive(t, l.take(a, start0.Add(6*time.Second)))
	l.forgive(a)
	require.Zero(t, l.take(a, start0.Add(6*time.Second)))

	for i := range failuresEach {
		require.Zero(t, l.take(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}), start0))
	}
	require.Positive(t, l.take(netip.MustParseAddr("2001::ffff"), start0), "an IPv6 network is one client")
	require.Zero(t, l.take(netip.MustParseAddr("2001:0:0:1::"), start0))
}

// TestLimiterBoundsTheTotalAndItsMemory: of a hundred thousand addresses.
func TestLimiterBoundsTheTotalAndItsMemory(t *testing.T) {
	l := &limiter{each: map[netip.Prefix]bucket{}}
	now, taken := start0, 0
	for i := range uint32(100_000) {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], i)
		if l.take(netip.AddrFrom4(raw), now) == 0 {
			taken++
		}
		now = now.Add(10 * time.Millisecond)
		require.LessOrEqual(t, len(l.each), sweepAt)
	}
	minutes := 100_000 / 100 / 60
	require.InDelta(t, failuresTotal*(minutes+1), taken, failuresTotal)
}

// TestLimiterModel: whoever asks how often, in each minute at most so many pass as the bucket holds and gets back, a wait is kept to,
// and it is told no longer than needed.
func TestLimiterModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &limiter{each: map[netip.Prefix]bucket{}}
		now := start0
		failed := map[netip.Addr][]time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(8*time.Second)).Draw(t, "pause")))
			client := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 3).Draw(t, "client"))})
			if wait := l.take(client, now); wait > 0 {
				if l.take(client, now.Add(wait-1)) == 0 {
					t.Fatalf("it was told to wait %s, and 1 ns less was enough", wait)
				}
				now = now.Add(wait)
				if l.take(client, now) > 0 {
					t.Fatalf("it waited %s as told, and was refused", wait)
				}
			}
			if rapid.Bool().Draw(t, "right") {
				l.forgive(client)
				continue
			}
			failed[client] = append(failed[client], now)
			recent := 0
			for _, at := range failed[client] {
				if at.After(now.Add(-failuresPer)) {
					recent++
				}
			}
			if recent > 2*failuresEach {
				t.Fatalf("%d failures in a minute", recent)
			}
		}
	})
}
