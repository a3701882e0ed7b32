package counters

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// totals requires what is counted of node a, and of all.
func totals(t require.TestingT, s *Service, want int) {
	require.EqualValues(t, want, s.Status().Totals.Served)
	require.EqualValues(t, want, s.Status().Envoys[0].Totals.Served)
}

func TestRestartIsSeenWhateverWasCounted(t *testing.T) {
	for name, n := range map[string]int{"more than before": 1000, "as much": 10, "less": 1, "nothing": 0} {
		t.Run(name, func(t *testing.T) {
			s, c := newService(t)
			first := startEnvoy(c, "a")
			first.serve(10)
			c.pass(5 * time.Second)
			first.report(t, s)
			first.leave(t)

			c.pass(100 * time.Millisecond)
			second := startEnvoy(c, "a")
			leaveAll(t, second)
			c.pass(5 * time.Second)
			second.serve(n)
			second.report(t, s)
			totals(t, s, 10+n)
			require.Equal(t, 2, s.Status().Envoys[0].Processes)
		})
	}
}

func TestRestartDuringTheControlPlanesAbsence(t *testing.T) {
	s, c := newService(t)
	first := startEnvoy(c, "a")
	first.serve(10)
	c.pass(100 * time.Second)
	first.report(t, s)
	first.leave(t)

	second := startEnvoy(c, "a") // reports when it is older than the first was
	leaveAll(t, second)
	second.serve(20)
	c.pass(150 * time.Second)
	second.report(t, s)
	totals(t, s, 30)
}

func TestOldStreamThatEndsAfterTheNew(t *testing.T) {
	s, c := newService(t)
	first := startEnvoy(c, "a")
	first.serve(10)
	first.report(t, s)
	c.pass(5 * time.Second)
	second := startEnvoy(c, "a")
	leaveAll(t, second)
	second.serve(5)
	second.report(t, s)
	first.serve(1) // what it had sent and nobody had read
	first.report(t, s)
	first.leave(t)
	totals(t, s, 16)
	require.True(t, s.Status().Envoys[0].Connected)
}

func TestReconnectLosesAndDoublesNothing(t *testing.T) {
	for name, skew := range map[string]time.Duration{"": 0, ", its clock an hour ahead": time.Hour, ", its clock a day behind": -24 * time.Hour} {
		t.Run("an Envoy"+name, func(t *testing.T) {
			s, c := newService(t)
			e := startEnvoy(c, "a")
			e.skew = skew
			leaveAll(t, e)
			e.serve(10)
			c.pass(5 * time.Second)
			e.report(t, s)
			e.leave(t)
			e.serve(20) // while nobody listens
			c.pass(5*time.Minute + 400*time.Millisecond)
			e.report(t, s)
			totals(t, s, 30)
			require.Equal(t, 1, s.Status().Envoys[0].Processes)
		})
	}
}

func TestEnvoyThatRanBeforeTheControlPlane(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	e.started = c.at.Add(-10 * time.Second)
	e.serve(1000)
	c.pass(5 * time.Second)
	e.report(t, s)
	totals(t, s, 0)
	e.serve(7)
	e.report(t, s)
	totals(t, s, 7)
}

func TestCountersThatWereReset(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	e.serve(10)
	e.report(t, s)
	e.counters["wasmcustom.adsidecar.served"] = 2
	e.report(t, s)
	totals(t, s, 10)
	e.serve(3)
	e.report(t, s)
	totals(t, s, 13)
}

func TestProcessesOfANodeAreBounded(t *testing.T) {
	s, c := newService(t)
	old := startEnvoy(c, "a")
	old.serve(1)
	old.report(t, s)
	old.leave(t)
	for range 3 * maxProcesses {
		c.pass(5 * time.Second)
		e := startEnvoy(c, "a")
		e.serve(1)
		c.pass(5 * time.Second)
		e.report(t, s)
		e.leave(t)
	}
	totals(t, s, 1+3*maxProcesses)
	require.Len(t, s.fleet.nodes["a"].processes, maxProcesses)
	old.report(t, s) // it is remembered no more: it may have been counted
	old.leave(t)
	totals(t, s, 1+3*maxProcesses)
}

// TestCountsAreTheTruth drives some Envoys at random: they serve, report, lose their streams, are restarted. Of what was reported
// nothing is lost and nothing counted twice.
func TestCountsAreTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, c := newService(t)
		ids := []string{"a", "b", "c"}
		running := map[string]*fakeEnvoy{}
		truth, reported := map[string]uint64{}, map[string]uint64{} // of the present processes; of all
		flush := func(id string) {
			running[id].report(t, s)
			reported[id] += truth[id]
			truth[id] = 0
		}
		for _, id := range ids {
			running[id] = startEnvoy(c, id)
		}
		c.pass(5 * time.Second)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			id := rapid.SampledFrom(ids).Draw(rt, "id")
			switch e := running[id]; rapid.SampledFrom([]string{"serve", "serve", "report", "report", "cut", "restart"}).Draw(rt, "step") {
			case "serve":
				n := rapid.IntRange(1, 100).Draw(rt, "n")
				e.serve(n)
				truth[id] += uint64(n)
			case "report":
				flush(id)
			case "cut":
				if e.stream != nil {
					e.leave(t)
				}
			case "restart":
				if e.stream != nil {
					e.leave(t)
				}
				truth[id] = 0 // was not reported
				running[id] = startEnvoy(c, id)
				c.pass(5 * time.Second)
			}
			c.pass(time.Duration(rapid.IntRange(0, 9000).Draw(rt, "ms")) * time.Millisecond)
		}
		var sum uint64
		for _, id := range ids {
			flush(id)
			running[id].leave(t)
			sum += reported[id]
		}
		got := s.Status()
		require.Equal(rt, sum, got.Totals.Served)
		for i, id := range ids {
			require.Equal(rt, reported[id], got.Envoys[i].Totals.Served, id)
		}
	})
}
