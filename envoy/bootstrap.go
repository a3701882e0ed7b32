package envoy

import (
	"fmt"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"sigs.k8s.io/yaml"

	"adsidecar/envoy/gateway"
)

// FormatKey is the node metadata in which an Envoy tells the control plane which index format its filter reads.
const FormatKey = "adsidecar.format"

// BootstrapOptions are what a bootstrap has beyond the gateway's configuration.
type BootstrapOptions struct {
	// NodeID names this Envoy; empty: the configured one.
	NodeID string
	// Format is the index format that the filter reads.
	Format int
	// Static puts the listener and the clusters into the bootstrap; only the index still comes from the control plane.
	Static bool
	// Index, with Static, is what the filter serves until the control plane sends another: for an Envoy that must start and serve
	// while no control plane is up. It becomes part of the bootstrap.
	Index []byte
}

// Bootstrap is what an Envoy starts with: who it is, where the control plane is, its limits.
func Bootstrap(c *gateway.Config, o BootstrapOptions) *bootstrapv3.Bootstrap {
	node := o.NodeID
	if node == "" {
		node = c.Envoy.NodeID
	}
	b := &bootstrapv3.Bootstrap{
		Node: &corev3.Node{
			Id:      node,
			Cluster: c.Envoy.Cluster,
			Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
				FormatKey: structpb.NewStringValue(fmt.Sprint(o.Format)),
			}},
		},
		Admin: &bootstrapv3.Admin{Address: address(c.Envoy.AdminAddress)},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			AdsConfig: &corev3.ApiConfigSource{
				ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
				TransportApiVersion:       corev3.ApiVersion_V3,
				SetNodeOnFirstMessageOnly: true,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
					ClusterName: XDSCluster,
					// Envoy's own backoff grows to 30 s: a control plane that is back would wait that long for its Envoys.
					RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
						BaseInterval: duration(250 * time.Millisecond),
						MaxInterval:  duration(2 * time.Second),
					}},
				}}}},
			},
		},
		StaticResources:    &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{xdsCluster(&c.XDS)}},
		LayeredRuntime:     runtime(c),
		OverloadManager:    overload(c),
		StatsSinks:         []*metricsv3.StatsSink{statsSink()},
		StatsFlushInterval: duration(statsInterval),
		StatsConfig:        statsConfig(c.Envoy.Stats),
	}
	if o.Static {
		b.StaticResources.Listeners = Listeners(c, o.Index)
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, Clusters(c)...)
	} else {
		b.DynamicResources.LdsConfig = ads()
		b.DynamicResources.CdsConfig = ads()
	}
	return b
}

func xdsCluster(x *gateway.XDS) *clusterv3.Cluster {
	cl := cluster(XDSCluster, []string{x.Connect}, time.Second)
	// Indexes are large: the windows are Envoy's defaults, not the edge's.
	cl.PerConnectionBufferLimitBytes = wrapperspb.UInt32(1 << 20)
	cl.TypedExtensionProtocolOptions = http2(&corev3.Http2ProtocolOptions{
		// A control plane that vanished without closing is noticed, and the next replica asked.
		ConnectionKeepalive: &corev3.KeepaliveSettings{Interval: duration(30 * time.Second), Timeout: duration(5 * time.Second)},
	})
	if t := x.TLS; t != nil {
		cl.TransportSocket = tls(t.ServerName, t.CAFile, t.ClientCertFile, t.ClientKeyFile)
	}
	return cl
}

// runtime limits connections and HTTP/2 resets.
func runtime(c *gateway.Config) *bootstrapv3.LayeredRuntime {
	layer := &structpb.Struct{Fields: map[string]*structpb.Value{
		"envoy.resource_limits.listener." + ListenerName + ".connection_limit": structpb.NewNumberValue(float64(c.Listener.MaxConnections)),
		// HTTP/2 rapid reset (GHSA-jhv4-f7mr-xx76): one connection's requests take turns with the others', and one that resets most of
		// its streams is closed.
		"http.max_requests_per_io_cycle":                       structpb.NewNumberValue(1),
		"overload.premature_reset_total_stream_count":          structpb.NewNumberValue(500),
		"overload.premature_reset_min_stream_lifetime_seconds": structpb.NewNumberValue(1),
	}}
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name:           "static",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: layer},
	}}}
}

func overload(c *gateway.Config) *overloadv3.OverloadManager {
	m := &overloadv3.OverloadManager{
		RefreshInterval: duration(250 * time.Millisecond),
		ResourceMonitors: []*overloadv3.ResourceMonitor{monitor("envoy.resource_monitors.global_downstream_max_connections",
			&connectionsv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: int64(c.Envoy.MaxConnections)})},
	}
	if c.Envoy.MaxHeapMiB > 0 {
		const heap = "envoy.resource_monitors.fixed_heap"
		m.ResourceMonitors = append(m.ResourceMonitors, monitor(heap, &heapv3.FixedHeapConfig{MaxHeapSizeBytes: c.Envoy.MaxHeapMiB << 20}))
		m.Actions = []*overloadv3.OverloadAction{
			action("envoy.overload_actions.disable_http_keepalive", heap, 0.92),
			action("envoy.overload_actions.shrink_heap", heap, 0.95),
			action("envoy.overload_actions.stop_accepting_requests", heap, 0.98),
		}
		m.LoadshedPoints = []*overloadv3.LoadShedPoint{{
			Name:     "envoy.load_shed_points.tcp_listener_accept",
			Triggers: []*overloadv3.Trigger{threshold(heap, 0.95)},
		}}
	}
	return m
}

func monitor(name string, m proto.Message) *overloadv3.ResourceMonitor {
	return &overloadv3.ResourceMonitor{Name: name, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: mustAny(m)}}
}

func action(name, resource string, at float64) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{Name: name, Triggers: []*overloadv3.Trigger{threshold(resource, at)}}
}

func threshold(resource string, at float64) *overloadv3.Trigger {
	return &overloadv3.Trigger{
		Name:         resource,
		TriggerOneof: &overloadv3.Trigger_Threshold{Threshold: &overloadv3.ThresholdTrigger{Value: at}},
	}
}

// YAML renders a resource as Envoy reads it, with keys in order, so that equal resources are equal texts.
func YAML(m proto.Message) ([]byte, error) {
	json, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(json)
}
