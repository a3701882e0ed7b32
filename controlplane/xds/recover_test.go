package xds

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestARestartWhileTheSourceHasARejectedDocument: "good" comes from disk and "bad" from the source, before any Envoy is back.
func TestARestartWhileTheSourceHasARejectedDocument(t *testing.T) {
	restarted := func(t *testing.T) *plane {
		t.Helper()
		p := start(t)
		p.publish("good")
		p.publish("bad")
		return p
	}
	t.Run("the good one is put back although none has acknowledged it", func(t *testing.T) {
		p := restarted(t)
		e := p.connect("a").subscribe(ecds, nil)
		e.nack(e.nextIndex("bad"), "cannot load")
		e.untilRejects(ecds, "bad")
		p.clock.advance(10*time.Second - 1)
		require.Equal(t, "bad", p.offer(ecds), "nothing is certain")
		p.clock.advance(1)
		require.Equal(t, "good", p.IndexVersion())
		p.requireQuarantined("bad")
		e.ack(e.nextIndex("good"))
		e.untilRuns(ecds, "good")
		fresh := p.connect("b").subscribe(ecds, nil)
		fresh.ack(fresh.nextIndex("good"))
		require.Equal(t, "good", p.Status().Types[ecds].Accepted)
	})
	t.Run("an Envoy that comes back with the good one has acknowledged it: the bad one goes at once", func(t *testing.T) {
		p := restarted(t)
		require.False(t, p.IndexAcknowledged("good"))
		e := p.connect("a").subscribe(ecds, map[string]string{resourceName: "good"})
		response := e.nextIndex("bad")
		require.True(t, p.IndexAcknowledged("good"))
		require.False(t, p.IndexAcknowledged("bad"))
		e.nack(response, "cannot load")
		e.ack(e.nextIndex("good"))
		e.untilRuns(ecds, "good")
	})
	t.Run("one that is rejected when it is put back makes room for silence", func(t *testing.T) {
		p := restarted(t)
		e := p.connect("a").subscribe(ecds, nil)
		for _, version := range []string{"bad", "good"} {
			e.nack(e.nextIndex(version), "cannot load")
			e.untilRejects(ecds, version)
			require.Equal(t, version, p.offer(ecds))
			p.clock.advance(10 * time.Second)
		}
		require.Empty(t, p.IndexVersion())
		require.Len(t, p.Status().Types[ecds].Quarantined, 2)
	})
	t.Run("the good one is no fallback of itself when the source has it again", func(t *testing.T) {
		p := restarted(t)
		e := p.connect("a").subscribe(ecds, nil)
		e.nack(e.nextIndex("bad"), "cannot load")
		e.untilRejects(ecds, "bad")
		p.publish("good")
		e.nack(e.nextIndex("good"), "cannot load")
		e.untilRejects(ecds, "good")
		p.clock.advance(10 * time.Second)
		require.Empty(t, p.IndexVersion())
	})
}

func TestASuspectVersionIsNoFallback(t *testing.T) {
	p := start(t)
	p.publish("good")
	p.publish("bad")
	e := p.connect("a").subscribe(ecds, nil)
	e.nack(e.nextIndex("bad"), "cannot load")
	e.untilRejects(ecds, "bad")
	p.publish("worse")
	e.nack(e.nextIndex("worse"), "cannot load")
	e.untilRejects(ecds, "worse")
	p.clock.advance(10 * time.Second)
	require.Equal(t, "good", p.offer(ecds))
}

// TestABrokenEnvoyComesFirstAfterARestart: what it rejects is what the others run.
func TestABrokenEnvoyComesFirstAfterARestart(t *testing.T) {
	p := start(t)
	p.publish("good")
	broken := p.connect("broken").subscribe(ecds, nil)
	broken.nack(broken.nextIndex("good"), "no module")
	broken.untilRejects(ecds, "good")
	require.NotZero(t, p.Status().Types[ecds].Offered.SuspectSince)
	healthy := p.connect("healthy").subscribe(ecds, map[string]string{resourceName: "good"})
	healthy.untilRuns(ecds, "good")
	require.Zero(t, p.Status().Types[ecds].Offered.SuspectSince)
	require.Empty(t, p.clock.timers)
	p.clock.advance(time.Hour)
	require.Equal(t, "good", p.offer(ecds))
}

