package xds

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/stream/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/status"
	"pgregory.net/rapid"
)

// simulated is an Envoy and go-control-plane's side of its stream, without gRPC and goroutines, so that any order of events can be
// tried.
type simulated struct {
	t       require.TestingT
	session *session
	sub     *stream.Subscription
	out     chan cache.DeltaResponse
	cancel  func()
	nonce   int
	queued  *publication // what out carries
	inbox   []delivery
	holds   string // the version that it runs
	fresh   bool   // its last answer was an acknowledgement of what it holds, and nothing was sent since
	again   *bool  // after a quarantine a version may be sent to an Envoy that runs it
}

type delivery struct {
	*discoveryv3.DeltaDiscoveryResponse
	of *publication
}

func (p *simulated) request(r *discoveryv3.DeltaDiscoveryRequest) {
	p.flush()
	r.TypeUrl, r.Node = ecds.typeURL(), &corev3.Node{Id: "peer"}
	if p.sub == nil {
		sub := stream.NewDeltaSubscription(r.GetResourceNamesSubscribe(), nil, r.GetInitialResourceVersions(), true)
		p.sub = &sub
	} else {
		p.cancel()
	}
	cancel, err := p.session.CreateDeltaWatch(r, *p.sub, p.out)
	require.NoError(p.t, err)
	p.cancel = cancel
}

// flush sends what the server queued.
func (p *simulated) flush() {
	for len(p.out) > 0 {
		response := <-p.out
		message, err := response.GetDeltaDiscoveryResponse()
		require.NoError(p.t, err)
		p.nonce++
		message.Nonce = fmt.Sprint(p.nonce)
		p.session.OnStreamDeltaResponse(0, response.GetDeltaRequest(), message)
		p.sub.SetReturnedResources(response.GetReturnedResources())
		p.inbox = append(p.inbox, delivery{message, p.queued})
		p.queued = nil
		require.Empty(p.t, message.GetRemovedResources(), "an index is never removed")
		require.False(p.t, p.fresh && !*p.again && message.GetSystemVersionInfo() == p.holds, "it was sent %s, which it runs", p.holds)
		p.fresh = false
	}
}

func (p *simulated) answer(ok bool) {
	response := p.inbox[0]
	p.inbox = p.inbox[1:]
	version := response.GetSystemVersionInfo()
	r := &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: response.GetNonce()}
	if ok {
		p.holds, p.fresh = version, len(p.inbox) == 0
	} else {
		r.ErrorDetail = &status.Status{Message: "no"}
	}
	p.request(r)
}

// TestARequestThatCrossesAPush: go-control-plane takes what is queued, then handles the request; a push may come in between.
func TestARequestThatCrossesAPush(t *testing.T) {
	server, err := New(Config{})
	require.NoError(t, err)
	e := &simulated{t: t, session: server.open("127.0.0.1:1"), out: make(chan cache.DeltaResponse, 8), again: new(bool)}
	e.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{resourceName}})
	require.NoError(t, server.Publish(index("v1")))
	require.Len(t, e.out, 1)

	e.cancel()
	request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: ecds.typeURL()}
	e.cancel, err = e.session.CreateDeltaWatch(request, *e.sub, e.out)
	require.NoError(t, err)
	require.NoError(t, server.Publish(index("v2")))
	require.Len(t, e.out, 1, "the index is not sent twice")

	e.flush()
	e.answer(true)
	e.flush()
	require.Equal(t, "v2", e.inbox[0].GetSystemVersionInfo())
	e.answer(true)

	e.cancel()
	require.NoError(t, server.Publish(index("v3")))
	require.Empty(t, e.out, "the channel may be closed")
}

// TestWhoHasRejectedAVersionOwesNoAnswerToIt: also if it is about to be sent it again, as a version came out of quarantine meanwhile.
func TestWhoHasRejectedAVersionOwesNoAnswerToIt(t *testing.T) {
	clock := newFakeClock()
	server, err := New(Config{VerdictGrace: time.Second})
	require.NoError(t, err)
	server.now, server.after = clock.now, clock.after
	connect := func() *simulated {
		e := &simulated{t: t, session: server.open("127.0.0.1:1"), out: make(chan cache.DeltaResponse, 8), again: new(bool)}
		e.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{resourceName}})
		return e
	}
	leave := func(e *simulated) {
		e.cancel()
		e.session.OnDeltaStreamClosed(0, nil)
	}
	require.NoError(t, server.Publish(index("good")))
	first, waits := connect(), connect()
	waits.flush() // and is sent nothing more until it answers
	first.flush()
	first.answer(true)
	require.NoError(t, server.Publish(index("bad")))
	rejects := connect() // "bad" is on its way
	leave(first)
	require.NoError(t, server.Publish(index("other")))
	other := connect()
	other.flush()
	other.answer(false)
	clock.advance(time.Second)
	require.Equal(t, "good", server.IndexVersion())
	leave(other)
	require.Equal(t, []string{"other"}, server.RetryAll())
	require.NoError(t, server.Publish(index("bad")))
	rejects.flush()
	rejects.answer(false) // what was sent before, which counts
	require.Len(t, rejects.out, 1, "it is sent again")
	leave(rejects)
	leave(waits)
	require.Equal(t, "good", server.IndexVersion(), "nobody is left to wait for")
}

