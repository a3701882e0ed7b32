package xds

import (
	"fmt"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/stretchr/testify/require"
)

// The tests of this file keep what an Envoy costs from growing with what it says and with how many there are.

func TestTheExtensionsOfANodeAreNotKept(t *testing.T) {
	p := start(t)
	e := p.connect("a")
	for i := range 500 {
		e.node.Extensions = append(e.node.Extensions, &corev3.Extension{Name: fmt.Sprintf("envoy.extension-%d", i)})
	}
	e.subscribe(ecds, nil).untilSubscribed(ecds)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Len(t, p.fleet.connected, 1)
	for _, session := range p.fleet.connected {
		node := session.subs[ecds].request.GetNode() // go-control-plane keeps the same for the stream
		require.Equal(t, "a", node.GetId())
		require.Empty(t, node.GetExtensions())
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
