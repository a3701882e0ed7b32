package envoy

import (
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

// The gateway's own paths.
const (
	adPath     = "/ad_request"
	healthPath = "/health"
)

// oneToken is a whole Authorization header with a signed token, raw or after "Bearer " or "bearer ".
const oneToken = `([Bb]earer )?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`

// routeConfiguration has, for no prefix and each stage prefix: the ad route, /health, the user service's, the configured routes in their
// order; and at last the route of every other path, a 404 for those who have a token.
func routeConfiguration(c *gateway.Config) *routev3.RouteConfiguration {
	var routes []*routev3.Route
	for _, stage := range stages(c) {
		routes = append(routes, guarded(adRoute(stage))...)
		routes = append(routes, healthRoutes(stage)...)
		if c.Users != nil {
			routes = append(routes, usersRoutes(stage)...)
		}
	}
	routes = append(routes, dotSegments())
	upstreams := map[string]*gateway.Upstream{}
	for i := range c.Upstreams {
		upstreams[c.Upstreams[i].Name] = &c.Upstreams[i]
	}
	for i := range c.Routes {
		for _, stage := range stages(c) {
			r := upstreamRoute(&c.Routes[i], upstreams[c.Routes[i].Upstream], stage)
			if c.Routes[i].Token == gateway.TokenNone {
				routes = append(routes, r)
			} else {
				routes = append(routes, guarded(r)...)
			}
		}
	}
	routes = append(routes, guarded(&routev3.Route{
		Name:   "not_found",
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: directResponse(404),
	})...)

	rc := &routev3.RouteConfiguration{
		Name: ListenerName,
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    ListenerName,
			Domains: []string{"*"},
			Routes:  routes,
		}},
	}
	if c.Listener.ServedBy != "" {
		rc.ResponseHeadersToAdd = []*corev3.HeaderValueOption{header("x-served-by", c.Listener.ServedBy)}
	}
	return rc
}

// stages are the stage prefixes, and "" for none. The prefixes come first: a catch-all of the configuration would take their paths as its
// own.
func stages(c *gateway.Config) []string { return append(slices.Clone(c.Listener.StagePrefixes), "") }

// dotSegments refuses paths with a dot segment that carries a parameter. Envoy leaves "/public/..;/game" as it is where the dots came
// percent-encoded, and matches it as below /public; servers that read "..;" as ".." would answer it as /game, without the token that
// /game needs.
func dotSegments() *routev3.Route {
	return &routev3.Route{
		Name: "dot_segment",
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{
			Regex: `.*/\.{1,2};.*`,
		}}},
		Action:               directResponse(400),
		TypedPerFilterConfig: public(),
	}
}

// guarded puts before a route that needs a token the refusal of an Authorization header that is not one token, whole: jwt_authn looks for
// "Bearer " anywhere in the value, so "Basic Bearer <valid>" would pass for one, and Envoy joins two headers with a comma. A request
// without the header is jwt_authn's. Public routes take any Authorization, which is their upstream's business.
func guarded(r *routev3.Route) []*routev3.Route {
	guard := &routev3.Route{
		Name: r.Name + ".not_one_token",
		Match: &routev3.RouteMatch{
			PathSpecifier: r.Match.PathSpecifier,
			// Envoy looks at a route's headers before its path. The path as a header, in front, spares the pattern on all the routes
			// that are not asked for: with many routes a long header would cost milliseconds.
			Headers: []*routev3.HeaderMatcher{{
				Name: ":path",
				HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
					MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: matchedPath(r.Match)},
				}},
			}, {
				Name: "authorization",
				HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
					MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: oneToken}},
				}},
				InvertMatch: true,
			}},
		},
		Action:               directResponse(401),
		TypedPerFilterConfig: public(),
	}
	return []*routev3.Route{guard, r}
}

// matchedPath is what every path begins with that m matches.
func matchedPath(m *routev3.RouteMatch) string {
	return m.GetPath() + m.GetPrefix() + m.GetPathSeparatedPrefix() // one of them
}

