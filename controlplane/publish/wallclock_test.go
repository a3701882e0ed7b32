package publish

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
)

// campaigns has a campaign for each id, which a comma and more fields may follow, all for us/eng.
func campaigns(ids ...string) string {
	var ads []string
	for _, id := range ids {
		id, fields, _ := strings.Cut(id, ",")
		if fields != "" {
			fields = "," + fields
		}
		ads = append(ads, fmt.Sprintf(`{"id":%q,"video_url":"https://v/1","country":"us","lang":"eng","start_hour":0,"end_hour":0%s}`, id, fields))
	}
	return `{"ads":[` + strings.Join(ads, ",") + `]}`
}

// versionAt is that of a document on that day.
func versionAt(t *testing.T, document string, now time.Time) string {
	t.Helper()
	index, err := compile.Compile(decoded(t, document), compile.Params{SourceTime: sourceTime, Now: now})
	require.NoError(t, err)
	return index.Version
}

// lookIdly looks at the clock, which costs nothing where nothing is due.
func (b *bench) lookIdly(t *testing.T) {
	t.Helper()
	changed := b.Watch()
	b.look()
	select {
	case <-changed:
		require.Fail(t, "something was done")
	default:
	}
}

var wrongClocks = map[string]func(right time.Time) time.Time{
	"an hour ahead, which is tomorrow":     func(right time.Time) time.Time { return right.Add(time.Hour) },
	"two days behind":                      func(right time.Time) time.Time { return right.AddDate(0, 0, -2) },
	"some days ahead":                      func(right time.Time) time.Time { return right.AddDate(0, 0, 19) },
	"ten years ahead, when all is over":    func(right time.Time) time.Time { return right.AddDate(10, 0, 0) },
	"where a machine without a one starts": func(time.Time) time.Time { return time.Unix(0, 0) },
	"at the end of the century":            func(time.Time) time.Time { return time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC) },
}

func TestAWrongClockLeavesNothing(t *testing.T) {
	documents := map[string]string{
		"a flight that has not begun": flight,
		"a flight that has":           campaigns(`a,"start_at":"2027-01-01T00:00:00Z"`),
		"one that ends":               campaigns("a", `b,"end_at":"2027-03-12T08:00:00Z"`),
		"one that is over":            campaigns("a", `b,"end_at":"2027-03-01T08:00:00Z"`),
		"a zone":                      campaigns(`a,"time_zone":"America/New_York","days":["mon"]`),
		"nothing of it":               campaigns("a"),
	}
	for name, wrong := range wrongClocks {
		for what, document := range documents {
			for _, operators := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, operators: %v", name, what, operators), func(t *testing.T) {
					cfg := Config{StateDir: t.TempDir()}
					if operators {
						cfg.Operators = newOperators(t)
					}
					b, now := dayBench(t, cfg, answer{text: document}, unchanged)
					b.heed()
					right := *now
					want := versionAt(t, document, right)
					for range 2 { // the first time it is wrong at the start
						*now = wrong(right)
						b.step(t)
						require.Equal(t, versionAt(t, document, *now), b.sink.Published())
						*now = right
						b.look() // the source is not asked
						require.Equal(t, want, b.sink.Published())
						b.lookIdly(t)
					}
				})
			}
		}
	}
}

func TestADocumentThatAWrongClockMakesTooLargeIsUsedOnceItIsRight(t *testing.T) {
	b, now := dayBench(t, Config{}, answer{text: campaigns("a", `b,"start_at":"2027-03-30T08:00:00Z"`)}, unchanged)
	right := *now
	b.maxBytes = len(decodedIndex(t, campaigns("a")).Bytes)
	*now = right.AddDate(0, 0, 19)
	b.step(t)
	require.Equal(t, "too_large", b.Status().Source.LastResult)
	b.lookIdly(t)
	require.Empty(t, b.sink.Published())
	*now = right
	b.look()
	require.Equal(t, []int{1}, b.sink.ads())
	b.step(t)
	require.Equal(t, "not_modified", b.Status().Source.LastResult)
}

func TestRunLooksAtTheWallClock(t *testing.T) {
	// The clock of a bubble starts at midnight, on the first of January 2000.
	document := campaigns(`a,"start_at":"2000-01-15T08:00:00Z"`, `b,"end_at":"2000-01-05T08:00:00Z"`)
	for name, c := range map[string]struct {
		stuck bool          // the source does not answer any more
		wait  time.Duration // until then all is as it was
		set   time.Duration // by so much the clock is set then
	}{
		"at midnight, though the source is asked once a day": {wait: 24*time.Hour - time.Second},
		"at midnight, while the source is asked":             {wait: 24*time.Hour - time.Second, stuck: true},
		"when it is put forward":                             {wait: time.Hour, set: 30 * time.Hour},
		"when it is put forward, while the source is asked":  {wait: time.Hour, set: 30 * time.Hour, stuck: true},
		"when it is put back":                                {wait: time.Hour, set: -10 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var set atomic.Int64
				now := func() time.Time { return time.Now().Add(time.Duration(set.Load())) }
				b := newBench(t, Config{Interval: 24 * time.Hour, Now: now}, answer{text: document})
				b.random = func() float64 { return 1 } // the second poll comes after more than a day
				b.start(t)
				<-b.source.asked
				if c.stuck {
					b.PollNow()
				}
				<-time.After(c.wait)
				synctest.Wait()
				first := b.sink.Published()
				require.Equal(t, versionAt(t, document, now()), first)
				require.Equal(t, 1, b.sink.offered)

				set.Store(int64(c.set))
				<-time.After(clockInterval)
				synctest.Wait()
				require.Equal(t, versionAt(t, document, now()), b.sink.Published())
				require.NotEqual(t, first, b.sink.Published())
				<-time.After(5 * clockInterval)
				synctest.Wait()
				require.Equal(t, 2, b.sink.offered)
			})
		})
	}
}