// TestASubscriptionChangesWhilePublishing is for the race detector: go-control-plane changes its maps once a watch is cancelled.
func TestASubscriptionChangesWhilePublishing(t *testing.T) {
	server, err := New(Config{})
	require.NoError(t, err)
	e := &simulated{t: t, session: server.open("127.0.0.1:1"), out: make(chan cache.DeltaResponse, 8), again: new(bool)}
	e.request(&discoveryv3.DeltaDiscoveryRequest{
		ResourceNamesSubscribe: []string{"n"}, InitialResourceVersions: map[string]string{"x": "v"},
	})
	e.cancel()
	published := make(chan error)
	go func() { published <- server.Publish(index("v1")) }()
	e.sub.UpdateResourceSubscriptions([]string{"m"}, []string{"x"})
	require.NoError(t, <-published)
	require.Equal(t, "v1", server.IndexVersion())
}

// A model knows the rules on the page and nothing of how they are kept.
type model struct {
	published   []*publication // in order
	offered     *publication   // nil: silent
	fallback    *publication   // what was offered before, unjudged
	firstReject time.Time      // of what is offered
	answered    map[*simulated]bool
	cutOff      bool // somebody went without the answer that was waited for
	quarantined map[string]bool
	released    bool // a version came out of quarantine: it may be sent to an Envoy that runs it
}

type publication struct {
	version string
	acked   bool
}

func (m *model) accepted() *publication {
	for _, p := range slices.Backward(m.published) {
		if p.acked && !m.quarantined[p.version] {
			return p
		}
	}
	return nil
}

func (m *model) offer(p *publication) {
	m.offered, m.firstReject, m.answered, m.cutOff = p, time.Time{}, map[*simulated]bool{}, false
}

func (m *model) publish(version string) {
	p := m.accepted()
	if p == nil || p.version != version {
		p = &publication{version: version} // judged anew
	}
	if m.offered != nil && m.accepted() == nil && m.firstReject.IsZero() {
		m.fallback = m.offered
	}
	if nameOf(m.fallback) == version {
		m.fallback = nil
	}
	m.publishAgain(p)
}

func (m *model) publishAgain(p *publication) {
	m.published = append(slices.DeleteFunc(m.published, func(q *publication) bool { return p == q }), p)
	m.offer(p)
}

func (m *model) release(version string) {
	m.released = m.released || m.quarantined[version]
	delete(m.quarantined, version)
}

// connect is for an Envoy that says what it holds.
func (m *model) connect(p *simulated) {
	m.release(p.holds)
	switch p.holds {
	case "":
	case nameOf(m.offered):
		m.answer(p, m.offered, true, time.Time{})
	case nameOf(m.fallback):
		m.answer(p, m.fallback, true, time.Time{})
	}
}

// disconnect is for an Envoy that goes.
func (m *model) disconnect(p *simulated) {
	sent := p.queued != nil && p.queued.version == nameOf(m.offered)
	for _, d := range p.inbox {
		sent = sent || d.of.version == nameOf(m.offered)
	}
	m.cutOff = m.cutOff || sent && !m.answered[p] && !m.firstReject.IsZero()
}

func (m *model) answer(p *simulated, of *publication, ok bool, now time.Time) {
	if m.offered != nil && m.offered.version == of.version {
		of = m.offered
		m.answered[p] = true
	}
	switch {
	case ok:
		of.acked, m.fallback = true, nil
		m.release(of.version)
	case of == m.offered && !of.acked && m.firstReject.IsZero():
		m.firstReject = now
	}
}

