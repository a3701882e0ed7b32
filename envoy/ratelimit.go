package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	localratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

const (
	rateLimitFilter = "envoy.filters.http.local_ratelimit"
	// rateLimitedAddresses is how many clients are counted at once. The one that has been silent for longest is forgotten for a new one,
	// and so begins anew: who commands more addresses than this is not limited. It is more than a /48 of IPv6 has networks.
	rateLimitedAddresses = 100_000
	ipv6NetworkBits      = 64
)

// signInLimit is a token bucket for each client address, shared by all workers and by the routes that enable it; a bucket in a route's
// own configuration would be that route's alone, and each stage prefix would double the limit.
func signInLimit(r gateway.Rate) *hcmv3.HttpFilter {
	bucket := &typev3.TokenBucket{
		MaxTokens:     r.Requests,
		TokensPerFill: wrapperspb.UInt32(r.Requests),
		FillInterval:  duration(r.Per.D()), // Envoy fills it steadily, not at its end
	}
	always := &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
	return &hcmv3.HttpFilter{
		Name:     rateLimitFilter,
		Disabled: true,
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: mustAny(&localratelimitv3.LocalRateLimit{
			StatPrefix:     SignInLimit,
			FilterEnabled:  always,
			FilterEnforced: always,
			// Of what has no address, which is nothing that comes over TCP.
			TokenBucket:                     bucket,
			AlwaysConsumeDefaultTokenBucket: wrapperspb.Bool(false),
			RateLimits: []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{{
				ActionSpecifier: &routev3.RateLimit_Action_MaskedRemoteAddress_{MaskedRemoteAddress: &routev3.RateLimit_Action_MaskedRemoteAddress{
					V6PrefixMaskLen: wrapperspb.UInt32(ipv6NetworkBits),
				}},
			}}}},
			Descriptors: []*ratelimitv3.LocalRateLimitDescriptor{{
				// Without a value: a bucket for each one that comes.
				Entries:     []*ratelimitv3.RateLimitDescriptor_Entry{{Key: "masked_remote_address"}},
				TokenBucket: bucket,
			}},
			MaxDynamicDescriptors:  wrapperspb.UInt32(rateLimitedAddresses),
			EnableRetryAfterHeader: true,
		})},
	}
}

// enabled switches on, for a route, a filter that is disabled in the chain.
func enabled() *anypb.Any { return mustAny(&routev3.FilterConfig{Config: &anypb.Any{}}) }
