package adrequest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Clients and the proxy's own error pages depend on these bytes.
func TestRepliesAreWrittenAsDocumented(t *testing.T) {
	jsonType := [2]string{"content-type", "application/json"}
	tests := map[string]struct {
		reply   *Reply
		status  uint32
		body    string
		headers [][2]string
	}{
		"no ad": {
			&NoAd, 404,
			`{"message":"There is no ad for this country and language right now. Show none and play on.","code":"no_ad_available"}`,
			[][2]string{jsonType},
		},
		"no index": {
			&Unavailable, 503,
			`{"message":"The ads are not loaded yet. Try again in a few seconds.","code":"campaigns_unavailable"}`,
			[][2]string{jsonType, {"retry-after", "5"}},
		},
		"a failure of ours": {
			&Internal, 500,
			`{"message":"Something went wrong on our side. Show no ad and play on.","code":"internal"}`,
			[][2]string{jsonType},
		},
		"method": {
			&methodNotAllowed, 405,
			`{"message":"This endpoint answers GET and HEAD only.","code":"method_not_allowed"}`,
			[][2]string{jsonType, {"allow", "GET, HEAD"}},
		},
		"size": {
			&uriTooLong, 414,
			`{"message":"The query is longer than 1024 bytes. country and lang are all it needs.","code":"uri_too_long"}`,
			[][2]string{jsonType},
		},
		"missing country": {
			&countryReplies.missing, 400,
			`{"message":"The parameter country is missing or empty: send exactly 2 letters, as in country=us.","code":"missing_parameter","param":"country"}`,
			[][2]string{jsonType},
		},
		"duplicate country": {
			&countryReplies.duplicate, 400,
			`{"message":"The parameter country is given more than once with different values.","code":"duplicate_parameter","param":"country"}`,
			[][2]string{jsonType},
		},
		"invalid language": {
			&langReplies.invalid, 400,
			`{"message":"The parameter lang must be 2 or 3 letters, as in lang=en or lang=eng.","code":"invalid_parameter","param":"lang"}`,
			[][2]string{jsonType},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.status, tc.reply.Status)
			require.Equal(t, tc.body, string(tc.reply.Body))
			require.Equal(t, tc.headers, tc.reply.Headers)
		})
	}
	require.Equal(t, [][2]string{jsonType}, AdHeaders)
}