// adRoute enables the filter. Its cluster is never reached: it is there because constant headers are added to a filter's reply only on
// a route with a cluster.
func adRoute(stage string) *routev3.Route {
	return &routev3.Route{
		Name:  "ad_request",
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: stage + adPath}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: noUpstream},
			Timeout:          duration(15 * time.Second),
		}},
		TypedPerFilterConfig: map[string]*anypb.Any{FilterName: enabled()},
		ResponseHeadersToAdd: constantHeaders(),
	}
}

func healthRoutes(stage string) []*routev3.Route {
	path := func() *routev3.RouteMatch {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: stage + healthPath}}
	}
	healthy := &routev3.Route{
		Name:  "health",
		Match: path(),
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
			Status: 200,
			Body:   inline(`{"status":"healthy"}`),
		}},
		TypedPerFilterConfig: public(),
		ResponseHeadersToAdd: append(constantHeaders(), header("content-type", "application/json")),
	}
	otherMethod := &routev3.Route{
		Name:                 "health.other_method",
		Match:                path(),
		Action:               directResponse(405),
		TypedPerFilterConfig: public(),
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{header("allow", "GET, HEAD")},
	}
	return []*routev3.Route{only(healthy, "GET|HEAD"), otherMethod}
}

func upstreamRoute(r *gateway.Route, u *gateway.Upstream, stage string) *routev3.Route {
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: upstreamCluster(r.Upstream)},
		Timeout:          duration(r.Timeout.D()),
		IdleTimeout:      duration(r.IdleTimeout.D()),
		RetryPolicy:      retries(),
	}
	match := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: stage + r.Path}}
	own := r.Path
	if r.Prefix != "" {
		own = r.Prefix
		match = prefixMatch(stage, r.Prefix)
	}
	if stage != "" || r.Rewrite != "" {
		to := own
		if r.Rewrite != "" {
			to = r.Rewrite
		}
		rewrite(action, match, to)
	}
	if r.WebSocket {
		action.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "websocket", Enabled: wrapperspb.Bool(true)}}
	}
	route := &routev3.Route{Name: u.Name, Match: match, Action: &routev3.Route_Route{Route: action}}
	if r.Token == gateway.TokenNone {
		route.TypedPerFilterConfig = public()
	} else if !*r.ForwardToken {
		route.RequestHeadersToRemove = []string{"authorization"}
	}
	return route
}

// prefixMatch matches whole path segments: /game is /game and /game/x, but not /games.
func prefixMatch(stage, prefix string) *routev3.RouteMatch {
	if strings.HasSuffix(prefix, "/") {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: stage + prefix}}
	}
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: stage + prefix}}
}

// rewrite replaces what matched by to. Replacing a prefix by "/" would leave "//x" of a path-separated prefix, which is why that goes
// by a pattern.
func rewrite(action *routev3.RouteAction, match *routev3.RouteMatch, to string) {
	sep := match.GetPathSeparatedPrefix()
	if sep == "" || !strings.HasSuffix(to, "/") {
		action.PrefixRewrite = to
		return
	}
	action.RegexRewrite = &matcherv3.RegexMatchAndSubstitute{
		Pattern:      &matcherv3.RegexMatcher{Regex: "^" + regexpQuote(sep) + "/?"},
		Substitution: strings.ReplaceAll(to, `\`, `\\`),
	}
}

// regexpQuote escapes for RE2 what a validated path may hold.
func regexpQuote(s string) string {
	return strings.NewReplacer(".", `\.`, "$", `\$`, "(", `\(`, ")", `\)`, "*", `\*`, "+", `\+`).Replace(s)
}

// retries are for what an upstream has not begun to work on: any request may be sent again then.
func retries() *routev3.RetryPolicy {
	return &routev3.RetryPolicy{
		RetryOn:    "connect-failure,refused-stream",
		NumRetries: wrapperspb.UInt32(2),
		RetryBackOff: &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: duration(25 * time.Millisecond),
			MaxInterval:  duration(250 * time.Millisecond),
		},
	}
}

func directResponse(status uint32) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: status}}
}

// constantHeaders are on every answer of the gateway itself.
func constantHeaders() []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{header("cache-control", "no-store"), header("x-content-type-options", "nosniff")}
}

func header(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func inline(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}
