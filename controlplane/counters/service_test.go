package counters

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/service/metrics/v3"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestStatusIsWhatAnEnvoyReports(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	for i, name := range []string{
		"wasmcustom.adsidecar.served", "wasmcustom.adsidecar.no_ad", "wasmcustom.adsidecar.bad_request", "wasmcustom.adsidecar.unavailable",
		"wasmcustom.adsidecar.internal", "http.public.jwt_authn.denied", "http.public.rbac.denied", "sign_in.http_local_rate_limit.rate_limited",
		"http.public.downstream_rq_total", "http.public.downstream_rq_2xx", "http.public.downstream_rq_3xx", "http.public.downstream_rq_4xx",
		"http.public.downstream_rq_5xx",
	} {
		e.counters[name] = float64(i + 1)
	}
	for i, name := range []string{
		"server.memory_allocated", "server.memory_physical_size", "http.public.downstream_cx_active", "http.public.downstream_rq_active",
		"wasmcustom.adsidecar.ads", "wasmcustom.adsidecar.source_time",
	} {
		e.gauges[name] = float64(101 + i)
	}
	c.pass(7 * time.Second)
	e.report(t, s)
	c.pass(2 * time.Second)

	ads, sourceTime := uint64(105), time.Unix(106, 0).UTC()
	counts := Counts[uint64]{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
	require.Equal(t, Status{
		Since: c.at.Add(-9 * time.Second), Totals: counts,
		Envoys: []EnvoyStatus{{
			Node: "a", Cluster: "edge", Connected: true, Processes: 1, Totals: counts,
			Last: &Report{
				Time: c.at.Add(-2 * time.Second), Age: 2, UptimeSeconds: 7, Live: true, MemoryAllocated: 101, MemoryPhysical: 102,
				ActiveConnections: 103, ActiveRequests: 104, Ads: &ads, SourceTime: &sourceTime,
			},
		}},
	}, s.Status())
}

func TestEnvoyWithoutAReport(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	e.connect(s)
	require.NoError(t, e.stream.send(&metricsv3.StreamMetricsMessage{Identifier: e.identifier()}))
	require.Equal(t, []EnvoyStatus{{Node: "a", Cluster: "edge", Connected: true}}, s.Status().Envoys)
}

func TestReportInSeveralMessages(t *testing.T) {
	s, c := newService(t)
	e := startEnvoy(c, "a")
	leaveAll(t, e)
	e.connect(s)
	send := func(families ...*dto.MetricFamily) {
		t.Helper()
		require.NoError(t, e.stream.send(&metricsv3.StreamMetricsMessage{Identifier: e.identifier(), EnvoyMetrics: families}))
	}
	at := c.at.UnixMilli()
	send(family("wasmcustom.adsidecar.served", dto.MetricType_COUNTER, 3, at))
	require.Zero(t, s.Status().Totals.Served, "whose counter it is shows at the report's end")
	send(family("wasmcustom.adsidecar.no_ad", dto.MetricType_COUNTER, 2, at), family("server.uptime", dto.MetricType_GAUGE, 0, at))
	send(family("wasmcustom.adsidecar.ads", dto.MetricType_GAUGE, 1, at))
	require.Equal(t, Counts[uint64]{Served: 3, NoAd: 2}, s.Status().Totals)
	send(family("wasmcustom.adsidecar.served", dto.MetricType_COUNTER, 4, at))
	require.EqualValues(t, 3, s.Status().Totals.Served)
	send(family("server.uptime", dto.MetricType_GAUGE, 5, at))
	require.Equal(t, Counts[uint64]{Served: 4, NoAd: 2}, s.Status().Totals)
}

func TestStreamThatIsRefused(t *testing.T) {
	node := func(id, cluster string) *metricsv3.StreamMetricsMessage_Identifier {
		return &metricsv3.StreamMetricsMessage_Identifier{Node: &corev3.Node{Id: id, Cluster: cluster}}
	}
	tests := map[string]struct {
		message *metricsv3.StreamMetricsMessage
		code    codes.Code
	}{
		"without an identifier": {&metricsv3.StreamMetricsMessage{}, codes.InvalidArgument},
		"without a node id":     {&metricsv3.StreamMetricsMessage{Identifier: node("", "edge")}, codes.InvalidArgument},
		"with a long id":        {&metricsv3.StreamMetricsMessage{Identifier: node(strings.Repeat("x", 256), "")}, codes.InvalidArgument},
		"with a long cluster":   {&metricsv3.StreamMetricsMessage{Identifier: node("a", strings.Repeat("x", 256))}, codes.InvalidArgument},
		"with too many metrics": {
			&metricsv3.StreamMetricsMessage{Identifier: node("a", ""), EnvoyMetrics: make([]*dto.MetricFamily, 10_001)}, codes.InvalidArgument,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newService(t)
			require.Equal(t, tt.code, status.Code(newFakeStream(s).send(tt.message)))
			for _, e := range s.Status().Envoys {
				require.False(t, e.Connected)
			}
		})
	}
}

