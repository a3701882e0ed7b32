package envoy

import (
	"net/url"
	"sort"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

const (
	jwtFilter  = "envoy.filters.http.jwt_authn"
	rbacFilter = "envoy.filters.http.rbac"
	// claimsKey and headerKey are where jwt_authn leaves a verified token's payload and header for rbac and the access log.
	claimsKey = "claims"
	headerKey = "header"

	jwksTimeout = 5 * time.Second
	// maxTokenBytes is the longest token that the cache keeps. Cognito's ID tokens grow with their custom attributes and groups.
	maxTokenBytes = 8 << 10
	// clockSkewSeconds is the most that an issuer's clock may differ from ours.
	clockSkewSeconds = 60
)

// jwtAuthentication asks every route for a token; public routes opt out one by one ([public]).
//
// A token comes raw or after "Bearer ". That takes one provider for each form and requires_any over them: a provider with two forms
// extracts both from a Bearer header, and all that is extracted must verify.
func jwtAuthentication(c *gateway.Config) *jwtv3.JwtAuthentication {
	j := &jwtv3.JwtAuthentication{Providers: map[string]*jwtv3.JwtProvider{}}
	var forms jwtv3.JwtRequirementOrList
	for i := range c.Issuers {
		for _, form := range []struct{ name, prefix string }{{"bearer", "Bearer "}, {"bearer_lower", "bearer "}, {"raw", ""}} {
			name := jwksCluster(&c.Issuers[i]) + "/" + c.Issuers[i].Issuer + "/" + form.name
			j.Providers[name] = provider(c, &c.Issuers[i], form.prefix)
			forms.Requirements = append(forms.Requirements, &jwtv3.JwtRequirement{
				RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: name},
			})
		}
	}
	j.Rules = []*jwtv3.RequirementRule{{
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		RequirementType: &jwtv3.RequirementRule_Requires{Requires: &jwtv3.JwtRequirement{
			RequiresType: &jwtv3.JwtRequirement_RequiresAny{RequiresAny: &forms},
		}},
	}}
	return j
}

func provider(c *gateway.Config, is *gateway.Issuer, prefix string) *jwtv3.JwtProvider {
	p := &jwtv3.JwtProvider{
		Issuer:            is.Issuer,
		RequireExpiration: true,
		ClockSkewSeconds:  clockSkewSeconds,
		// Explicit, because without it Envoy also takes tokens from the query, where logs would keep them.
		FromHeaders:       []*jwtv3.JwtHeader{{Name: "authorization", ValuePrefix: prefix}},
		Forward:           true, // routes remove it where the upstream needs none
		PayloadInMetadata: claimsKey,
		HeaderInMetadata:  headerKey,
		JwksSourceSpecifier: &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{
			HttpUri: &corev3.HttpUri{
				Uri:              is.JWKSURL,
				HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: jwksCluster(is)},
				Timeout:          duration(jwksTimeout),
			},
			// Envoy does not read the keys again on an unknown kid, so this bounds how long a new key is refused.
			CacheDuration: duration(is.JWKSCache.D()),
			// Read ahead of time on the main thread: no request waits for the issuer, and known keys outlive its outage. The listener
			// waits for the first answer, good or bad.
			AsyncFetch: &jwtv3.JwksAsyncFetch{},
			RetryPolicy: &corev3.RetryPolicy{
				NumRetries: wrapperspb.UInt32(2),
				RetryBackOff: &corev3.BackoffStrategy{
					BaseInterval: duration(200 * time.Millisecond),
					MaxInterval:  duration(time.Second),
				},
			},
		}},
		// Verifying RS256 is the dearest step of a request.
		JwtCacheConfig: &jwtv3.JwtCacheConfig{JwtCacheSize: is.CachedTokens, JwtMaxTokenSize: maxTokenBytes},
	}
	if life := is.MaxTokenLifetime.D(); life > 0 {
		p.MaxLifetime = duration(life)
	}
	headers := make([]string, 0, len(c.Tokens.ClaimHeaders))
	for h := range c.Tokens.ClaimHeaders {
		headers = append(headers, h)
	}
	sort.Strings(headers)
	for _, h := range headers {
		p.ClaimToHeaders = append(p.ClaimToHeaders, &jwtv3.JwtClaimToHeader{HeaderName: strings.ToLower(h), ClaimName: c.Tokens.ClaimHeaders[h]})
	}
	return p
}

// tokenRules allow a verified token of RS256 that one of the issuer's clients got, of a kind that is accepted. Cognito's ID tokens name
// the client as aud, its access tokens as client_id.
func tokenRules(c *gateway.Config) *rbacfilterv3.RBAC {
	var issuers []*rbacv3.Principal
	for i := range c.Issuers {
		is := &c.Issuers[i]
		var kinds []*rbacv3.Principal
		for _, use := range is.TokenUses {
			client := "client_id"
			if use == "id" {
				client = "aud"
			}
			var clients []*rbacv3.Principal
			for _, id := range is.ClientIDs {
				clients = append(clients, claim(claimsKey, client, id))
			}
			kinds = append(kinds, and(claim(claimsKey, "token_use", use), or(clients)))
		}
		issuers = append(issuers, and(claim(claimsKey, "iss", is.Issuer), claim(headerKey, "alg", "RS256"), or(kinds)))
	}
	return &rbacfilterv3.RBAC{Rules: &rbacv3.RBAC{
		Action: rbacv3.RBAC_ALLOW,
		Policies: map[string]*rbacv3.Policy{"players": {
			Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}},
			Principals:  []*rbacv3.Principal{or(issuers)},
		}},
	}}
}

func and(ids ...*rbacv3.Principal) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: ids}}}
}

func or(ids []*rbacv3.Principal) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: ids}}}
}

// claim matches an exact value in what jwt_authn left of the token.
func claim(part, name, value string) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_SourcedMetadata{SourcedMetadata: &rbacv3.SourcedMetadata{
		MetadataMatcher: &matcherv3.MetadataMatcher{
			Filter: jwtFilter,
			Path: []*matcherv3.MetadataMatcher_PathSegment{
				{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: part}},
				{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: name}},
			},
			Value: &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
				MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value},
			}}},
		},
	}}}
}

// public switches both off on a route: rbac would refuse what has no claims.
func public() map[string]*anypb.Any {
	return map[string]*anypb.Any{
		jwtFilter: mustAny(&jwtv3.PerRouteConfig{
			RequirementSpecifier: &jwtv3.PerRouteConfig_Disabled{Disabled: true},
		}),
		rbacFilter: mustAny(&rbacfilterv3.RBACPerRoute{}),
	}
}

// jwksCluster is the name of the cluster of an issuer's keys; issuers whose keys are on one host share it.
func jwksCluster(is *gateway.Issuer) string {
	u, err := url.Parse(is.JWKSURL)
	if err != nil {
		return "jwks"
	}
	return "jwks-" + u.Scheme + "-" + u.Host
}
