package xds

import (
	"fmt"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestSilentUntilThereIsAnIndex(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("first"), nil))

	e := p.connect("a").subscribe(ecds, nil).subscribe(lds, nil)
	e.ack(e.next(lds))
	p.fence(e)

	p.publish("v1")
	response := e.nextIndex("v1")
	require.True(t, proto.Equal(index("v1").Resource, response.GetResources()[0].GetResource()))
	e.ack(response)
	e.untilRuns(ecds, "v1")
}

func TestSilentToAnEnvoyThatHoldsAnIndexOfAnEarlierControlPlane(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("first"), nil))

	e := p.connect("a").subscribe(ecds, map[string]string{resourceName: "v1"}).subscribe(lds, nil)
	e.ack(e.next(lds))
	p.fence(e)
	status, ok := of(p.Status(), "a", ecds)
	require.True(t, ok)
	require.Equal(t, "v1", status.Acknowledged)
	require.True(t, status.InSync, "there is nothing to be out of sync with")

	p.publish("v1")
	p.fence(e)
	e.untilRuns(ecds, "v1")
	require.Equal(t, "v1", p.Status().Types[ecds].Accepted, "an Envoy runs it")

	p.publish("v2")
	e.ack(e.nextIndex("v2"))
	e.untilRuns(ecds, "v2")
}

func TestPushesOnlyChanges(t *testing.T) {
	p := start(t)
	p.clusters = clusters("c1")
	require.NoError(t, p.SetGateway(listeners("l1", "l2"), p.clusters))
	p.publish("v1")
	e := p.connect("a").subscribe(cds, nil)
	e.ack(e.next(cds))
	e.subscribe(lds, nil)
	e.ack(e.next(lds))
	e.subscribe(ecds, nil)
	e.ack(e.nextIndex("v1"))

	for k := range kindCount {
		e.untilRuns(k, p.offer(k))
	}
	before := p.Status().Types
	p.clock.advance(time.Second)
	p.publish("v1")
	require.NoError(t, p.SetGateway(listeners("l1", "l2"), clusters("c1")))
	require.Equal(t, before, p.Status().Types)
	p.fence(e)
	p.publish("v2")
	e.ack(e.nextIndex("v2"))
	p.fence(e)
	e.untilRuns(ecds, "v2")
}

func TestSendsOnlyTheResourcesThatChanged(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("kept", "changed", "removed"), nil))
	e := p.connect("a").subscribe(lds, nil)
	response := e.next(lds)
	require.Equal(t, []string{"changed", "kept", "removed"}, names(response))
	e.ack(response)

	next := listeners("kept", "changed", "added")
	next[1].StatPrefix = "new"
	require.NoError(t, p.SetGateway(next, nil))
	response = e.next(lds)
	require.Equal(t, []string{"added", "changed"}, names(response))
	require.Equal(t, []string{"removed"}, response.GetRemovedResources())
	e.ack(response)
	e.untilRuns(lds, p.offer(lds))
}

func TestTellsAnEnvoyThatThereAreNoClusters(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("l"), nil))
	e := p.connect("a").subscribe(cds, nil)
	response := e.next(cds) // without it the Envoy would wait with its listeners
	require.Empty(t, response.GetResources())
	e.ack(response)
	e.untilRuns(cds, p.offer(cds))
}

func TestClustersAreSentBeforeTheListenersThatNeedThem(t *testing.T) {
	p := start(t)
	e := p.connect("a").subscribe(lds, nil).subscribe(cds, nil)
	e.untilSubscribed(cds)
	require.NoError(t, p.SetGateway(listeners("l"), clusters("c")))
	e.next(cds)
	e.next(lds)
}

func TestReconnect(t *testing.T) {
	cases := map[string]struct {
		holds  map[string]string
		pushed bool
	}{
		"an Envoy that holds the version is sent nothing": {holds: map[string]string{resourceName: "v1"}},
		"an Envoy that holds another is sent the index":   {holds: map[string]string{resourceName: "v0"}, pushed: true},
		"an Envoy that holds none is sent the index":      {pushed: true},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			require.NoError(t, p.SetGateway(listeners("first"), nil))
			p.publish("v1")
			first := p.connect("a").subscribe(ecds, nil)
			first.ack(first.nextIndex("v1"))
			first.untilRuns(ecds, "v1")
			first.close()

			again := p.connect("a").subscribe(ecds, test.holds)
			if test.pushed {
				again.ack(again.nextIndex("v1"))
			}
			again.subscribe(lds, nil)
			again.ack(again.next(lds))
			p.fence(again)
			again.untilRuns(ecds, "v1")
		})
	}
}

