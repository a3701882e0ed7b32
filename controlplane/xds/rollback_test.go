package xds

import (
	"fmt"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
)

// running connects Envoys that all run the version.
func running(p *plane, version string, n int) []*proxy {
	p.t.Helper()
	p.publish(version)
	var envoys []*proxy
	for i := range n {
		e := p.connect(fmt.Sprintf("envoy-%d", i)).subscribe(ecds, nil)
		e.ack(e.nextIndex(version))
		e.untilRuns(ecds, version)
		envoys = append(envoys, e)
	}
	return envoys
}

func (p *plane) requireQuarantined(version string) {
	p.t.Helper()
	require.ErrorIs(p.t, p.Publish(index(version)), ErrQuarantined)
}

// TestVerdict: three Envoys run "good" and answer "bad" one after the other, each when the answer before is known.
func TestVerdict(t *testing.T) {
	const ack, nack = true, false
	cases := map[string]struct {
		answers  [3]bool
		rollback bool
	}{
		"all reject it":              {answers: [3]bool{nack, nack, nack}, rollback: true},
		"rejected, then accepted":    {answers: [3]bool{nack, ack, ack}},
		"accepted, then rejected":    {answers: [3]bool{ack, nack, ack}},
		"accepted by the last alone": {answers: [3]bool{nack, nack, ack}},
		"rejected by the last alone": {answers: [3]bool{ack, ack, nack}},
		"all accept it":              {answers: [3]bool{ack, ack, ack}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			envoys := running(p, "good", 3)
			p.publish("bad")
			for i, e := range envoys {
				response := e.nextIndex("bad")
				require.Equal(t, "bad", p.offer(ecds), "an Envoy is yet to answer")
				if test.answers[i] == ack {
					e.ack(response)
					e.untilRuns(ecds, "bad")
				} else {
					e.nack(response, "cannot load")
					e.untilRejects(ecds, "bad")
				}
			}
			if test.rollback {
				for _, e := range envoys {
					e.ack(e.nextIndex("good"))
					e.untilRuns(ecds, "good")
				}
				p.requireQuarantined("bad")
				require.Equal(t, "good", p.offer(ecds))
				return
			}
			p.clock.advance(time.Hour) // no grace runs out
			status := p.Status()
			require.Equal(t, "bad", status.Types[ecds].Offered.Version)
			require.Empty(t, status.Types[ecds].Quarantined)
			for i, e := range envoys {
				of, ok := of(status, e.id, ecds)
				require.True(t, ok)
				require.Equal(t, test.answers[i] == ack, of.InSync)
				if test.answers[i] == nack {
					require.Equal(t, "good", of.Acknowledged)
					require.Equal(t, "cannot load", of.LastNack.Text)
					require.True(t, of.LastNack.Current)
				}
			}
			p.publish("next")
			for _, e := range envoys {
				e.ack(e.nextIndex("next"))
				e.untilRuns(ecds, "next")
			}
		})
	}
}

func TestRollbackWithOneEnvoy(t *testing.T) {
	p := start(t)
	e := running(p, "good", 1)[0]
	p.publish("bad")
	e.nack(e.nextIndex("bad"), "cannot load")
	e.ack(e.nextIndex("good"))
	e.untilRuns(ecds, "good")

	status := p.Status()
	require.Equal(t, "good", status.Types[ecds].Offered.Version)
	require.Equal(t, "good", status.Types[ecds].Accepted)
	require.Equal(t, "good", p.IndexVersion())
	require.Equal(t, []Quarantined{{
		Version: "bad", Since: p.clock.now(), Rejection: Rejection{Node: "envoy-0", Text: "cannot load"},
	}}, status.Types[ecds].Quarantined)
	require.NoError(t, p.SetGateway(listeners("first"), nil))
	e.subscribe(lds, nil)
	e.ack(e.next(lds))
	for range 3 { // the next three polls
		err := p.Publish(index("bad"))
		require.ErrorIs(t, err, ErrQuarantined)
		require.EqualError(t, err, `version is quarantined: bad: rejected by "envoy-0": cannot load`)
	}
	p.fence(e)

	fresh := p.connect("new").subscribe(ecds, nil)
	fresh.ack(fresh.nextIndex("good"))
	fresh.untilRuns(ecds, "good")
}

func TestRollbackToSilenceWithNothingAcknowledgedYet(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("first"), nil))
	e := p.connect("a").subscribe(ecds, nil)
	p.publish("bad")
	e.nack(e.nextIndex("bad"), "cannot load")
	e.untilRejects(ecds, "bad")
	p.clock.advance(10*time.Second - 1)
	require.Equal(t, "bad", p.offer(ecds), "an Envoy that comes back may run it")
	p.clock.advance(1)
	p.until("silence", func(s Status) bool { return s.Types[ecds].Offered == nil })
	require.Empty(t, p.IndexVersion())
	p.requireQuarantined("bad")
	e.subscribe(lds, nil)
	e.ack(e.next(lds))

	fresh := p.connect("b").subscribe(ecds, nil).subscribe(lds, nil)
	fresh.ack(fresh.next(lds))
	p.fence(e, fresh)
	status, _ := of(p.Status(), "a", ecds)
	require.False(t, status.InSync)
	require.Equal(t, "cannot load", status.LastNack.Text)

	p.publish("good")
	for _, e := range []*proxy{e, fresh} {
		e.ack(e.nextIndex("good"))
		e.untilRuns(ecds, "good")
	}
}