// TestEnvoysThatAreCutOffWhileTheyLoad come back with the version that the one which stayed rejects.
func TestEnvoysThatAreCutOffWhileTheyLoad(t *testing.T) {
	setUp := func(t *testing.T) *plane {
		t.Helper()
		p := start(t)
		envoys := running(p, "good", 2)
		p.publish("new")
		envoys[1].nextIndex("new")
		envoys[0].nack(envoys[0].nextIndex("new"), "no memory")
		envoys[0].untilRejects(ecds, "new")
		envoys[1].close()
		p.until("cut off", func(s Status) bool { return !s.Envoys[1].Connected })
		require.Equal(t, "new", p.offer(ecds))
		return p
	}
	t.Run("within the grace: it stays", func(t *testing.T) {
		p := setUp(t)
		back := p.connect("envoy-1").subscribe(ecds, map[string]string{resourceName: "new"})
		back.untilRuns(ecds, "new")
		p.clock.advance(time.Hour)
		require.Equal(t, "new", p.offer(ecds))
		require.Empty(t, p.Status().Types[ecds].Quarantined)
	})
	t.Run("later: its quarantine ends", func(t *testing.T) {
		p := setUp(t)
		p.clock.advance(10 * time.Second)
		require.Equal(t, "good", p.offer(ecds))
		p.requireQuarantined("new")
		back := p.connect("envoy-1").subscribe(ecds, map[string]string{resourceName: "new"})
		back.ack(back.nextIndex("good"))
		require.Empty(t, p.Status().Types[ecds].Quarantined)
		p.publish("new")
		back.ack(back.nextIndex("new"))
		back.untilRuns(ecds, "new")
	})
}

// TestAnEnvoyThatWasNotSentTheVersionIsNotWaitedForOnceItIsGone: it cannot come back with it.
func TestAnEnvoyThatWasNotSentTheVersionIsNotWaitedForOnceItIsGone(t *testing.T) {
	p := start(t)
	envoys := running(p, "v1", 2)
	p.publish("v2")
	envoys[0].ack(envoys[0].nextIndex("v2"))
	envoys[0].untilRuns(ecds, "v2")
	envoys[1].nextIndex("v2") // not answered: it is sent nothing else
	p.publish("bad")
	envoys[0].nack(envoys[0].nextIndex("bad"), "cannot load")
	envoys[0].untilRejects(ecds, "bad")
	require.Equal(t, "bad", p.offer(ecds))
	envoys[1].close()
	envoys[0].ack(envoys[0].nextIndex("v2"))
	envoys[0].untilRuns(ecds, "v2")
}

// TestListenersAndClustersStayWithNothingToGoBackTo: an Envoy whose module is missing must not take them from the others, nor from
// itself.
func TestListenersAndClustersStayWithNothingToGoBackTo(t *testing.T) {
	for _, k := range []kind{lds, cds} {
		t.Run(k.String(), func(t *testing.T) {
			p := start(t)
			require.NoError(t, p.SetGateway(listeners("old"), clusters("old")))
			require.NoError(t, p.SetGateway(listeners("l"), clusters("c")))
			version := p.offer(k)
			broken := p.connect("broken").subscribe(k, nil)
			broken.nack(broken.next(k), "no module")
			broken.untilRejects(k, version)
			p.clock.advance(time.Hour)
			status := p.Status().Types[k]
			require.Equal(t, version, status.Offered.Version)
			require.Equal(t, 1, status.Offered.Rejected)
			require.NotZero(t, status.Offered.SuspectSince)
			require.Empty(t, status.Quarantined)
			require.NoError(t, p.SetGateway(listeners("l"), clusters("c")))

			broken.close()
			for _, id := range []string{"broken", "second"} { // mended; and one that was always well
				e := p.connect(id).subscribe(k, nil)
				e.ack(e.next(k))
				e.untilRuns(k, version)
			}
			require.Zero(t, p.Status().Types[k].Offered.SuspectSince)
		})
	}
}

func TestAnEnvoyThatHoldsQuarantinedListenersReleasesThem(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("good"), nil))
	e := p.connect("a").subscribe(lds, nil)
	e.ack(e.next(lds))
	e.untilRuns(lds, p.offer(lds))
	require.NoError(t, p.SetGateway(listeners("x", "y"), nil))
	holds := map[string]string{}
	response := e.next(lds)
	for _, r := range response.GetResources() {
		holds[r.GetName()] = r.GetVersion()
	}
	e.nack(response, "address in use")
	e.ack(e.next(lds))
	require.ErrorIs(t, p.SetGateway(listeners("x", "y"), nil), ErrQuarantined)

	holds["z"] = "one more"
	other := p.connect("b").subscribe(lds, holds)
	other.ack(other.next(lds))
	require.ErrorIs(t, p.SetGateway(listeners("x", "y"), nil), ErrQuarantined, "that is another version")
	delete(holds, "z")
	b := p.connect("c").subscribe(lds, holds)
	b.ack(b.next(lds))
	require.NoError(t, p.SetGateway(listeners("x", "y"), nil))
}

func TestWhichVersionsWereAcknowledgedIsBounded(t *testing.T) {
	v := &verdict{withdraws: true}
	for i := range maxProven + 1 {
		o := &offer{version: string(rune('a' + i))}
		v.put(o, time.Now())
		first, released := v.acknowledge(o)
		require.True(t, first)
		require.False(t, released)
	}
	require.Len(t, v.proven, maxProven)
	require.NotContains(t, v.proven, "a")
	require.Contains(t, v.proven, "b")
}
