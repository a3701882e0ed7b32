package publish

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests of this file run in a bubble of testing/synctest: its clock moves when all goroutines wait.

func repeat(a answer, n int) []answer {
	all := make([]answer, n)
	for i := range all {
		all[i] = a
	}
	return all
}

func TestRunPollsAtOnceAndThenAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, answer{text: doc("a")})
		started := time.Now()
		b.start(t)
		require.Equal(t, started, <-b.source.asked)
		require.Equal(t, 10*time.Second, (<-b.source.asked).Sub(started))
		require.Equal(t, 20*time.Second, (<-b.source.asked).Sub(started))
	})
}

func TestRunPace(t *testing.T) {
	s := func(seconds ...float64) []time.Duration {
		var waits []time.Duration
		for _, n := range seconds {
			waits = append(waits, time.Duration(n*float64(time.Second)))
		}
		return waits
	}
	ok, down, bad := answer{text: doc("a")}, answer{err: errDown}, answer{text: htmlDoc}
	tests := map[string]struct {
		interval time.Duration
		answers  []answer
		want     []time.Duration
	}{
		"backs off from a source that fails, up to four intervals": {
			10 * time.Second, []answer{ok, down}, s(10, 10, 20, 40, 40, 40),
		},
		"a short interval has a short longest wait": {
			time.Second, []answer{ok, down}, s(1, 1, 2, 4, 4, 4),
		},
		"the longest wait is a minute": {
			30 * time.Second, []answer{ok, down}, s(30, 30, 60, 60, 60),
		},
		"or the interval, if that is longer": {
			5 * time.Minute, []answer{ok, down}, s(300, 300, 300, 300),
		},
		"one answer ends the backoff": {
			10 * time.Second, []answer{ok, down, down, down, ok, ok, down, down}, s(10, 10, 20, 40, 10, 10, 10, 20),
		},
		"not modified is an answer": {
			10 * time.Second, []answer{ok, down, down, unchanged}, s(10, 10, 20, 10, 10),
		},
		"a document that cannot be used is an answer": {
			10 * time.Second, append([]answer{down, down}, repeat(bad, 9)...), s(.5, 1, 10, 10, 10),
		},
		"a source that has not answered yet is asked faster": {
			10 * time.Second, []answer{down}, s(.5, 1, 2, 4, 8, 16, 32, 40, 40),
		},
		"but never faster than the interval": {
			100 * time.Millisecond, []answer{down}, s(.1, .2, .4, .4),
		},
		"a document over its limit is not transferred each time": {
			time.Second, []answer{ok, {err: tooLargeError{errors.New("large")}}}, s(1, 1, 2, 4),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{Interval: tt.interval}, tt.answers...)
				b.start(t)
				require.Equal(t, tt.want, b.waits(len(tt.want)))
			})
		})
	}
}

func TestVaryStaysWithinTenPercent(t *testing.T) {
	b := newBench(t, Config{}, unchanged)
	for random, want := range map[float64]time.Duration{0: 9 * time.Second, 0.5: 10 * time.Second, 1: 11 * time.Second} {
		b.random = func() float64 { return random }
		require.InDelta(t, want, b.vary(10*time.Second), float64(time.Millisecond))
	}
}

func TestNewLoopVariesItsWaits(t *testing.T) {
	l, err := New(Config{Source: newSource(unchanged), Sink: &fakeSink{}})
	require.NoError(t, err)
	seen := map[time.Duration]bool{}
	for range 20 {
		seen[l.vary(time.Hour)] = true
	}
	require.Greater(t, len(seen), 1)
}

func TestRunGathersABurstOfChanges(t *testing.T) {
	tests := map[string]func(b *bench){
		"that the source reports": func(b *bench) { b.source.changed <- struct{}{} },
		"that callers ask for":    func(b *bench) { b.PollNow() },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{}, answer{text: doc("a")})
				b.source.changed = make(chan struct{}, 1)
				b.start(t)
				<-b.source.asked
				synctest.Wait()

				began := time.Now()
				change(b)
				<-time.After(60 * time.Millisecond)
				change(b)
				require.Equal(t, gatherWindow, (<-b.source.asked).Sub(began))
				synctest.Wait()
				require.Equal(t, gatherWindow+10*time.Second, (<-b.source.asked).Sub(began), "one poll for both")
			})
		})
	}
}

func TestRunAnswersAChangeThatComesDuringAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, answer{text: doc("a")})
		b.start(t)
		synctest.Wait() // the poll waits to be let through
		b.PollNow()
		first := <-b.source.asked
		require.Equal(t, gatherWindow, (<-b.source.asked).Sub(first))
	})
}

func TestRunAChangeCutsTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, answer{text: doc("a")}, answer{err: errDown}, answer{err: errDown}, answer{err: errDown}, answer{text: doc("b")})
		b.start(t)
		b.waits(3)
		synctest.Wait()
		began := time.Now()
		b.source.changed <- struct{}{}
		require.Equal(t, gatherWindow, (<-b.source.asked).Sub(began))
	})
}

func TestRunEnds(t *testing.T) {
	tests := map[string]func(b *bench){
		"while the source is asked": func(*bench) {},
		"between two polls":         func(b *bench) { <-b.source.asked },
		"while changes are gathered": func(b *bench) {
			<-b.source.asked
			b.source.changed <- struct{}{}
		},
	}
	for name, advance := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{}, answer{text: doc("a")})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- b.Run(ctx) }()
				advance(b)
				synctest.Wait()
				began := time.Now()
				cancel()
				require.NoError(t, <-done)
				require.Zero(t, time.Since(began))
				require.Zero(t, b.Status().Source.ConsecutiveFailures)
			})
		})
	}
}