// heldBench is a Loop with operators that has published four campaigns, three of which end in ten days, and holds a document with the
// fourth alone, and others, which an operator has refused.
func heldBench(t *testing.T) (b *bench, now *time.Time) {
	t.Helper()
	ends := `,"end_at":"2027-03-20T08:00:00Z"`
	before, after := campaigns("a", "b"+ends, "c"+ends, "d"+ends), campaigns("a", "x", `y,"start_at":"2027-03-12T08:00:00Z"`)
	b, now = dayBench(t, Config{MaxRemovedShare: &half, Operators: newOperators(t)}, answer{text: before}, answer{text: after}, unchanged)
	b.heed()
	b.steps(t, 2)
	h := b.Status().Held
	require.NotNil(t, h)
	require.Equal(t, []int{3, 4}, []int{h.Removed, h.Served})
	require.NoError(t, b.Refuse(t.Context(), h.Version, "olga", "why"))
	b.settle()
	return b, now
}

func TestAWrongClockTakesNothingFromTheGuard(t *testing.T) {
	for name, wrong := range wrongClocks {
		t.Run(name, func(t *testing.T) {
			b, now := heldBench(t)
			right, held := *now, b.Status().Held
			for range 2 {
				*now = wrong(right)
				b.look()
				b.step(t)
				require.True(t, b.Status().Held.Refused)
				require.Equal(t, b.candidate.Version, b.Status().Held.Version)
				*now = right
				b.look()
				require.Equal(t, held, b.Status().Held, "as it was")
				require.Len(t, b.sink.published, 1)
			}
			require.NoError(t, b.Confirm(t.Context(), held.Version, "olga", ""))
			b.settle()
			require.Equal(t, held.Version, b.sink.Published())
		})
	}
}

func TestAnotherDocumentTakesThePlaceOfAHeldOneWhateverTheClockSays(t *testing.T) {
	b, now := heldBench(t)
	*now = now.AddDate(10, 0, 0)
	b.look()
	require.NotNil(t, b.Status().Held)
	b.source.answers = []answer{{text: campaigns("a", "z")}}
	b.step(t)
	require.Nil(t, b.Status().Held)
	require.Equal(t, b.candidate.Version, b.sink.Published())
}

func TestTheGuardHoldsNothingForAClockThatWasWrong(t *testing.T) {
	now := time.Date(2027, 3, 10, 12, 0, 0, 0, time.UTC)
	right := now
	begins := `,"start_at":"2027-03-08T08:00:00Z"`
	old, young := campaigns("a"+begins, "b"+begins), campaigns("a"+begins, "b"+begins, "c")
	cfg := Config{MaxRemovedShare: &half, StateDir: t.TempDir(), Now: func() time.Time { return now }}
	for name, c := range map[string]struct {
		held bool // meanwhile: of flights that begin after more than two weeks an index knows nothing
		at   time.Time
	}{
		"a machine without a clock starts": {true, time.Unix(0, 0)},
		"it is ten years ahead":            {false, right.AddDate(10, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.StateDir = t.TempDir()
			now = right
			b := restarted(t, cfg, answer{text: old})
			b.step(t)
			b.keepNow(t)

			now = c.at
			b = restarted(t, cfg, answer{text: young}, unchanged)
			b.step(t)
			require.Equal(t, c.held, b.Status().Held != nil)
			require.True(t, b.Ready())
			now = right
			b.look()
			require.Nil(t, b.Status().Held)
			require.Equal(t, versionAt(t, young, right), b.sink.Published())
		})
	}
}

func TestReplicasComeToTheSameVersionAfterAWrongClock(t *testing.T) {
	begins, ends := `,"start_at":"2027-03-08T08:00:00Z"`, `,"end_at":"2027-04-20T08:00:00Z"`
	document := campaigns("a"+begins, "b"+begins, "c"+ends, "d")
	for name, wrong := range wrongClocks {
		t.Run(name, func(t *testing.T) {
			o := newOperators(t)
			cfg := Config{MaxRemovedShare: &half, Operators: o}
			one, now := dayBench(t, cfg, answer{text: document}, unchanged)
			cfg.Operators = o.reopened(t)
			two, sameTime := dayBench(t, cfg, answer{text: document}, unchanged)
			right, want := *now, versionAt(t, document, *now)
			require.Equal(t, right, *sameTime)
			for _, b := range []*bench{one, two} {
				b.heed()
				b.step(t)
				b.tellNow(t)
			}
			*now = wrong(right)
			one.look()
			one.tellNow(t)
			two.hearing(t)
			require.Equal(t, want, two.sink.Published())
			*now = right
			one.look()
			one.tellNow(t)
			two.hearing(t)
			for _, b := range []*bench{one, two} {
				b.step(t)
				require.Nil(t, b.Status().Held)
				require.Equal(t, want, b.sink.Published())
			}
		})
	}
}
