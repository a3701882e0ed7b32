package envoy

import (
	"maps"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

const (
	usersTimeout = 15 * time.Second
	// usersReadTry is how long one try of a read may take: more than the service gives itself, so only a server that froze is left.
	usersReadTry        = 11 * time.Second
	usersConnectTimeout = time.Second
	// usersIdleTimeout is below the two minutes after which the service closes an idle connection: a request never meets a connection
	// that the other side is about to close.
	usersIdleTimeout = time.Minute
	// usersMaxRequests bounds what waits for one endpoint of the service, and usersMaxRetries the retries among it. Envoy's own limit of
	// three retries at a time would fail most reads that a server's end interrupts.
	usersMaxRequests = 1024
	usersMaxRetries  = 256
	// usersDocument is the cluster of the API's document, which is public and long: whoever reads it a thousand times at once takes no
	// place from those who read records.
	usersDocument            = "users-document"
	usersDocumentMaxRequests = 64

	bufferFilter = "envoy.filters.http.buffer"
	// usersMaxBody is the longest body that the service takes.
	usersMaxBody = 64 << 10
)

// usersBuffer holds a request back until it is whole. The service is given each one at once, so a client that sends slowly takes up no
// place among usersMaxRequests; a thousand of those would keep out everybody else.
func usersBuffer() *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name:       bufferFilter,
		Disabled:   true, // but on the routes of the service
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: mustAny(&bufferv3.Buffer{MaxRequestBytes: wrapperspb.UInt32(usersMaxBody)})},
	}
}

// usersRoutes are the paths of the user service below stage, rewritten to the bare ones. The service verifies tokens again; whatever
// needs none does not get one.
func usersRoutes(stage string) []*routev3.Route {
	// The limit is for what is tried: other methods are a 405 of the service.
	limited := withoutToken(only(usersRoute(stage, gateway.Authenticate, gateway.Authenticate.Path()), "POST"))
	limited.TypedPerFilterConfig[rateLimitFilter] = enabled()
	routes := []*routev3.Route{limited, withoutToken(usersRoute(stage, gateway.Authenticate, gateway.Authenticate.Path()))}
	routes = append(routes, guarded(usersRoute(stage, gateway.Create, gateway.Create.Path()))...)

	// Only what changes nothing is sent again after a server may have begun with it.
	read := only(usersRoute(stage, gateway.Read, gateway.Read.Path()), "GET|HEAD")
	read.GetRoute().RetryPolicy = readRetries()
	routes = append(routes, guarded(read)...)
	routes = append(routes, usersRoute(stage, gateway.Read, gateway.Read.Path()))
	routes = append(routes, guarded(usersRoute(stage, gateway.Update, gateway.Update.Path()))...)

	for _, e := range gateway.Endpoints {
		routes = append(routes, withoutToken(usersRoute(stage, e, e.HealthPath())))
	}
	document := withoutToken(usersRoute(stage, gateway.Read, gateway.UsersDocument))
	document.Name = usersDocument
	document.GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: usersDocument}
	return append(routes, document)
}

// usersRoute leads to the servers of e. It needs a token, and sends again only what no server has begun to work on.
func usersRoute(stage string, e gateway.Endpoint, path string) *routev3.Route {
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: usersCluster(e)},
		Timeout:          duration(usersTimeout),
		IdleTimeout:      duration(usersTimeout),
		RetryPolicy:      elsewhere(retries()),
	}
	if stage != "" {
		action.PrefixRewrite = path
	}
	return &routev3.Route{
		Name:   usersCluster(e),
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: stage + path}},
		Action: &routev3.Route_Route{Route: action},

		TypedPerFilterConfig: map[string]*anypb.Any{bufferFilter: enabled()},
	}
}

func withoutToken(r *routev3.Route) *routev3.Route {
	maps.Copy(r.TypedPerFilterConfig, public())
	r.RequestHeadersToRemove = []string{"authorization"}
	return r
}

// only restricts r to methods that match a pattern.
func only(r *routev3.Route, methods string) *routev3.Route {
	r.Match.Headers = append(r.Match.Headers, &routev3.HeaderMatcher{
		Name: ":method",
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: methods}},
		}},
	})
	return r
}

// readRetries are for any failure without an answer. An answer is never replaced: a 503 of the service is its own word.
func readRetries() *routev3.RetryPolicy {
	p := elsewhere(retries())
	p.RetryOn += ",reset"
	p.PerTryTimeout = duration(usersReadTry)
	return p
}

// elsewhere sends retries to servers that have not been tried, as long as picking a server at random five times finds one.
func elsewhere(p *routev3.RetryPolicy) *routev3.RetryPolicy {
	p.RetryHostPredicate = []*routev3.RetryPolicy_RetryHostPredicate{{
		Name: "envoy.retry_host_predicates.previous_hosts",
		ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
			TypedConfig: mustAny(&previoushostsv3.PreviousHostsPredicate{}),
		},
	}}
	p.HostSelectionRetryMaxAttempts = 5
	return p
}

