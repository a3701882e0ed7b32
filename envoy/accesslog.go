package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"adsidecar/envoy/gateway"
)

// accessLog is one JSON object a request on stdout. Of the query it holds country and lang alone, cut short: a client may put anything
// into a query, a token among them. So it may into the method of HTTP/2.
func accessLog(c *gateway.Config) []*accesslogv3.AccessLog {
	fields := map[string]string{
		"time":        "%START_TIME(%Y-%m-%dT%H:%M:%E3SZ)%",
		"request_id":  "%REQ(X-REQUEST-ID)%",
		"method":      "%REQ(:METHOD):16%",
		"path":        "%PATH(NQ):256%",
		"country":     "%QUERY_PARAM(country):8%",
		"lang":        "%QUERY_PARAM(lang):8%",
		"protocol":    "%PROTOCOL%",
		"code":        "%RESPONSE_CODE%",
		"details":     "%RESPONSE_CODE_DETAILS%",
		"flags":       "%RESPONSE_FLAGS%",
		"duration_ms": "%DURATION%",
		"bytes_in":    "%BYTES_RECEIVED%",
		"bytes_out":   "%BYTES_SENT%",
		"route":       "%ROUTE_NAME%",
		"upstream":    "%UPSTREAM_HOST%",
		"client":      "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
	}
	if c.Listener.AccessLog.Subject {
		fields["sub"] = "%DYNAMIC_METADATA(" + jwtFilter + ":" + claimsKey + ":sub):128%"
	}
	format := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for k, v := range fields {
		format.Fields[k] = structpb.NewStringValue(v)
	}
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: mustAny(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format:          &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: format},
				OmitEmptyValues: true,
			}},
		})},
	}}
}
