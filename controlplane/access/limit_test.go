package access

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fails tries and lets the failure stand; it reports how long it was told to wait instead.
func (l *limiter) fails(client, name string, now time.Time) time.Duration {
	_, wait := l.try(netip.MustParseAddr(client), name, now)
	return max(0, wait)
}

// fill fails until it is told to wait, and returns how often it failed.
func (l *limiter) fill(client, name string, now time.Time) (failed int) {
	for l.fails(client, name, now) == 0 {
		failed++
	}
	return failed
}

func TestFailuresOfANetwork(t *testing.T) {
	for name, tc := range map[string]struct {
		from, same, other string
	}{
		"an IPv4 address is one":                  {"10.0.0.1", "10.0.0.1", "10.0.0.2"},
		"and the same in IPv6's form":             {"10.0.0.1", "::ffff:10.0.0.1", "::ffff:10.0.0.2"},
		"an IPv6 /64 is one, as a subscriber has": {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1"},
		"a zone does not count":                   {"fe80::1%eth0", "fe80::2", "fe81::1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimiter()
			require.Equal(t, 10, l.fill(tc.from, "", start0))
			require.Equal(t, 6*time.Second, l.fails(tc.same, "", start0))
			require.Equal(t, time.Nanosecond, l.fails(tc.same, "", start0.Add(6*time.Second-1)))
			require.Zero(t, l.fails(tc.other, "", start0))
			require.Zero(t, l.fails(tc.same, "", start0.Add(6*time.Second)))
			require.Positive(t, l.fails(tc.from, "", start0.Add(6*time.Second)))
		})
	}
	t.Run("an address that is not known is one", func(t *testing.T) {
		l := newLimiter()
		for range 10 {
			_, wait := l.try(netip.Addr{}, "", start0)
			require.LessOrEqual(t, wait, time.Duration(0))
		}
		_, wait := l.try(netip.Addr{}, "", start0)
		require.Positive(t, wait)
	})
	t.Run("an IPv6 /48 has 65536 networks, and four networks' failures", func(t *testing.T) {
		l := newLimiter()
		failed := 0
		for i := range 1000 {
			failed += l.fill(fmt.Sprintf("2001:db8:1:%x::1", i), "", start0)
		}
		require.Equal(t, 40, failed)
		require.Zero(t, l.fails("2001:db8:2::1", "", start0))
	})
}

// TestOneStrangerLocksNobodyOut: neither here nor, from one network, in the user pool, which locks a user at the fifth wrong password in
// a row, and forgets them after 15 minutes without one.
func TestOneStrangerLocksNobodyOut(t *testing.T) {
	ipv4 := func(int) string { return "203.0.113.9" }
	site := func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i%65536) }
	both := func(i int) string { return []string{ipv4(i), site(i)}[i%2] }
	for name, tc := range map[string]struct {
		stranger func(i int) string
		each     time.Duration
		row      int // that the pool counts at most
	}{
		"an IPv4 address": {ipv4, 10 * time.Second, 4},
		"an IPv4 address that the pool forgets not": {ipv4, 15*time.Minute - time.Second, 4},
		"an IPv6 site":                           {site, 10 * time.Second, 4},
		"an IPv6 site that the pool forgets not": {site, 15*time.Minute - time.Second, 4},
		"both":                                   {both, 10 * time.Second, 14},
		"both, which the pool forgets not":       {both, 15*time.Minute/2 - time.Second, 14},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimiter()
			now, guessed := start0, []time.Time{}
			for i := range int(48 * time.Hour / tc.each) { // for two days, at the one name that it knows
				now = now.Add(tc.each)
				if l.fails(tc.stranger(i), "Alice", now) == 0 {
					guessed = append(guessed, now)
				}
				if i < 100 || i%601 == 0 {
					require.Zero(t, l.fails(fmt.Sprintf("198.51.%d.%d", i>>8&0xff, i&0xff), fmt.Sprint("bob", i), now), "an operator that mistypes")
					a, wait := l.try(netip.MustParseAddr("192.0.2.7"), "alice", now)
					require.LessOrEqual(t, wait, time.Duration(0), "and the one that is meant")
					a.forgive()
				}
			}
			row := 0
			for i, at := range guessed {
				if i > 0 && at.Sub(guessed[i-1]) >= 15*time.Minute {
					row = 0
				}
				row++
				require.LessOrEqual(t, row, tc.row)
			}
			require.GreaterOrEqual(t, len(guessed), 48*60/64, "or nothing was tried")
		})
	}
}