func TestReconnectWithTheSameListenersIsSentNothing(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("l1", "l2"), clusters("c")))
	first := p.connect("a").subscribe(lds, nil)
	holds := map[string]string{}
	for _, r := range first.next(lds).GetResources() {
		holds[r.GetName()] = r.GetVersion()
	}
	first.close()

	again := p.connect("a").subscribe(lds, holds).subscribe(cds, nil)
	again.ack(again.next(cds))
	again.untilRuns(lds, p.offer(lds))
	require.Equal(t, p.offer(lds), p.Status().Types[lds].Accepted)

	holds["l3"] = "gone since"
	other := p.connect("b").subscribe(lds, holds)
	response := other.next(lds)
	require.Empty(t, response.GetResources())
	require.Equal(t, []string{"l3"}, response.GetRemovedResources())
	status, ok := of(p.Status(), "b", lds)
	require.True(t, ok)
	require.False(t, status.InSync, "it has one listener too many")
}

func TestAnIndexIsNeverRemoved(t *testing.T) {
	p := start(t)
	p.publish("v1")
	for name, subscribed := range map[string][]string{"by name": {resourceName, "other"}, "whole": {"*"}} {
		e := p.connect(name)
		e.send(&discoveryv3.DeltaDiscoveryRequest{
			TypeUrl: ecds.typeURL(), ResourceNamesSubscribe: subscribed, InitialResourceVersions: map[string]string{"other": "v9"},
		})
		e.ack(e.nextIndex("v1"))
		e.untilRuns(ecds, "v1")
	}
}

func TestAChangeDuringAnUnansweredPushIsSentAfterTheAnswer(t *testing.T) {
	p := start(t)
	p.publish("v1")
	e := p.connect("a").subscribe(ecds, nil)
	response := e.nextIndex("v1")
	p.publish("v2")
	p.publish("v3")
	e.ack(response)
	e.ack(e.nextIndex("v3"))
	e.untilRuns(ecds, "v3")
}

func TestAnUnsubscribedEnvoyIsNotWaitedForAndNotOutOfSync(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("first"), nil))
	p.publish("v1")
	e := p.connect("a").subscribe(ecds, nil)
	e.ack(e.nextIndex("v1"))
	e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: ecds.typeURL(), ResourceNamesUnsubscribe: []string{resourceName}})
	e.subscribe(lds, nil)
	e.ack(e.next(lds))
	p.publish("v2")
	p.fence(e)
	status := p.Status()
	require.Zero(t, status.Types[ecds].Offered.Pending)
	index, ok := of(status, "a", ecds)
	require.True(t, ok)
	require.True(t, index.InSync)
}

func TestTypesThatAreNotServedAreNeverAnswered(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("first"), nil))
	e := p.connect("a")
	e.send(&discoveryv3.DeltaDiscoveryRequest{
		TypeUrl: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", ResourceNamesSubscribe: []string{"r"},
	})
	e.subscribe(lds, nil)
	e.ack(e.next(lds))
	p.fence(e)
}

func TestEqualContentHasOneVersion(t *testing.T) {
	metadata := &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{}} // a map: marshalled in any order unless told not to
	for i := range 20 {
		metadata.FilterMetadata[fmt.Sprint(i)] = &structpb.Struct{}
	}
	one := &listenerv3.Listener{Name: "one", Metadata: metadata}
	two := &listenerv3.Listener{Name: "two"}
	first, err := newOffer(lds, []*listenerv3.Listener{one, two})
	require.NoError(t, err)
	for range 20 {
		again, err := newOffer(lds, []*listenerv3.Listener{two, one})
		require.NoError(t, err)
		require.Equal(t, first.version, again.version)
	}
	other, err := newOffer(lds, []*listenerv3.Listener{one})
	require.NoError(t, err)
	require.NotEqual(t, first.version, other.version)
}

func TestInputIsRefused(t *testing.T) {
	p := start(t)
	require.ErrorContains(t, p.Publish(Index{Name: "n", Resource: index("v").Resource}), "no version")
	require.ErrorContains(t, p.Publish(Index{Version: "v", Name: "n", Resource: &anypb.Any{TypeUrl: "other"}}), `of type "other"`)
	require.ErrorContains(t, p.Publish(Index{Version: "v"}), "without a name")
	require.ErrorContains(t, p.SetGateway(listeners("l", "l"), clusters("c")), `lds resource "l" given twice`)
	require.ErrorContains(t, p.SetGateway([]*listenerv3.Listener{{}}, clusters("c")), "lds resource without a name")
	for _, status := range p.Status().Types {
		require.Nil(t, status.Offered, status.Type)
	}
}

func names(r *discoveryv3.DeltaDiscoveryResponse) []string {
	var out []string
	for _, resource := range r.GetResources() {
		out = append(out, resource.GetName())
	}
	return out
}