// settle does what the rules say follows from an event.
func (m *model) settle(envoys []*simulated, now time.Time) {
	for _, p := range envoys { // came with it
		if p.nonce == 0 && len(p.out) == 0 && m.offered != nil && p.holds == m.offered.version {
			m.answer(p, m.offered, true, now)
		}
	}
	if m.firstReject.IsZero() || m.offered.acked {
		return
	}
	certain := m.accepted() != nil && !m.cutOff
	for _, p := range envoys {
		certain = certain && m.answered[p]
	}
	if !certain && now.Before(m.firstReject.Add(10*time.Second)) {
		return
	}
	m.quarantined[m.offered.version] = true
	if back := m.fallback; back != nil && m.accepted() == nil {
		m.fallback = nil
		m.publishAgain(back)
		return
	}
	m.offer(m.accepted())
}

func nameOf(p *publication) string {
	if p == nil {
		return ""
	}
	return p.version
}

// TestTheRulesHoldInAnyOrderOfEvents compares what is on offer with the model after each of many random events.
func TestTheRulesHoldInAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newFakeClock()
		server, err := New(Config{VerdictGrace: 10 * time.Second})
		require.NoError(t, err)
		server.now, server.after = clock.now, clock.after
		m := &model{quarantined: map[string]bool{}}
		var envoys []*simulated
		versions := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		settle := func() {
			m.settle(envoys, clock.now())
			for _, p := range envoys {
				if len(p.out) > 0 && p.queued == nil {
					p.queued = m.offered
				}
			}
		}
		pick := func(t *rapid.T, ok func(*simulated) bool) *simulated {
			var able []*simulated
			for _, p := range envoys {
				if ok(p) {
					able = append(able, p)
				}
			}
			if len(able) == 0 {
				t.Skip("nobody can")
			}
			return rapid.SampledFrom(able).Draw(t, "peer")
		}
		answer := func(p *simulated, ok bool) {
			p.flush()
			m.answer(p, p.inbox[0].of, ok, clock.now())
			p.answer(ok)
			settle()
		}
		waiting := func(p *simulated) bool { return len(p.inbox)+len(p.out) > 0 }

		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				version := versions.Draw(t, "version")
				err := server.Publish(index(version))
				require.Equal(t, m.quarantined[version], errors.Is(err, ErrQuarantined))
				if err == nil && version != nameOf(m.offered) {
					m.publish(version)
					settle()
				}
			},
			"connect": func(t *rapid.T) {
				if len(envoys) == 4 {
					t.Skip("enough")
				}
				holds := rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "holds")
				p := &simulated{t: t, session: server.open("127.0.0.1:1"), out: make(chan cache.DeltaResponse, 8), holds: holds, again: &m.released}
				r := &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{resourceName}}
				if holds != "" {
					r.InitialResourceVersions, p.fresh = map[string]string{resourceName: holds}, true
				}
				envoys = append(envoys, p)
				m.connect(p)
				p.request(r)
				settle()
			},
			"disconnect": func(t *rapid.T) {
				p := pick(t, func(*simulated) bool { return true })
				m.disconnect(p)
				p.cancel()
				p.session.OnDeltaStreamClosed(0, nil)
				envoys = slices.DeleteFunc(envoys, func(q *simulated) bool { return p == q })
				settle()
			},
			"flush":       func(t *rapid.T) { pick(t, func(p *simulated) bool { return len(p.out) > 0 }).flush() },
			"acknowledge": func(t *rapid.T) { answer(pick(t, waiting), true) },
			"reject":      func(t *rapid.T) { answer(pick(t, waiting), false) },
			"time passes": func(*rapid.T) {
				clock.advance(4 * time.Second)
				settle()
			},
			"retry": func(t *rapid.T) {
				quarantined := slices.Collect(maps.Keys(m.quarantined))
				require.ElementsMatch(t, quarantined, server.RetryAll())
				for _, version := range quarantined {
					m.release(version)
				}
			},
			"": func(t *rapid.T) {
				s := server.Status()
				offered := ""
				if o := s.Types[ecds].Offered; o != nil {
					offered = o.Version
				}
				require.Equal(t, nameOf(m.offered), offered)
				require.Equal(t, nameOf(m.accepted()), s.Types[ecds].Accepted)
				require.Len(t, s.Types[ecds].Quarantined, len(m.quarantined))
				for _, p := range m.published {
					require.False(t, p.acked && !server.IndexAcknowledged(p.version), "%s was acknowledged", p.version)
				}
			},
		})

		// In the end every Envoy that acknowledges runs what is on offer, and is shown so.
		for range 4 {
			for _, p := range envoys {
				p.flush()
				for len(p.inbox) > 0 {
					answer(p, true)
					p.flush()
				}
			}
		}
		for _, p := range envoys {
			if m.offered != nil && len(p.inbox) == 0 && !p.session.subs[ecds].nack.current {
				require.Equal(t, m.offered.version, p.holds)
				require.True(t, p.session.subs[ecds].inSync)
			}
		}
	})
}