func TestGrace(t *testing.T) {
	setUp := func(t *testing.T) (p *plane, envoys []*proxy, pending *discoveryv3.DeltaDiscoveryResponse) {
		p = start(t, func(c *Config) { c.VerdictGrace = 5 * time.Second })
		envoys = running(p, "good", 2)
		p.publish("bad")
		envoys[0].nack(envoys[0].nextIndex("bad"), "cannot load")
		envoys[0].untilRejects(ecds, "bad")
		pending = envoys[1].nextIndex("bad")
		p.clock.advance(5*time.Second - 1)
		require.Equal(t, "bad", p.offer(ecds), "the grace has not passed")
		return p, envoys, pending
	}
	t.Run("passed without an acknowledgement", func(t *testing.T) {
		p, envoys, pending := setUp(t)
		p.clock.advance(1)
		require.Equal(t, "good", p.offer(ecds))
		envoys[0].ack(envoys[0].nextIndex("good"))
		envoys[0].untilRuns(ecds, "good")

		p.requireQuarantined("bad")
		envoys[1].ack(pending) // late, but it runs it
		envoys[1].ack(envoys[1].nextIndex("good"))
		envoys[1].untilRuns(ecds, "good")
		require.Empty(t, p.Status().Types[ecds].Quarantined)
		p.publish("bad")
		for _, e := range envoys {
			e.nextIndex("bad")
		}
	})
	t.Run("an acknowledgement in time lifts the suspicion", func(t *testing.T) {
		p, envoys, pending := setUp(t)
		envoys[1].ack(pending)
		envoys[1].untilRuns(ecds, "bad")
		require.Empty(t, p.clock.timers)
		p.clock.advance(time.Hour)
		require.Equal(t, "bad", p.offer(ecds))
	})
	t.Run("the only Envoy that is waited for goes: it may come back and run it", func(t *testing.T) {
		p, envoys, _ := setUp(t)
		envoys[1].close()
		p.until("one is left", func(s Status) bool { return !s.Envoys[1].Connected })
		require.Equal(t, "bad", p.offer(ecds))
		p.clock.advance(1)
		envoys[0].ack(envoys[0].nextIndex("good"))
		envoys[0].untilRuns(ecds, "good")
		p.requireQuarantined("bad")
	})
	t.Run("the Envoy that rejected goes", func(t *testing.T) {
		p, envoys, pending := setUp(t)
		envoys[0].close()
		p.until("one is left", func(s Status) bool { return !s.Envoys[0].Connected })
		require.Equal(t, "bad", p.offer(ecds))
		envoys[1].nack(pending, "cannot load either")
		envoys[1].ack(envoys[1].nextIndex("good"))
		envoys[1].untilRuns(ecds, "good")
	})
	t.Run("another version ends the suspicion", func(t *testing.T) {
		p, envoys, pending := setUp(t)
		p.publish("next")
		p.clock.advance(time.Hour)
		require.Equal(t, "next", p.offer(ecds))
		envoys[0].ack(envoys[0].nextIndex("next"))
		envoys[1].ack(pending)
		envoys[1].ack(envoys[1].nextIndex("next"))
		envoys[1].untilRuns(ecds, "next")
		require.Empty(t, p.Status().Types[ecds].Quarantined)
	})
}

func TestABadVersionStaysInQuarantineWhileOthersArePublished(t *testing.T) {
	p := start(t)
	e := running(p, "good", 1)[0]
	p.publish("bad")
	e.nack(e.nextIndex("bad"), "cannot load")
	e.ack(e.nextIndex("good"))
	e.untilRuns(ecds, "good")

	p.publish("good") // a source that flips: nothing to do, and then refused
	p.requireQuarantined("bad")
	p.publish("other")
	e.ack(e.nextIndex("other"))
	e.untilRuns(ecds, "other")
	p.requireQuarantined("bad")
	p.publish("good")
	e.ack(e.nextIndex("good"))
	e.untilRuns(ecds, "good")
}

func TestRetry(t *testing.T) {
	p := start(t)
	e := p.connect("a").subscribe(ecds, nil)
	p.publish("bad")
	require.Empty(t, p.RetryAll())
	e.nack(e.nextIndex("bad"), "out of memory")
	e.untilRejects(ecds, "bad")
	p.clock.advance(10 * time.Second)
	require.Empty(t, p.offer(ecds))

	p.requireQuarantined("bad")
	require.ErrorIs(t, p.CheckIndex("bad"), ErrQuarantined)
	require.Equal(t, []string{"bad"}, p.RetryAll())
	require.Empty(t, p.RetryAll())
	require.NoError(t, p.CheckIndex("bad"))
	p.publish("bad")
	e.ack(e.nextIndex("bad")) // sent again, although its version was sent on this stream before
	e.untilRuns(ecds, "bad")
}

