package envoy

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

// Clusters are those that routes and the token check refer to: the empty one, one a JWKS host, one an upstream, one an
// endpoint of the user service.
func Clusters(c *gateway.Config) []*clusterv3.Cluster {
	clusters := []*clusterv3.Cluster{{
		Name:                 noUpstream,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       duration(time.Second),
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: noUpstream},
	}}
	seen := map[string]bool{}
	for i := range c.Issuers {
		is := &c.Issuers[i]
		if name := jwksCluster(is); !seen[name] {
			seen[name] = true
			clusters = append(clusters, keysCluster(name, is))
		}
	}
	for i := range c.Upstreams {
		clusters = append(clusters, upstream(&c.Upstreams[i]))
	}
	if c.Users != nil {
		clusters = append(clusters, usersClusters(c)...)
	}
	return clusters
}

func upstreamCluster(name string) string { return "upstream-" + name }

// keysCluster leads to an issuer's JWKS.
func keysCluster(name string, is *gateway.Issuer) *clusterv3.Cluster {
	u, err := url.Parse(is.JWKSURL)
	if err != nil { // validated; without an endpoint no key is found and every token is refused
		u = &url.URL{}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443"}[u.Scheme]
		if port == "" {
			port = "80"
		}
	}
	cl := cluster(name, []string{net.JoinHostPort(u.Hostname(), port)}, jwksTimeout)
	// Envoy takes a cluster's name in a statistic to end at the first dot; the host's rest would become part of the statistic's name.
	cl.AltStatName = strings.NewReplacer(".", "_", ":", "_").Replace(name)
	if u.Scheme == "https" {
		cl.TransportSocket = tls(u.Hostname(), is.CAFile, "", "")
	}
	return cl
}

// cluster of endpoints host:port: static where all are IP addresses, else resolved by DNS.
func cluster(name string, endpoints []string, connectTimeout time.Duration) *clusterv3.Cluster {
	lb := make([]*endpointv3.LbEndpoint, len(endpoints))
	discovery := clusterv3.Cluster_STATIC
	for i, e := range endpoints {
		lb[i] = &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(e)}}}
		host, _, _ := net.SplitHostPort(e)
		if _, err := netip.ParseAddr(host); err != nil {
			discovery = clusterv3.Cluster_STRICT_DNS
		}
	}
	cl := &clusterv3.Cluster{
		Name:                          name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: discovery},
		ConnectTimeout:                duration(connectTimeout),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimitBytes),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: lb}},
		},
	}
	if discovery == clusterv3.Cluster_STRICT_DNS {
		// Hosts with an unreachable IPv6 address would cost a timeout each.
		cl.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED
	}
	return cl
}

func upstream(u *gateway.Upstream) *clusterv3.Cluster {
	cl := cluster(upstreamCluster(u.Name), u.Endpoints, u.ConnectTimeout.D())
	if u.Protocol != gateway.HTTP1 {
		cl.TypedExtensionProtocolOptions = http2(&corev3.Http2ProtocolOptions{
			InitialStreamWindowSize:     wrapperspb.UInt32(http2StreamWindowBytes),
			InitialConnectionWindowSize: wrapperspb.UInt32(http2ConnectionWindowBytes),
		})
	}
	if u.TLS != nil {
		cl.TransportSocket = tls(u.TLS.ServerName, u.TLS.CAFile, "", "")
	}
	cl.CircuitBreakers = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     wrapperspb.UInt32(u.MaxConnections),
		MaxRequests:        wrapperspb.UInt32(u.MaxRequests),
		MaxPendingRequests: wrapperspb.UInt32(u.MaxPending),
	}}}
	if u.HealthCheck != nil {
		cl.HealthChecks = []*corev3.HealthCheck{healthCheck(u)}
		// Envoy's own is 50: with half of the servers ill all of them get requests again, the ill ones too.
		cl.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: 0}}
	}
	return cl
}

func healthCheck(u *gateway.Upstream) *corev3.HealthCheck {
	h := &corev3.HealthCheck{
		Interval:           duration(u.HealthCheck.Interval.D()),
		Timeout:            duration(u.HealthCheck.Timeout.D()),
		HealthyThreshold:   wrapperspb.UInt32(u.HealthCheck.Healthy),
		UnhealthyThreshold: wrapperspb.UInt32(u.HealthCheck.Unhealthy),
		NoTrafficInterval:  duration(u.HealthCheck.Interval.D()), // Envoy's own is 60 s: too long to see the first server come up
	}
	switch u.Protocol {
	case gateway.GRPC:
		h.HealthChecker = &corev3.HealthCheck_GrpcHealthCheck_{GrpcHealthCheck: &corev3.HealthCheck_GrpcHealthCheck{}}
	default:
		check := &corev3.HealthCheck_HttpHealthCheck{Path: u.HealthCheck.Path, Host: u.Name}
		if u.Protocol == gateway.HTTP2 {
			check.CodecClientType = typev3.CodecClientType_HTTP2
		}
		h.HealthChecker = &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: check}
	}
	return h
}

// http2 makes a cluster speak HTTP/2, in plaintext with prior knowledge.
func http2(o *corev3.Http2ProtocolOptions) map[string]*anypb.Any { return http2With(o, nil) }

// http2With is http2 with options that any protocol has.
func http2With(o *corev3.Http2ProtocolOptions, common *corev3.HttpProtocolOptions) map[string]*anypb.Any {
	return protocol(common, &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: o},
	})
}

// http1With makes a cluster speak HTTP/1.1.
func http1With(common *corev3.HttpProtocolOptions) map[string]*anypb.Any {
	return protocol(common, &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}},
	})
}

func protocol(common *corev3.HttpProtocolOptions, explicit *upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": mustAny(&upstreamsv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: common,
		UpstreamProtocolOptions:   &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit},
	})}
}

// tls verifies a server by name (a wildcard certificate counts); certFile and keyFile are ours, where it asks for one.
func tls(serverName, caFile, certFile, keyFile string) *corev3.TransportSocket {
	validation := &tlsv3.CertificateValidationContext{
		TrustedCa: file(caFile),
		MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
			SanType: sanType(serverName),
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: serverName}},
		}},
	}
	common := &tlsv3.CommonTlsContext{
		TlsParams:             &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation},
	}
	if certFile != "" {
		common.TlsCertificates = []*tlsv3.TlsCertificate{{CertificateChain: file(certFile), PrivateKey: file(keyFile)}}
	}
	sni := serverName
	if sanType(serverName) == tlsv3.SubjectAltNameMatcher_IP_ADDRESS {
		sni = "" // RFC 6066: no IP addresses
	}
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: mustAny(&tlsv3.UpstreamTlsContext{Sni: sni, CommonTlsContext: common})},
	}
}

func sanType(name string) tlsv3.SubjectAltNameMatcher_SanType {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	}
	return tlsv3.SubjectAltNameMatcher_DNS
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}
