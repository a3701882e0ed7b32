package xds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"adsidecar/envoy"
)

// The tests of this file keep what an Envoy costs from growing with what it says and with how many there are.

func TestWhatNobodyReadsOfANodeIsNotKept(t *testing.T) {
	p := start(t)
	e := p.connect("a")
	for i := range 500 {
		e.node.Extensions = append(e.node.Extensions, &corev3.Extension{Name: fmt.Sprintf("envoy.extension-%d", i)})
	}
	metadata, err := structpb.NewStruct(map[string]any{envoy.FormatKey: "2", "large": strings.Repeat("x", 100_000)})
	require.NoError(t, err)
	e.node.Metadata = metadata
	e.subscribe(ecds, nil).untilSubscribed(ecds)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Len(t, p.fleet.connected, 1)
	for _, session := range p.fleet.connected {
		node := session.subs[ecds].request.GetNode() // go-control-plane keeps the same for the stream
		require.Equal(t, "a", node.GetId())
		require.Empty(t, node.GetExtensions())
		require.Len(t, node.GetMetadata().GetFields(), 1)
		require.Equal(t, "2", session.node.format)
	}
}

func TestAStreamThatAsksForTooMuchEnds(t *testing.T) {
	p := start(t)
	names := make([]string, maxNames/10)
	for i := range names {
		names[i] = fmt.Sprint("resource-", i)
	}
	for name, request := range map[string]func(i int) *discoveryv3.DeltaDiscoveryRequest{
		"types": func(i int) *discoveryv3.DeltaDiscoveryRequest {
			return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: fmt.Sprint("type.googleapis.com/of.", i)}
		},
		"names": func(int) *discoveryv3.DeltaDiscoveryRequest {
			return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: ecds.typeURL(), ResourceNamesSubscribe: names}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := p.connect(name)
			for i := range max(maxTypes, 10) + 1 {
				r := request(i)
				r.Node = e.node
				if e.stream.Send(r) != nil {
					break // it has ended
				}
			}
			select {
			case err := <-e.ended:
				require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
			case <-time.After(20 * time.Second):
				require.Fail(t, "the stream goes on")
			}
		})
	}
}

func TestTheFleetIsNotCountedWhileNothingIsSuspect(t *testing.T) {
	now := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	v := &verdict{grace: time.Minute, withdraws: true}
	counted := 0
	pending := func() int { counted++; return 0 }
	for _, version := range []string{"v1", "v2"} {
		o := &offer{version: version}
		v.put(o, now)
		require.Nil(t, v.settle(pending, now))
		v.acknowledge(o)
		require.Nil(t, v.settle(pending, now))
	}
	require.Zero(t, counted, "of two versions that nobody rejected")

	bad := &offer{version: "bad"}
	v.put(bad, now)
	require.True(t, v.reject(bad, Rejection{}, now))
	require.Same(t, bad, v.settle(pending, now))
	require.Equal(t, 1, counted)
}
