package envoy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	localratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/require"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/web"
)

const usersGateway = `
issuers:
- {issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE", client_ids: [web]}
campaigns: {file: campaigns.json}
routes:
- {prefix: /, upstream: game}
- {prefix: /prod, upstream: game}
upstreams:
- {name: game, endpoints: ["127.0.0.1:9000"]}
`

func parsed(t *testing.T, text string) *gateway.Config {
	t.Helper()
	c, err := gateway.Parse("gateway.yaml", []byte(text), func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	return c
}

// answering is the first route for a request with one token, or without any, as Envoy picks it.
func answering(t *testing.T, c *gateway.Config, method, path, authorization string) *routev3.Route {
	t.Helper()
	request := map[string]string{":method": method, ":path": path}
	if authorization != "" {
		request["authorization"] = authorization
	}
	for _, r := range routeConfiguration(c).GetVirtualHosts()[0].GetRoutes() {
		m := r.GetMatch()
		matches := m.GetPath() == path ||
			m.GetPrefix() != "" && strings.HasPrefix(path, m.GetPrefix()) ||
			m.GetPathSeparatedPrefix() != "" && strings.HasPrefix(path+"/", m.GetPathSeparatedPrefix()+"/")
		for _, h := range m.GetHeaders() {
			value, present := request[h.GetName()]
			s := h.GetStringMatch()
			ok := strings.HasPrefix(value, s.GetPrefix())
			if s.GetSafeRegex() != nil {
				ok = regexp.MustCompile("^(?:" + s.GetSafeRegex().GetRegex() + ")$").MatchString(value)
			}
			matches = matches && present && ok != h.GetInvertMatch()
		}
		if matches {
			return r
		}
	}
	return nil
}

func TestUsersRoutes(t *testing.T) {
	c := parsed(t, usersGateway+"users: {}\n")
	const (
		never = "connect-failure,refused-stream"
		again = "connect-failure,refused-stream,reset"
	)
	tests := map[string]struct {
		method, path string
		cluster      string
		public       bool
		limited      bool
		retryOn      string
	}{
		"a sign-in is limited and needs no token":         {"POST", "/authenticate", "users-authenticate", true, true, never},
		"what is no sign-in is the service's 405":         {"GET", "/authenticate", "users-authenticate", true, false, never},
		"creating is not sent again once it was sent":     {"POST", "/create", "users-create", false, false, never},
		"reading is sent again":                           {"GET", "/read", "users-read", false, false, again},
		"so is asking for the head":                       {"HEAD", "/read", "users-read", false, false, again},
		"a method that is not for reading is not":         {"POST", "/read", "users-read", false, false, never},
		"a method that begins like one is not":            {"GETS", "/read", "users-read", false, false, never},
		"updating is not sent again once it was sent":     {"PUT", "/update", "users-update", false, false, never},
		"readiness of signing in is public":               {"GET", "/hc-authenticate", "users-authenticate", true, false, never},
		"readiness of creating is public":                 {"GET", "/hc-create", "users-create", true, false, never},
		"readiness of reading is public":                  {"GET", "/hc-read", "users-read", true, false, never},
		"readiness of updating is public":                 {"GET", "/hc-update", "users-update", true, false, never},
		"the document is public":                          {"GET", "/openapi.json", "users-document", true, false, never},
		"what is below a path is a configured route's":    {"GET", "/read/1", "upstream-game", false, false, never},
		"what begins like a path is a configured route's": {"GET", "/hc-reader", "upstream-game", false, false, never},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, stage := range []string{"", "/prod", "/development"} {
				r := answering(t, c, test.method, stage+test.path, "Bearer a.b.c")
				require.NotNil(t, r)
				require.Equal(t, test.cluster, r.GetRoute().GetCluster())
				require.Equal(t, test.public, r.GetTypedPerFilterConfig()[jwtFilter] != nil)
				require.Equal(t, test.public, r.GetTypedPerFilterConfig()[rbacFilter] != nil)
				require.Equal(t, test.public, slices.Contains(r.GetRequestHeadersToRemove(), "authorization"), "no token where none is needed")
				require.Equal(t, test.limited, r.GetTypedPerFilterConfig()[rateLimitFilter] != nil)
				require.Equal(t, test.retryOn, r.GetRoute().GetRetryPolicy().GetRetryOn())
				require.Equal(t, strings.HasPrefix(test.cluster, "users-"), r.GetTypedPerFilterConfig()[bufferFilter] != nil, "whole requests for the service alone")
				if strings.HasPrefix(test.cluster, "users-") {
					rewritten := r.GetRoute().GetPrefixRewrite()
					require.Contains(t, []string{"", test.path}, rewritten)
					require.Equal(t, stage == "", rewritten == "", "the service knows no stages")
					require.Equal(t, usersTimeout, r.GetRoute().GetTimeout().AsDuration())
					require.Len(t, r.GetRoute().GetRetryPolicy().GetRetryHostPredicate(), 1, "another server")
				}

				refused := answering(t, c, test.method, stage+test.path, "Basic Bearer a.b.c")
				require.Equal(t, !test.public, refused.GetDirectResponse().GetStatus() == 401, "one token and nothing else")
			}
		})
	}
}

