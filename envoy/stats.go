package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
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
// It sends all that were ever used, 18 kB each time. Envoy has no choice of what this sink is sent: a stats_matcher in the bootstrap
// would keep the others from being made at all, and so from /stats on the admin address, where operators look for what is wrong with
// a cluster or a listener. The control plane drops them unread.
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