func usersCluster(e gateway.Endpoint) string { return "users-" + string(e) }

// usersClusters are one for each endpoint of the user service, and one for its document.
func usersClusters(c *gateway.Config) []*clusterv3.Cluster {
	clusters := make([]*clusterv3.Cluster, 0, len(gateway.Endpoints)+1)
	for _, e := range gateway.Endpoints {
		cl := usersServers(usersCluster(e), c.UsersEndpoints(e), e.HealthPath(), usersMaxRequests)
		if e == gateway.Read {
			overHTTP1(cl)
		}
		clusters = append(clusters, cl)
	}
	// Every process has the document.
	return append(clusters, usersServers(usersDocument, c.UsersEndpoints(gateway.Read), gateway.Read.HealthPath(), usersDocumentMaxRequests))
}

// usersServers are processes of the user service that are healthy while they answer at healthPath.
func usersServers(name string, endpoints []string, healthPath string, maxRequests uint32) *clusterv3.Cluster {
	cl := cluster(name, endpoints, usersConnectTimeout)
	cl.TypedExtensionProtocolOptions = http2With(&corev3.Http2ProtocolOptions{
		InitialStreamWindowSize:     wrapperspb.UInt32(http2StreamWindowBytes),
		InitialConnectionWindowSize: wrapperspb.UInt32(http2ConnectionWindowBytes),
		// A server that froze or vanished without closing: what waits for it fails, and reads are tried elsewhere.
		ConnectionKeepalive: &corev3.KeepaliveSettings{Interval: duration(5 * time.Second), Timeout: duration(2 * time.Second)},
	}, &corev3.HttpProtocolOptions{IdleTimeout: duration(usersIdleTimeout)})
	cl.CircuitBreakers = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     wrapperspb.UInt32(maxRequests),
		MaxRequests:        wrapperspb.UInt32(maxRequests),
		MaxPendingRequests: wrapperspb.UInt32(maxRequests),
		MaxRetries:         wrapperspb.UInt32(usersMaxRetries),
	}}}
	cl.HealthChecks = []*corev3.HealthCheck{{
		Interval:           duration(time.Second),
		Timeout:            duration(time.Second),
		NoTrafficInterval:  duration(time.Second), // Envoy's own is 60 s
		HealthyThreshold:   wrapperspb.UInt32(1),
		UnhealthyThreshold: wrapperspb.UInt32(2),
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{
			Path: healthPath, Host: name, CodecClientType: typev3.CodecClientType_HTTP2,
		}},
	}}
	// While one server is ready, those that are not get nothing. When none is, all get requests: their own answer says more.
	cl.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{
		HealthyPanicThreshold: &typev3.Percent{Value: 1},
		// Envoy's own is 1 s: so long would the workers not learn of a second server's change.
		UpdateMergeWindow: duration(0),
	}
	cl.OutlierDetection = usersOutliers()
	return cl
}

// overHTTP1 is for reads, which may be sent again. Of an answer that was begun nothing can be, and Go's server sends one in two parts over
// HTTP/2, between which it may be killed, and in one over HTTP/1.
func overHTTP1(cl *clusterv3.Cluster) {
	cl.TypedExtensionProtocolOptions = http1With(&corev3.HttpProtocolOptions{IdleTimeout: duration(usersIdleTimeout)})
	cl.HealthChecks[0].GetHttpHealthCheck().CodecClientType = typev3.CodecClientType_HTTP1
}

// usersOutliers take out a server that cannot be connected to, sooner than its health check does. What a server answers, a 503 too, is
// not judged: the health check does that, and no client's request may take out a server. Resets hardly count, as Envoy takes each
// stream's begin for a success.
func usersOutliers() *clusterv3.OutlierDetection {
	return &clusterv3.OutlierDetection{
		SplitExternalLocalOriginErrors: true,
		ConsecutiveLocalOriginFailure:  wrapperspb.UInt32(3),
		Interval:                       duration(time.Second), // of ending ejections
		BaseEjectionTime:               duration(5 * time.Second),
		MaxEjectionTime:                duration(30 * time.Second),
		MaxEjectionPercent:             wrapperspb.UInt32(50),
		// A health check can pass, on the connection that it has, while new ones are refused.
		SuccessfulActiveHealthCheckUnejectHost: wrapperspb.Bool(false),
		EnforcingConsecutive_5Xx:               wrapperspb.UInt32(0),
		EnforcingSuccessRate:                   wrapperspb.UInt32(0),
		EnforcingLocalOriginSuccessRate:        wrapperspb.UInt32(0),
	}
}
