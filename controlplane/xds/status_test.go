package xds

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"adsidecar/envoy"
)

func TestStatusAsJSON(t *testing.T) {
	p := start(t)
	p.publish("good")
	e := p.connect("edge-1")
	metadata, err := structpb.NewStruct(map[string]any{envoy.FormatKey: 1})
	require.NoError(t, err)
	e.node.Metadata = metadata
	e.node.UserAgentName = "envoy"
	e.node.UserAgentVersionType = &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{
		Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40},
	}}
	e.subscribe(ecds, nil)
	e.ack(e.nextIndex("good"))
	e.untilRuns(ecds, "good")

	p.clock.advance(10 * time.Second)
	p.publish("bad")
	e.nack(e.nextIndex("bad"), "Unable to create Wasm plugin adsidecar")
	e.ack(e.nextIndex("good"))
	e.untilRuns(ecds, "good")
	p.clock.advance(1500 * time.Millisecond)

	status := p.Status()
	require.True(t, strings.HasPrefix(status.Envoys[0].Address, "127.0.0.1:"))
	status.Envoys[0].Address = "127.0.0.1:5"
	got, err := json.MarshalIndent(status, "", "  ")
	require.NoError(t, err)
	require.JSONEq(t, `{
	  "types": [
	    {"type": "lds", "offered": null, "last_acknowledged": "", "quarantined": []},
	    {"type": "cds", "offered": null, "last_acknowledged": "", "quarantined": []},
	    {"type": "ecds",
	     "offered": {"version": "good", "since": "2026-10-01T12:00:10Z", "source_time": "2026-09-30T00:00:00Z", "bytes": 75,
	       "acknowledged": 1, "rejected": 0, "pending": 0},
	     "last_acknowledged": "good",
	     "quarantined": [{"version": "bad", "since": "2026-10-01T12:00:10Z", "node": "edge-1",
	       "text": "Unable to create Wasm plugin adsidecar"}]}
	  ],
	  "envoys": [
	    {"node": "edge-1", "cluster": "games", "stream": 1, "address": "127.0.0.1:5", "user_agent": "envoy/1.40.0",
	     "filter_format": "1", "connected": true, "connected_since": "2026-10-01T12:00:00Z",
	     "last_seen": "2026-10-01T12:00:10Z", "last_seen_age_seconds": 1.5,
	     "types": [{"type": "ecds", "acknowledged": "good", "sent": "good", "in_sync": true, "since": "2026-10-01T12:00:10Z",
	       "last_ack": {"at": "2026-10-01T12:00:10Z", "age_seconds": 1.5},
	       "last_nack": {"at": "2026-10-01T12:00:10Z", "age_seconds": 1.5, "version": "bad",
	         "text": "Unable to create Wasm plugin adsidecar", "current": false}}]}
	  ]
	}`, string(got))
}

func TestTwoEnvoysWithOneNodeIDAreBothShown(t *testing.T) {
	p := start(t)
	p.publish("v1")
	first := p.connect("same").subscribe(ecds, nil)
	first.ack(first.nextIndex("v1"))
	second := p.connect("same").subscribe(ecds, nil)
	second.nack(second.nextIndex("v1"), "no")
	status := p.until("both answered", func(s Status) bool {
		return len(s.Envoys) == 2 && s.Types[ecds].Offered.Acknowledged == 1 && s.Types[ecds].Offered.Rejected == 1
	})
	require.Equal(t, "same", status.Envoys[0].Node)
	require.Equal(t, "same", status.Envoys[1].Node)
	require.NotEqual(t, status.Envoys[0].Stream, status.Envoys[1].Stream)
	require.NotEqual(t, status.Envoys[0].Types[0].InSync, status.Envoys[1].Types[0].InSync)
	require.NotEqual(t, status.Envoys[0].Address, status.Envoys[1].Address)
}

func TestOutOfSyncSinceThePush(t *testing.T) {
	p := start(t)
	e := running(p, "v1", 1)[0]
	p.clock.advance(time.Minute)
	p.publish("v2")
	pushed := p.clock.now()
	p.clock.advance(time.Minute)
	of, ok := of(p.Status(), e.id, ecds)
	require.True(t, ok)
	require.False(t, of.InSync)
	require.Equal(t, pushed, of.Since)
	require.Equal(t, "v1", of.Acknowledged)
	require.Equal(t, 1, p.Status().Types[ecds].Offered.Pending)
}

