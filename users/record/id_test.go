package record

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const badUserID = "This is not a valid userId, it must contain only 8 numeric characters!"

func TestValidateUserID(t *testing.T) {
	for _, id := range []string{"00000000", "00000001", "31327518", "99999999"} {
		require.NoError(t, validateUserID(id))
	}
	for name, id := range map[string]string{
		"nothing":                       "",
		"seven digits":                  "1234567",
		"nine digits":                   "123456789",
		"a letter":                      "1234567a",
		"the character before the zero": "1234567/",
		"the character after the nine":  "1234567:",
		"a sign":                        "-1234567",
		"a space":                       " 1234567",
		"a line end after eight digits": "12345678\n",
		"eight digits of Arabic":        "٠١٢٣٤٥٦٧",
		"four of them, eight bytes":     "٠١٢٣",
		"NUL":                           "1234567\x00",
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, map[string]string{"userId": badUserID}, invalid(validateUserID(id)))
		})
	}
}

func TestNewIDIsUniform(t *testing.T) {
	const n = 100_000
	var digits [8][10]int
	seen := make(map[string]bool, n)
	for range n {
		id := NewID()
		require.NoError(t, validateUserID(id))
		seen[id] = true
		for place, digit := range id {
			digits[place][digit-'0']++
		}
	}
	// 50 IDs are drawn twice on average; each digit comes 10,000 times in each place, with a standard deviation of 95. A run
	// strays as far as this once in more than 10^9.
	require.Greater(t, len(seen), n-110)
	for place := range digits {
		for digit, count := range digits[place] {
			require.InDelta(t, n/10, count, 7*95, "digit %d in place %d", digit, place)
		}
	}
}

func TestBelowIsUniform(t *testing.T) {
	const last = math.MaxUint64 - math.MaxUint64%uint64(ids) // as many values as a multiple of ids
	tests := map[string]struct {
		v, want uint64
		ok      bool
	}{
		"the first value":              {0, 0, true},
		"the last ID":                  {ids - 1, ids - 1, true},
		"one round on":                 {ids, 0, true},
		"the end of the last round":    {last - 1, ids - 1, true},
		"a round that is not complete": {last, 0, false},
		"the last value":               {math.MaxUint64, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := below(ids, tt.v)
			require.Equal(t, tt.ok, ok)
			if ok {
				require.Equal(t, tt.want, got)
			}
		})
	}
}

func TestNewIDConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if len(NewID()) != 8 {
					t.Error("an ID has 8 digits")
				}
			}
		})
	}
	wg.Wait()
}

func TestValidateKey(t *testing.T) {
	for _, key := range []string{"", "a", "!~", "0190-6f", strings.Repeat("k", 255)} {
		require.NoError(t, validateKey(key))
	}
	for name, key := range map[string]string{
		"a space":           "a b",
		"256 characters":    strings.Repeat("k", 256),
		"a letter of UTF-8": "clé",
		"a control":         "a\x1f",
		"delete":            "a\x7f",
		"a byte":            "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, map[string]string{"Idempotency-Key": "Idempotency-Key must have 1 to 255 visible ASCII characters"}, invalid(validateKey(key)))
		})
	}
}

func TestKeyNameTellsSubjectsAndKeysApart(t *testing.T) {
	names := map[string]string{}
	for _, pair := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"", "abc"}, {"abc", ""}, {"a\x00b", "c"}, {"a", "\x00bc"}, {"c", "ab"}} {
		name := KeyName(pair[0], pair[1])
		require.Regexp(t, `^[0-9a-f]{64}$`, name)
		require.Empty(t, names[name])
		names[name] = fmt.Sprint(pair)
	}
	// Stored keys outlive a new version of the program: the encoding is a format.
	require.Equal(t, "de25e5b99d3999c7ace98fe57864781e229b7d413c88c991c6d7abc1684d3da3", KeyName("ann", "key"))
	require.Equal(t, "7017d2e38ac400a4adb9566f9ece344f2dbb5d228dd6cd02953bde22bfd3b350", newKey(owned(), "key", time.Unix(0, 0)).Request)
}

func TestRequestTellsAttributesApart(t *testing.T) {
	seen := map[string]bool{}
	whole := newKey(Record{}, "k", time.Unix(0, 0)).Request
	seen[whole] = true
	for i := range Limits {
		for _, value := range []string{"a", "ab"} {
			var r Record
			*r.values()[i] = value
			request := newKey(r, "k", time.Unix(0, 0)).Request
			require.False(t, seen[request], "%s %q", Limits[i].Field, value)
			seen[request] = true
		}
	}
	moved := owned()
	moved.FirstName, moved.LastName = "JohnD", "oe"
	require.NotEqual(t, newKey(owned(), "k", time.Unix(0, 0)).Request, newKey(moved, "k", time.Unix(0, 0)).Request)
}

func TestKeyExpiry(t *testing.T) {
	now := time.Date(2024, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	monotonic := time.Now()
	monotonic = monotonic.Add(time.Duration(1e9-monotonic.Nanosecond()) % time.Second)
	for name, tt := range map[string]struct {
		now  time.Time
		want string
	}{
		"at a whole second":      {now, "2024-03-02T11:00:00Z"},
		"just after one":         {now.Add(1), "2024-03-02T11:00:01Z"},
		"just before the next":   {now.Add(time.Second - 1), "2024-03-02T11:00:01Z"},
		"at the next whole one":  {now.Add(time.Second), "2024-03-02T11:00:01Z"},
		"by the monotonic clock": {monotonic, monotonic.UTC().Add(24 * time.Hour).Format(time.RFC3339)},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKey(owned(), "k", tt.now)
			require.Equal(t, tt.want, k.Expires.Format(time.RFC3339Nano))
			require.False(t, k.Expired(tt.now))
			require.False(t, k.Expired(k.Expires.Add(-1)))
			require.True(t, k.Expired(k.Expires))
		})
	}
	require.Nil(t, newKey(owned(), "", now))
}

func FuzzUserIDAndKey(f *testing.F) {
	for _, s := range []string{"", "00000001", "1234567", "123456789", "12345678\n", "٠١٢٣", "a key", "\x00", strings.Repeat("k", 256)} {
		f.Add(s)
	}
	userID, key := regexp.MustCompile(`\A[0-9]{8}\z`), regexp.MustCompile(`\A[!-~]{0,255}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		require.Equal(t, userID.MatchString(s), validateUserID(s) == nil)
		require.Equal(t, key.MatchString(s), validateKey(s) == nil)
	})
}