func TestWithoutUsersNothingIsTheirs(t *testing.T) {
	c := parsed(t, usersGateway)
	require.Equal(t, "upstream-game", answering(t, c, "POST", "/authenticate", "a.b.c").GetRoute().GetCluster())
	for _, cl := range Clusters(c) {
		require.NotContains(t, cl.GetName(), "users-")
	}
	for _, f := range httpFilters(c, nil) {
		require.NotContains(t, []string{rateLimitFilter, bufferFilter}, f.GetName())
	}
}

func TestUsersClustersFollowTheEndpoints(t *testing.T) {
	c := parsed(t, usersGateway+`
users:
  connect: ["[::1]:1", "127.0.0.1:2"]
  connect_each: {read: ["read.internal:3"]}
`)
	want := map[string][]string{
		"users-authenticate": {"::1", "127.0.0.1"}, "users-create": {"::1", "127.0.0.1"},
		"users-read": {"read.internal"}, "users-update": {"::1", "127.0.0.1"}, "users-document": {"read.internal"},
	}
	got := map[string][]string{}
	for _, cl := range usersClusters(c) {
		for _, e := range cl.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints() {
			got[cl.GetName()] = append(got[cl.GetName()], e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
		}
		served := strings.TrimPrefix(cl.GetName(), "users-")
		if served == "document" {
			served = "read"
		}
		require.Equal(t, "/hc-"+served, cl.GetHealthChecks()[0].GetHttpHealthCheck().GetPath())
		o := cl.GetOutlierDetection()
		require.True(t, o.GetSplitExternalLocalOriginErrors())
		require.Zero(t, o.GetEnforcingConsecutive_5Xx().GetValue(), "an answer takes no server out")
		require.NotNil(t, o.GetEnforcingConsecutive_5Xx(), "Envoy's own is 100")
	}
	require.Equal(t, want, got)
}

// TestSignInLimit: one limit for all routes, of the configured rate, in front of everything else.
func TestSignInLimit(t *testing.T) {
	c := parsed(t, usersGateway+"users: {sign_in_rate: {requests: 7, per: 90s}}\n")
	first := httpFilters(c, nil)[0]
	require.Equal(t, rateLimitFilter, first.GetName())
	require.True(t, first.GetDisabled(), "it is on where a route switches it on")

	var limit localratelimitv3.LocalRateLimit
	require.NoError(t, first.GetConfigType().(*hcmv3.HttpFilter_TypedConfig).TypedConfig.UnmarshalTo(&limit))
	require.Len(t, limit.GetDescriptors(), 1)
	bucket := limit.GetDescriptors()[0].GetTokenBucket()
	require.Equal(t, uint32(7), bucket.GetMaxTokens())
	require.Equal(t, uint32(7), bucket.GetTokensPerFill().GetValue())
	require.Equal(t, c.Users.SignInRate.Per.D(), bucket.GetFillInterval().AsDuration())
	require.NotNil(t, limit.GetAlwaysConsumeDefaultTokenBucket(), "Envoy's own is true: all addresses would share a bucket")
	require.False(t, limit.GetAlwaysConsumeDefaultTokenBucket().GetValue())

	for _, r := range routeConfiguration(c).GetVirtualHosts()[0].GetRoutes() {
		if own := r.GetTypedPerFilterConfig()[rateLimitFilter]; own != nil {
			require.True(t, own.MessageIs(&routev3.FilterConfig{}), "a route's own limit would be a second one")
		}
	}
}

// TestEnvoyClosesIdleConnectionsFirst: a request on a connection that the service is closing would be lost.
func TestEnvoyClosesIdleConnectionsFirst(t *testing.T) {
	require.Less(t, usersIdleTimeout, web.MaxIdle)
}

// TestSignInErrorsHaveBothShapes: whatever Envoy answers a sign-in with says what the service's own errors say.
func TestSignInErrorsHaveBothShapes(t *testing.T) {
	const where = `request.url_path in ["/prod/authenticate", "/it's/authenticate", "/authenticate"]`
	c := parsed(t, usersGateway+"users: {}\nlistener: {stage_prefixes: [/prod, \"/it's\"]}\n")
	mappers := localReplies(c).GetMappers()
	require.Len(t, mappers, 2*len(replies))
	for i, r := range replies {
		at, elsewhere := mappers[2*i], mappers[2*i+1] // the first that fits is taken
		filters := at.GetFilter().GetAndFilter().GetFilters()
		require.Len(t, filters, 2)
		require.Equal(t, r.status, filters[0].GetStatusCodeFilter().GetComparison().GetValue().GetDefaultValue())
		var cel celv3.ExpressionFilter
		require.NoError(t, filters[1].GetExtensionFilter().GetTypedConfig().UnmarshalTo(&cel))
		require.Equal(t, where, cel.GetExpression())
		require.JSONEq(t, fmt.Sprintf(`{"status":"fail","msg":%q,"message":%q,"code":%q}`, r.message, r.message, r.code),
			at.GetBodyFormatOverride().GetTextFormatSource().GetInlineString())
		require.JSONEq(t, fmt.Sprintf(`{"message":%q,"code":%q}`, r.message, r.code),
			elsewhere.GetBodyFormatOverride().GetTextFormatSource().GetInlineString())
		require.Equal(t, elsewhere.GetHeadersToAdd(), at.GetHeadersToAdd())
	}
	require.Len(t, localReplies(parsed(t, usersGateway)).GetMappers(), len(replies), "without users nothing is a sign-in")
}
