package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/stretchr/testify/require"

	"adsidecar/filter/adrequest"
	"adsidecar/users/record"
)

func TestDocumentIsValidAndSoAreItsExamples(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	require.Equal(t, "3.0.3", doc.OpenAPI)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			require.NotEmpty(t, op.OperationID, "%s %s", method, path)
			require.NotEmpty(t, op.Summary, "%s %s", method, path)
			for status, response := range op.Responses.Map() {
				if c := response.Value.Content.Get("application/json"); c != nil && path != "/openapi.json" {
					require.NotNil(t, c.Example, "%s %s %s has no example", method, path, status)
				}
			}
			if op.RequestBody != nil {
				require.NotNil(t, op.RequestBody.Value.Content.Get("application/json").Example, "%s %s", method, path)
			}
		}
	}
}

func TestDocumentHasExactlyThePathsOfTheGateway(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"/authenticate", "/create", "/read", "/update", "/hc-authenticate", "/hc-create", "/hc-read", "/hc-update",
		"/ad_request", "/health", "/openapi.json",
	}, doc.Paths.Keys())
}

func TestDocumentIsServedToTheByte(t *testing.T) {
	h := start(t, nil)
	got := h.do(t, request{method: "GET", path: "/openapi.json"})
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, openapi, got.body)
}

// property is the schema of a path such as "address.postcode".
func property(t *testing.T, schema, path string) *openapi3.Schema {
	t.Helper()
	doc, err := description()
	require.NoError(t, err)
	s := doc.Components.Schemas[schema].Value
	for name := range strings.SplitSeq(path, ".") {
		require.Contains(t, s.Properties, name, "%s of %s", path, schema)
		s = s.Properties[name].Value
	}
	return s
}

func TestDocumentHasTheLimitsOfRecords(t *testing.T) {
	for _, schema := range []string{"Attributes", "Change"} {
		for _, l := range record.Limits {
			s := property(t, schema, l.Field)
			require.Equal(t, uint64(l.Min), s.MinLength, "%s of %s", l.Field, schema)
			require.NotNil(t, s.MaxLength, "%s of %s", l.Field, schema)
			require.Equal(t, uint64(l.Max), *s.MaxLength, "%s of %s", l.Field, schema)
			require.Equal(t, "#/components/schemas/Text", s.AllOf[0].Ref)
		}
	}
	doc, err := description()
	require.NoError(t, err)
	key := doc.Paths.Value("/create").Post.Parameters.GetByInAndName("header", "Idempotency-Key").Schema.Value
	require.Equal(t, uint64(record.MaxKey), *key.MaxLength)
	require.Equal(t, uint64(1), key.MinLength)
}

// The pattern of texts has every character that records refuse, and no other.
func TestDocumentHasTheCharactersThatRecordsRefuse(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	pattern := doc.Components.Schemas["Text"].Value.Pattern
	// In JSON Schema \u is an escape; in Go's expressions it is not.
	goPattern := regexp.MustCompile(`\\u([0-9A-F]{4})`).ReplaceAllString(pattern, `\x{$1}`)
	expression := regexp.MustCompile(goPattern)
	var differ []rune
	valid := record.Attributes{Title: "t", FirstName: "f", LastName: "l"}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		valid.MobileNumber = string(r)
		if expression.MatchString(string(r)) != (valid.Validate() == nil) {
			differ = append(differ, r)
		}
	}
	require.Empty(t, differ)
}

// Each code that this service answers with is in the document, and each of the document's is somebody's.
func TestDocumentHasAllCodes(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	var documented []string
	for _, c := range doc.Components.Schemas["ErrorCode"].Value.Enum {
		code, ok := c.(string)
		require.True(t, ok)
		documented = append(documented, code)
	}
	ours := []string{
		"bad_request", "challenge_required", "forbidden", "idempotency_conflict", "internal", "invalid_field", "invalid_json",
		"method_not_allowed", "not_found", "payload_too_large", "request_timeout", "revision_conflict", "store_unavailable",
		"too_many_requests", "unauthorized", "user_not_found", "user_pool_unavailable",
	}
	ads := []string{"missing_parameter", "invalid_parameter", "duplicate_parameter", "no_ad_available", "campaigns_unavailable", "uri_too_long"}
	envoy := []string{"headers_too_large", "upstream_error", "upstream_unavailable", "upstream_timeout"}
	require.ElementsMatch(t, slices.Concat(ours, ads, envoy), documented)
}

// The ad request is answered by the filter, whose answers the document has as well.
func TestDocumentHasTheAnswersOfTheFilter(t *testing.T) {
	replies := map[string]*adrequest.Reply{"no ad": &adrequest.NoAd, "no index": &adrequest.Unavailable, "a failure": &adrequest.Internal}
	_, replies["nothing"] = adrequest.Parse("GET", "/ad_request")
	_, replies["a bad country"] = adrequest.Parse("GET", "/ad_request?country=usa&lang=eng")
	_, replies["two languages"] = adrequest.Parse("GET", "/ad_request?country=us&lang=eng&lang=fre")
	_, replies["a long query"] = adrequest.Parse("GET", "/ad_request?"+strings.Repeat("x", 2000))
	replies["an ad"] = &adrequest.Reply{
		Status: http.StatusOK, Headers: adrequest.AdHeaders, Body: adrequest.AppendAd(nil, "a0", `https://v/x?a=1&b="q"<é>`),
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for _, pair := range reply.Headers {
				header.Set(pair[0], pair[1])
			}
			validateAnswer(t, "/ad_request", int(reply.Status), header, reply.Body)
		})
	}
}

// Envoy's own errors have a message and a code, and may meet every endpoint.
func TestDocumentHasTheErrorsOfEnvoy(t *testing.T) {
	codes := map[int]string{
		400: "bad_request", 408: "request_timeout", 414: "uri_too_long", 429: "too_many_requests", 431: "headers_too_large",
		500: "internal", 502: "upstream_error", 503: "upstream_unavailable", 504: "upstream_timeout",
	}
	doc, err := description()
	require.NoError(t, err)
	for _, path := range doc.Paths.Keys() {
		for status, code := range codes {
			if path == "/health" && (status == 502 || status == 504) {
				continue // Envoy answers it itself
			}
			header := http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}}
			validateAnswer(t, path, status, header, []byte(`{"message":"M.","code":"`+code+`"}`))
		}
	}
	for _, path := range []string{"/create", "/read", "/update", "/ad_request"} {
		header := http.Header{"Content-Type": {"application/json"}, "Www-Authenticate": {"Bearer"}}
		validateAnswer(t, path, 401, header, []byte(`{"message":"Unauthorized","code":"unauthorized"}`))
		validateAnswer(t, path, 403, header, []byte(`{"message":"M.","code":"forbidden"}`))
	}
}

// validateAnswer holds an answer of somebody else's to the path's one operation (GET, where there are several) against the document.
func validateAnswer(t *testing.T, path string, status int, header http.Header, body []byte) {
	t.Helper()
	doc, err := description()
	require.NoError(t, err)
	item := doc.Paths.Value(path)
	require.NotNil(t, item, path)
	method := http.MethodGet
	for _, m := range []string{http.MethodPost, http.MethodPut} {
		if item.GetOperation(m) != nil {
			method = m
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://gateway.example"+path, http.NoBody)
	require.NoError(t, err)
	route, params, err := router(t).FindRoute(req)
	require.NoError(t, err)
	options := &openapi3filter.Options{IncludeResponseStatus: true}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: options}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), out.SetBodyBytes(body)), "%s %d %s", path, status, body)
}
