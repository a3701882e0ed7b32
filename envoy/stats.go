package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"adsidecar/envoy/gateway"
)

const (
	// statsInterval is how often an Envoy reports. It is Envoy's default, stated because the control plane's rates are made for it.
	statsInterval = 5 * time.Second
	// statsBatch is the number of metrics in a message: 2,000 are about 150 kB, far below what a gRPC server takes, however many upstreams
	// there are.
	statsBatch = 2000
)

// statsSink sends the Envoy's own counters and gauges to the control plane, over the cluster that it gets its configuration from.
//
// It sends all that were ever used, and the control plane drops unread what it does not know. Envoy has no choice of what this sink is
// sent; see [statsConfig].
//
// Absolute values rather than deltas: what was reported while no control plane listened is not lost. Full names rather than labels:
// they are shorter, and looked up as they are.
func statsSink() *metricsv3.StatsSink {
	return &metricsv3.StatsSink{
		Name: "envoy.stat_sinks.metrics_service",
		ConfigType: &metricsv3.StatsSink_TypedConfig{TypedConfig: mustAny(&metricsv3.MetricsServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
				ClusterName: XDSCluster,
			}}},
			// Histograms cannot be left out. By default each is sent in both forms.
			HistogramEmitMode: metricsv3.HistogramEmitMode_SUMMARY,
			BatchSize:         statsBatch,
		})},
	}
}

// ownStats are what the names of an Envoy's own statistics begin with: all that the control plane reads, and what docs/METRICS.md lists.
var ownStats = []string{
	"wasmcustom.adsidecar.", "http." + ListenerName + ".", SignInLimit + ".", "listener." + ListenerName + ".", "extension_config_discovery.", "control_plane.",
	"wasm.", "server.",
}

// clusterStats are those of a cluster that say whether it answers, for who looks at the admin address in an outage: RE2, of the whole name.
const clusterStats = `cluster\..+\.(membership_(total|healthy)|upstream_cx_(total|connect_fail)|upstream_rq_(total|active|timeout|[1-5]xx|pending_overflow)|ssl\.(handshake|connection_error|fail_.*))`

// statsConfig limits which statistics are made at all: nil, Envoy's default, is all of them, some 150 for each cluster. What is not made is
// not on the admin address either.
func statsConfig(stats string) *metricsv3.StatsConfig {
	if stats != gateway.StatsOwn {
		return nil
	}
	list := &matcherv3.ListStringMatcher{}
	for _, prefix := range ownStats {
		list.Patterns = append(list.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}})
	}
	list.Patterns = append(list.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
		SafeRegex: &matcherv3.RegexMatcher{Regex: clusterStats},
	}})
	return &metricsv3.StatsConfig{StatsMatcher: &metricsv3.StatsMatcher{StatsMatcher: &metricsv3.StatsMatcher_InclusionList{InclusionList: list}}}
}