func TestStreamsOfANodeAreBounded(t *testing.T) {
	s, c := newService(t)
	var all []*fakeEnvoy
	for range maxStreams {
		e := startEnvoy(c, "a")
		e.report(t, s)
		all = append(all, e)
	}
	leaveAll(t, all...)
	more := startEnvoy(c, "a")
	more.connect(s)
	err := more.stream.send(&metricsv3.StreamMetricsMessage{Identifier: more.identifier()})
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	all[0].leave(t)
	more.stream = nil
	more.report(t, s)
	all[0] = more
}

func TestEnvoysAreBounded(t *testing.T) {
	s, c := newService(t)
	s.fleet.limit = 2
	a, b, d := startEnvoy(c, "a"), startEnvoy(c, "b"), startEnvoy(c, "d")
	leaveAll(t, a, b)
	a.serve(1)
	a.report(t, s)
	b.report(t, s)
	d.connect(s)
	require.Equal(t, codes.ResourceExhausted, status.Code(d.stream.send(&metricsv3.StreamMetricsMessage{Identifier: d.identifier()})))

	a.leave(t) // makes room, and is counted on
	c.pass(5 * time.Second)
	d.stream = nil
	leaveAll(t, d)
	d.serve(2)
	d.report(t, s)
	require.Equal(t, []string{"b", "d"}, nodes(s))
	require.EqualValues(t, 3, s.Status().Totals.Served)

	d.leave(t)
	c.pass(5 * time.Second)
	a.serve(4)
	a.report(t, s) // was forgotten: what it has counted by now may be counted already
	require.EqualValues(t, 3, s.Status().Totals.Served)
	a.serve(8)
	a.report(t, s)
	require.EqualValues(t, 11, s.Status().Totals.Served)
}

func TestEnvoysAreForgotten(t *testing.T) {
	s, c := newService(t)
	a, b := startEnvoy(c, "a"), startEnvoy(c, "b")
	leaveAll(t, a, b)
	c.pass(5 * time.Second)
	a.serve(1)
	a.report(t, s)
	b.report(t, s)
	c.pass(time.Hour)
	require.Equal(t, []string{"a", "b"}, nodes(s), "silent, but connected")

	a.leave(t)
	c.pass(10 * time.Minute)
	require.Equal(t, []string{"a", "b"}, nodes(s))
	c.pass(time.Second)
	require.Equal(t, []string{"b"}, nodes(s))
	require.EqualValues(t, 1, s.Status().Totals.Served)

	a.report(t, s)
	require.EqualValues(t, 1, s.Status().Totals.Served, "not twice")
	next := startEnvoy(c, "a")
	leaveAll(t, next)
	c.pass(5 * time.Second)
	next.serve(2)
	next.report(t, s)
	require.EqualValues(t, 3, s.Status().Totals.Served, "a new process is counted whole")
}

func nodes(s *Service) (ids []string) {
	for _, e := range s.Status().Envoys {
		ids = append(ids, e.Node)
	}
	return ids
}

func TestMetricsAreTheFleets(t *testing.T) {
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	registry := prometheus.NewPedanticRegistry()
	s, err := New(Config{Registerer: registry, Now: c.now})
	require.NoError(t, err)
	_, err = New(Config{Registerer: registry})
	require.Error(t, err, "twice on one registry")
	a, b, gone := startEnvoy(c, "a"), startEnvoy(c, "b"), startEnvoy(c, "gone")
	leaveAll(t, a, b)
	for i, e := range []*fakeEnvoy{a, b, gone} {
		e.serve(i + 1)
		e.counters["http.public.rbac.denied"] = 1
		e.counters["http.public.downstream_rq_total"] = 4
		e.counters["http.public.downstream_rq_2xx"] = 2
		e.report(t, s)
	}
	gone.leave(t)

	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += fmt.Sprintf("{%s=%q}", l.GetName(), l.GetValue())
			}
			if v := m.GetCounter().GetValue() + m.GetGauge().GetValue(); v != 0 {
				got[name] = v
			}
		}
	}
	require.Equal(t, map[string]float64{
		"adsidecar_envoy_reporting":                          2,
		`adsidecar_envoy_ad_requests_total{result="served"}`: 6,
		`adsidecar_envoy_refusals_total{reason="forbidden"}`: 3,
		`adsidecar_envoy_requests_total`:                     12,
		`adsidecar_envoy_responses_total{code="2xx"}`:        6,
	}, got)
}
