package envoy

import (
	"fmt"
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"adsidecar/envoy/gateway"
)

// reply is the body of an error that Envoy makes itself.
type reply struct {
	status     uint32
	message    string
	code       string
	retryAfter string
	// filterToo: the ad filter answers with this status as well, and its body must stay.
	filterToo bool
}

var replies = []reply{
	{status: 400, message: "The request is malformed.", code: "bad_request", filterToo: true},
	{status: 401, message: "Unauthorized", code: "unauthorized"},
	{status: 403, message: "Not allowed here with this token or this protocol.", code: "forbidden"},
	{status: 404, message: "There is nothing at this path.", code: "not_found", filterToo: true},
	{status: 405, message: "This method is not allowed here.", code: "method_not_allowed", filterToo: true},
	{status: 408, message: "The request took too long to arrive.", code: "request_timeout"},
	{status: 413, message: "The request body is too large.", code: "payload_too_large"},
	{status: 414, message: "The request's path is too long.", code: "uri_too_long", filterToo: true},
	{status: 426, message: "This protocol is not supported here.", code: "bad_request"},
	{status: 429, message: "Too many requests.", code: "too_many_requests", retryAfter: "1"},
	{status: 431, message: "The request headers are too large.", code: "headers_too_large"},
	{status: 500, message: "An internal error happened.", code: "internal", filterToo: true},
	{status: 501, message: "This transfer encoding is not supported.", code: "bad_request"},
	{status: 502, message: "The upstream's answer could not be used.", code: "upstream_error"},
	{status: 503, message: "The upstream is not available.", code: "upstream_unavailable", retryAfter: "1", filterToo: true},
	{status: 504, message: "The upstream did not answer in time.", code: "upstream_timeout"},
}

// localReplies give Envoy's own errors the error body of the API. They see the filter's replies too; those have no code details, which
// tells them apart. What an upstream answers never comes here.
func localReplies(c *gateway.Config) *hcmv3.LocalReplyConfig {
	lr := &hcmv3.LocalReplyConfig{}
	for _, r := range replies {
		if c.Users != nil {
			lr.Mappers = append(lr.Mappers, r.mapper(both(status(r.status), atSignIn(c)), r.signInBody()))
		}
		filter := status(r.status)
		if r.filterToo {
			filter = both(filter, byEnvoy())
		}
		lr.Mappers = append(lr.Mappers, r.mapper(filter, r.body()))
	}
	return lr
}

func (r *reply) body() string { return fmt.Sprintf(`{"message":%q,"code":%q}`, r.message, r.code) }

// signInBody has what sign-in clients read besides; the user service's own errors have it as well.
func (r *reply) signInBody() string {
	return fmt.Sprintf(`{"status":"fail","msg":%q,"message":%q,"code":%q}`, r.message, r.message, r.code)
}

// mapper gives this body to the replies that filter lets through.
func (r *reply) mapper(filter *accesslogv3.AccessLogFilter, body string) *hcmv3.ResponseMapper {
	m := &hcmv3.ResponseMapper{
		Filter: filter,
		BodyFormatOverride: &corev3.SubstitutionFormatString{
			Format:      &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline(body)},
			ContentType: "application/json",
		},
		HeadersToAdd: append(constantHeaders(), &corev3.HeaderValueOption{
			// Errors of the codec have no request id otherwise.
			Header:       &corev3.HeaderValue{Key: "x-request-id", Value: "%UNIQUE_ID%"},
			AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
		}),
	}
	if r.status == 401 {
		m.HeadersToAdd = append(m.HeadersToAdd, header("www-authenticate", "Bearer"))
	}
	if r.retryAfter != "" {
		// The rate limit knows better.
		m.HeadersToAdd = append(m.HeadersToAdd, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: "retry-after", Value: r.retryAfter},
			AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
		})
	}
	return m
}

func both(a, b *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: []*accesslogv3.AccessLogFilter{a, b}},
	}}
}

func status(code uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{StatusCodeFilter: &accesslogv3.StatusCodeFilter{
		Comparison: &accesslogv3.ComparisonFilter{
			Op:    accesslogv3.ComparisonFilter_EQ,
			Value: &corev3.RuntimeUInt32{DefaultValue: code, RuntimeKey: fmt.Sprintf("adsidecar.reply.%d", code)},
		},
	}}}
}

func byEnvoy() *accesslogv3.AccessLogFilter { return expression("response.code_details != ''") }

// atSignIn lets through the replies to sign-ins. The path tells, not the route: a request may be refused before it has one. Where not even
// the path was read (the codec refuses, or the headers do not end), nothing tells.
func atSignIn(c *gateway.Config) *accesslogv3.AccessLogFilter {
	var paths []string
	for _, stage := range stages(c) {
		paths = append(paths, strconv.Quote(stage+gateway.Authenticate.Path()))
	}
	return expression("request.url_path in [" + strings.Join(paths, ", ") + "]")
}

// expression is a filter in the Common Expression Language, of Envoy's attributes. It lets nothing through if one of them is not there.
func expression(cel string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{ExtensionFilter: &accesslogv3.ExtensionFilter{
		Name:       "cel",
		ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: mustAny(&celv3.ExpressionFilter{Expression: cel})},
	}}}
}