func TestManyStrangersStopNoFriend(t *testing.T) {
	l := newLimiter()
	home := netip.MustParseAddr("198.51.100.7")
	first, wait := l.try(home, "Alice", start0)
	require.LessOrEqual(t, wait, time.Duration(0))
	first.succeed(start0)

	guessed := 0
	for i := range 10_000 { // a botnet that knows the name, and one of it sits at home
		guessed += l.fill(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), "alice", start0)
	}
	require.Equal(t, 12, guessed, "the pool locks for 2^(12-5) seconds then")
	require.Equal(t, 10, l.fill("198.51.100.7", "", start0))
	require.Positive(t, l.fails("192.0.2.1", "alice", start0), "from elsewhere even Alice waits")
	for range 3 {
		again, wait := l.try(home, "alice", start0)
		require.LessOrEqual(t, wait, time.Duration(0))
		again.succeed(start0)
	}
	require.Zero(t, l.fails("192.0.2.1", "bob", start0), "other names do not")
	require.Equal(t, 10, l.fill("198.51.100.7", "alice", start0), "nor is a friend's network a way to guess on")
}

// TestTheWorldGuessesSlowly at the password of one user.
func TestTheWorldGuessesSlowly(t *testing.T) {
	l := newLimiter()
	guessed := 0
	for i := range 24 * 60 { // a botnet, each minute from another network
		guessed += l.fill(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), "alice", start0.Add(time.Duration(i)*time.Minute))
	}
	require.LessOrEqual(t, guessed, 12+90)
	require.Greater(t, guessed, 90)
}

func TestAllStrangersTogetherSpareTheUserPool(t *testing.T) {
	l := newLimiter()
	friend, _ := l.try(netip.MustParseAddr("198.51.100.7"), "alice", start0)
	friend.succeed(start0)
	asked := 0
	for i := range 2000 {
		if l.fails(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), fmt.Sprint("user", i), start0) == 0 {
			asked++
		}
	}
	require.Equal(t, 600, asked)
	require.Equal(t, 100*time.Millisecond, l.fails("192.0.2.1", "bob", start0))
	require.Zero(t, l.fails("198.51.100.7", "alice", start0), "a friend does not wait for them")
	require.Zero(t, l.fails("192.0.2.1", "", start0), "nor does a token, for which the pool is not asked")
}

func TestWhatIsForgiven(t *testing.T) {
	client := netip.MustParseAddr("10.0.0.1")
	for name, tc := range map[string]struct {
		end  func(attempt)
		most int // of a hundred tries
	}{
		"a wrong password is not":               {func(attempt) {}, 4},
		"what judged no password, but for load": {attempt.forgiveName, 10},
		"what was not the client's fault":       {attempt.forgive, 100},
		"a success":                             {func(a attempt) { a.succeed(start0) }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimiter()
			tried := 0
			for range 100 {
				a, wait := l.try(client, "alice", start0)
				if wait <= 0 {
					tried++
					tc.end(a)
				}
			}
			require.Equal(t, tc.most, tried)
		})
	}
}

// TestTheLimitsAreBounded: of half a million networks, and of friends.
func TestTheLimitsAreBounded(t *testing.T) {
	l := newLimiter()
	require.Equal(t, 4, l.fill("192.0.2.1", "alice", start0))
	now := start0
	for i := range uint32(500_000) {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], i)
		l.try(netip.AddrFrom4(raw), "", now)
		now = now.Add(10 * time.Microsecond)
		require.LessOrEqual(t, len(l.buckets), maxBuckets+5)
	}
	require.Positive(t, l.fails("192.0.2.1", "alice", now), "what is held most against somebody is forgotten last")

	l = newLimiter()
	for i := range 2 * maxFriends {
		a, _ := l.try(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), "alice", now)
		a.succeed(now)
		now = now.Add(time.Second)
	}
	require.Len(t, l.friends, maxFriends)
	require.Equal(t, 10, l.fill("10.0.7.207", "alice", now), "the last is one: byFriend")
	require.Equal(t, 4, l.fill("10.0.0.0", "alice", now), "the first is a friend no more")
}

// TestLimiterModel: whoever asks how often, in each minute at most so many pass as the bucket holds and gets back, a wait is kept to,
// and it is told no longer than needed.
func TestLimiterModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLimiter()
		now := start0
		failed := map[netip.Addr][]time.Time{}
		size := rules[byNetwork].size
		minute := time.Duration(size) * rules[byNetwork].refill
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(8*time.Second)).Draw(t, "pause")))
			client := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 3).Draw(t, "client"))})
			a, wait := l.try(client, "", now)
			if wait > 0 {
				if _, less := l.try(client, "", now.Add(wait-1)); less <= 0 {
					t.Fatalf("it was told to wait %s, and 1 ns less was enough", wait)
				}
				now = now.Add(wait)
				if a, wait = l.try(client, "", now); wait > 0 {
					t.Fatalf("it waited as told, and was told to wait %s more", wait)
				}
			}
			if rapid.Bool().Draw(t, "right") {
				a.forgive()
				continue
			}
			failed[client] = append(failed[client], now)
			recent := 0
			for _, at := range failed[client] {
				if at.After(now.Add(-minute)) {
					recent++
				}
			}
			if recent > 2*size {
				t.Fatalf("%d failures in a minute", recent)
			}
		}
	})
}
