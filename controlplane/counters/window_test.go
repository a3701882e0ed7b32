package counters

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func served5s(t *testing.T, s *Service, c *clock, e *fakeEnvoy, each ...int) {
	t.Helper()
	for _, n := range each {
		c.pass(5 * time.Second)
		e.serve(n)
		e.report(t, s)
	}
}

func TestRateIsThatOfTheLastHalfMinute(t *testing.T) {
	s, c := newService(t)
	a, b := startEnvoy(c, "a"), startEnvoy(c, "b")
	leaveAll(t, a, b)
	served5s(t, s, c, a, 1000)
	require.Nil(t, s.Status().PerSecond, "one report is no rate")
	served5s(t, s, c, a, 50)
	require.InDelta(t, 10, s.Status().PerSecond.Served, 1e-9)
	served5s(t, s, c, a, 0, 0, 0)
	require.InDelta(t, 2.5, s.Status().PerSecond.Served, 1e-9)
	served5s(t, s, c, a, 0, 0, 0)
	require.Zero(t, s.Status().PerSecond.Served)

	served5s(t, s, c, a, 60)
	b.report(t, s)
	c.pass(-5 * time.Second)
	served5s(t, s, c, b, 0)
	c.pass(2 * time.Second)
	b.serve(8)
	b.report(t, s)
	require.InDelta(t, 2, s.Status().Envoys[0].PerSecond.Served, 1e-9)
	require.InDelta(t, 4, s.Status().Envoys[1].PerSecond.Served, 1e-9)
	require.InDelta(t, 6, s.Status().PerSecond.Served, 1e-9)
}

func TestRateEndsWithTheReports(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	served5s(t, s, c, e, 5, 5)
	c.pass(15 * time.Second)
	require.NotNil(t, s.Status().PerSecond)
	c.pass(time.Second)
	require.Nil(t, s.Status().PerSecond)
	require.Nil(t, s.Status().Envoys[0].PerSecond)
}

func TestRateOverARestart(t *testing.T) {
	s, c := newService(t)
	first := startEnvoy(c, "a")
	served5s(t, s, c, first, 50, 50)
	first.leave(t)
	second := startEnvoy(c, "a")
	leaveAll(t, second)
	served5s(t, s, c, second, 50, 50)
	require.InDelta(t, 10, s.Status().PerSecond.Served, 1e-9)
}

func TestWhatWasServedInALongAbsenceIsNoRate(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	served5s(t, s, c, e, 5, 5)
	e.leave(t)
	c.pass(5 * time.Minute)
	e.serve(3000)
	e.report(t, s)
	require.Nil(t, s.Status().PerSecond)
	served5s(t, s, c, e, 5)
	require.InDelta(t, 1, s.Status().PerSecond.Served, 1e-9)
}

func TestSamplesAreBoundedHoweverOftenSomebodyReports(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	for range 2000 {
		c.pass(20 * time.Millisecond)
		e.serve(1)
		e.report(t, s)
		require.LessOrEqual(t, len(s.fleet.nodes["a"].rate.samples), 32)
	}
	require.InDelta(t, 50, s.Status().PerSecond.Served, 1)
}