func TestAfterARetryOnlyWhatChangedIsSent(t *testing.T) {
	p := start(t)
	e := p.connect("a").subscribe(lds, nil)
	require.NoError(t, p.SetGateway(listeners("changes", "same"), nil))
	e.ack(e.next(lds))
	e.untilRuns(lds, p.offer(lds))

	changed := []*listenerv3.Listener{{Name: "changes", StatPrefix: "new"}, {Name: "same"}}
	require.NoError(t, p.SetGateway(changed, nil))
	version := p.offer(lds)
	e.nack(e.next(lds), "address in use")
	e.ack(e.next(lds))
	e.untilRuns(lds, p.offer(lds))

	require.Equal(t, []string{version}, p.RetryAll())
	require.NoError(t, p.SetGateway(changed, nil))
	require.Equal(t, []string{"changes"}, names(e.next(lds)))
}

func TestQuarantineForgetsTheOldest(t *testing.T) {
	p := start(t)
	e := running(p, "good", 1)[0]
	for i := range maxQuarantined + 1 {
		bad := fmt.Sprintf("bad-%d", i)
		p.publish(bad)
		e.nack(e.nextIndex(bad), "cannot load")
		e.ack(e.nextIndex("good"))
		e.untilRuns(ecds, "good")
	}
	require.Len(t, p.Status().Types[ecds].Quarantined, maxQuarantined)
	p.requireQuarantined("bad-1")
	p.requireQuarantined(fmt.Sprintf("bad-%d", maxQuarantined))
	p.publish("bad-0")
	e.nextIndex("bad-0")
}

func TestARejectedListenerDoesNotTouchTheIndex(t *testing.T) {
	p := start(t)
	e := running(p, "v1", 1)[0]
	require.NoError(t, p.SetGateway(listeners("good", "same"), clusters("c")))
	good := p.offer(lds)
	e.subscribe(lds, nil)
	e.ack(e.next(lds))
	e.untilRuns(lds, good)

	bad := []*listenerv3.Listener{{Name: "good", StatPrefix: "bad"}, {Name: "same"}}
	require.NoError(t, p.SetGateway(bad, clusters("c")))
	badVersion := p.offer(lds)
	e.nack(e.next(lds), "no such filter")
	back := e.next(lds)
	require.Equal(t, good, back.GetSystemVersionInfo())
	require.Equal(t, []string{"good"}, names(back), "what did not change was not rejected")
	e.ack(back)
	e.untilRuns(lds, good)

	status := p.Status()
	require.Equal(t, "v1", status.Types[ecds].Offered.Version)
	require.Empty(t, status.Types[ecds].Quarantined)
	require.Equal(t, badVersion, status.Types[lds].Quarantined[0].Version)
	require.ErrorIs(t, p.SetGateway(bad, clusters("c", "more")), ErrQuarantined)
	require.NotEqual(t, status.Types[cds].Offered.Version, p.offer(cds), "the clusters are judged apart")
	p.publish("v2")
	e.ack(e.nextIndex("v2"))
	e.untilRuns(ecds, "v2")
}

func TestARejectionOfAnUnknownNonceJudgesNothing(t *testing.T) {
	p := start(t)
	e := p.connect("a").subscribe(ecds, nil)
	p.publish("v1")
	response := e.nextIndex("v1")
	e.nack(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: ecds.typeURL(), Nonce: "999"}, "what was that")
	status := p.until("shown", func(s Status) bool {
		of, _ := of(s, "a", ecds)
		return of.LastNack != nil
	})
	of, _ := of(status, "a", ecds)
	require.Equal(t, "what was that", of.LastNack.Text)
	require.Empty(t, of.LastNack.Version)
	require.Zero(t, status.Types[ecds].Offered.SuspectSince)
	require.Empty(t, p.clock.timers)
	e.ack(response)
	e.untilRuns(ecds, "v1")
}

func TestARejectionCountsAgainstTheVersionThatTheNonceCarried(t *testing.T) {
	p := start(t)
	e := running(p, "good", 1)[0]
	p.publish("bad")
	response := e.nextIndex("bad")
	p.publish("next")
	e.nack(response, "cannot load")
	e.ack(e.nextIndex("next"))
	e.untilRuns(ecds, "next")
	require.Empty(t, p.Status().Types[ecds].Quarantined, "only what is on offer is judged")
}

func TestALateAcknowledgementMovesTheVersionToRollBackTo(t *testing.T) {
	p := start(t)
	e := running(p, "v1", 1)[0]
	p.publish("v2")
	response := e.nextIndex("v2")
	p.publish("v3") // faster than the Envoy loads
	e.ack(response)
	e.nack(e.nextIndex("v3"), "cannot load")
	e.ack(e.nextIndex("v2"))
	e.untilRuns(ecds, "v2")
}