func TestDisconnectedEnvoysAreListedForATime(t *testing.T) {
	p := start(t)
	p.fleet.keep, p.fleet.keepFor = 2, time.Minute
	p.publish("v1")
	ids := func() string {
		var out []string
		for _, e := range p.Status().Envoys {
			out = append(out, fmt.Sprintf("%s=%t", e.Node, e.Connected))
		}
		return strings.Join(out, " ")
	}
	leave := func(id string) {
		e := p.connect(id).subscribe(ecds, nil)
		e.ack(e.nextIndex("v1"))
		e.untilRuns(ecds, "v1")
		e.close()
		p.until(id+" is gone", func(s Status) bool {
			for _, e := range s.Envoys {
				if e.Node == id && !e.Connected {
					return e.Disconnected.Equal(p.clock.now()) && e.Types[0].Acknowledged == "v1"
				}
			}
			return false
		})
	}
	leave("a")
	p.clock.advance(time.Second)
	leave("b")
	require.Equal(t, "a=false b=false", ids())
	leave("c")
	require.Equal(t, "b=false c=false", ids(), "only the latest two are kept")

	back := p.connect("b").subscribe(ecds, nil)
	back.nextIndex("v1")
	require.Equal(t, "b=true c=false", ids(), "b is back in its place")

	p.clock.advance(time.Minute)
	require.Equal(t, "b=true c=false", ids())
	p.clock.advance(1)
	require.Equal(t, "b=true", ids())
}

func TestAStreamThatNeverAskedIsNotListed(t *testing.T) {
	p := start(t)
	p.connect("silent")
	p.connect("asks").subscribe(lds, nil).untilSubscribed(lds)
	require.Len(t, p.Status().Envoys, 1)
}

func TestTextsFromEnvoysAreClipped(t *testing.T) {
	p := start(t)
	p.publish("v1")
	long := strings.Repeat("é", maxText) // two bytes each
	e := p.connect(long)
	e.node.Cluster, e.node.UserAgentName = long, long
	e.node.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{envoy.FormatKey: structpb.NewStringValue(long)}}
	e.subscribe(ecds, map[string]string{resourceName: long})
	e.nack(e.nextIndex("v1"), "which "+long+" why")
	status := p.until("rejected", func(s Status) bool {
		return len(s.Envoys) == 1 && len(s.Envoys[0].Types) == 1 && s.Envoys[0].Types[0].LastNack != nil
	})
	clipped := strings.Repeat("é", maxText/2)
	require.Equal(t, clipped, status.Envoys[0].Node)
	require.Equal(t, clipped, status.Envoys[0].Cluster)
	require.Equal(t, clipped, status.Envoys[0].UserAgent)
	require.Equal(t, clipped, status.Envoys[0].FilterFormat)
	require.Equal(t, clipped, status.Envoys[0].Types[0].Acknowledged)
	text := status.Envoys[0].Types[0].LastNack.Text
	require.LessOrEqual(t, len(text), maxText)
	require.Greater(t, len(text), maxText-8)
	require.True(t, utf8.ValidString(text), "whole characters")
	require.Regexp(t, `^which é+ \[…\] é+ why$`, text)
}

func TestMetrics(t *testing.T) {
	p := start(t)
	envoys := running(p, "good", 2)
	p.publish("bad")
	for _, e := range envoys {
		e.nack(e.nextIndex("bad"), "cannot load")
	}
	envoys[0].ack(envoys[0].nextIndex("good"))
	envoys[1].nextIndex("good") // yet to answer
	envoys[0].untilRuns(ecds, "good")

	require.NoError(t, testutil.GatherAndCompare(p.registry, strings.NewReader(`
# HELP adsidecar_xds_acks_total Responses that an Envoy acknowledged.
# TYPE adsidecar_xds_acks_total counter
adsidecar_xds_acks_total{type="cds"} 0
adsidecar_xds_acks_total{type="ecds"} 3
adsidecar_xds_acks_total{type="lds"} 0
# HELP adsidecar_xds_envoys Connected Envoys, and those of them that do not run what is on offer.
# TYPE adsidecar_xds_envoys gauge
adsidecar_xds_envoys{state="connected"} 2
adsidecar_xds_envoys{state="out_of_sync"} 1
# HELP adsidecar_xds_nacks_total Responses that an Envoy rejected.
# TYPE adsidecar_xds_nacks_total counter
adsidecar_xds_nacks_total{type="cds"} 0
adsidecar_xds_nacks_total{type="ecds"} 2
adsidecar_xds_nacks_total{type="lds"} 0
# HELP adsidecar_xds_pushes_total Responses sent to Envoys.
# TYPE adsidecar_xds_pushes_total counter
adsidecar_xds_pushes_total{type="cds"} 0
adsidecar_xds_pushes_total{type="ecds"} 6
adsidecar_xds_pushes_total{type="lds"} 0
# HELP adsidecar_xds_quarantined_versions Versions that Envoys rejected and that are not offered again.
# TYPE adsidecar_xds_quarantined_versions gauge
adsidecar_xds_quarantined_versions 1
# HELP adsidecar_xds_rollbacks_total Versions that were taken back because Envoys rejected them.
# TYPE adsidecar_xds_rollbacks_total counter
adsidecar_xds_rollbacks_total{type="cds"} 0
adsidecar_xds_rollbacks_total{type="ecds"} 1
adsidecar_xds_rollbacks_total{type="lds"} 0
`)))

	_, err := New(Config{Registerer: p.registry})
	require.ErrorContains(t, err, "register metrics")
}
