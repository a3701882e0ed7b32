package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

// Edge limits that are not configured: the values of Envoy's "Configuring Envoy as an edge proxy".
const (
	bufferLimitBytes           = 32 << 10
	http2MaxStreams            = 100
	http2StreamWindowBytes     = 64 << 10
	http2ConnectionWindowBytes = 1 << 20
	maxHeaders                 = 100
)

// Listeners are the gateway's listeners: one, plain HTTP. index is the configuration of the filter that serves until the first one
// arrives over ECDS; nil stands for "no index" (see [AdsResource]).
func Listeners(c *gateway.Config, index []byte) []*listenerv3.Listener {
	return []*listenerv3.Listener{{
		Name:                          ListenerName,
		StatPrefix:                    ListenerName,
		Address:                       address(c.Listener.Address),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimitBytes),
		FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: mustAny(connectionManager(c, index))},
			}},
		}},
	}}
}

func connectionManager(c *gateway.Config, index []byte) *hcmv3.HttpConnectionManager {
	l := &c.Listener
	m := &hcmv3.HttpConnectionManager{
		StatPrefix:       ListenerName,
		CodecType:        hcmv3.HttpConnectionManager_AUTO,
		RouteSpecifier:   &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routeConfiguration(c)},
		HttpFilters:      httpFilters(c, index),
		AccessLog:        accessLog(c),
		LocalReplyConfig: localReplies(c),
		// The client is the TCP peer, behind this many proxies of ours. X-Forwarded-For beyond them is the client's own word.
		UseRemoteAddress:  wrapperspb.Bool(true),
		XffNumTrustedHops: l.TrustedHops,
		// One form of a path for routes, the filter and the access log; an escaped slash has no business in this API.
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_REJECT_REQUEST,
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout:                  duration(l.IdleTimeout.D()),
			MaxHeadersCount:              wrapperspb.UInt32(maxHeaders),
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
		},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        wrapperspb.UInt32(http2MaxStreams),
			InitialStreamWindowSize:     wrapperspb.UInt32(http2StreamWindowBytes),
			InitialConnectionWindowSize: wrapperspb.UInt32(http2ConnectionWindowBytes),
			// A malformed request ends its stream, not the connection with all the others on it.
			OverrideStreamErrorOnInvalidHttpMessage: wrapperspb.Bool(true),
		},
		MaxRequestHeadersKb:   wrapperspb.UInt32(l.MaxHeaderKiB),
		RequestHeadersTimeout: duration(l.HeadersTimeout.D()),
		RequestTimeout:        duration(l.RequestTimeout.D()),
		// PASS_THROUGH together with no upstream's header: the answers do not name Envoy.
		ServerHeaderTransformation:      hcmv3.HttpConnectionManager_PASS_THROUGH,
		AlwaysSetRequestIdInResponse:    true,
		StreamErrorOnInvalidHttpMessage: wrapperspb.Bool(true), // else every 400, the filter's too, closes an HTTP/1 connection
	}
	if age := l.MaxConnectionAge.D(); age > 0 {
		m.CommonHttpProtocolOptions.MaxConnectionDuration = duration(age)
	}
	return m
}

// httpFilters are in this order because each protects the next: how often (local_ratelimit, on sign-ins alone), who asks (jwt_authn
// verifies the token), whether they may (rbac judges its claims), and only then our code, on the ad route alone, or the user service,
// which gets whole requests (buffer, on its routes alone).
func httpFilters(c *gateway.Config, index []byte) []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{
		{Name: jwtFilter, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: mustAny(jwtAuthentication(c))}},
		{Name: rbacFilter, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: mustAny(tokenRules(c))}},
		adsFilter(c, index),
	}
	if c.Users != nil {
		filters = append([]*hcmv3.HttpFilter{signInLimit(c.Users.SignInRate)}, filters...)
		filters = append(filters, usersBuffer())
	}
	return append(filters, &hcmv3.HttpFilter{
		Name: "envoy.filters.http.router",
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: mustAny(&routerv3.Router{
			// No x-envoy-* headers towards clients.
			SuppressEnvoyHeaders: true,
		})},
	})
}
