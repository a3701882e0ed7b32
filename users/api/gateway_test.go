package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"adsidecar/envoy"
	"adsidecar/envoy/gateway"
)

// edge is the gateway's connection manager, as Envoy gets it.
func edge(t *testing.T) *hcmv3.HttpConnectionManager {
	t.Helper()
	c, err := gateway.Parse("gateway.yaml", []byte(`
issuers: [{issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE", client_ids: [users]}]
campaigns: {file: campaigns.json}
listener: {stage_prefixes: []}
users: {}
`), func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	var m hcmv3.HttpConnectionManager
	require.NoError(t, envoy.Listeners(c, nil)[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(&m))
	return &m
}

func TestDocumentHasExactlyThePathsOfTheGateway(t *testing.T) {
	routed := map[string]bool{}
	for _, r := range edge(t).GetRouteConfig().GetVirtualHosts()[0].GetRoutes() {
		if path := r.GetMatch().GetPath(); path != "" {
			routed[path] = true
		}
	}
	doc, err := description()
	require.NoError(t, err)
	require.Len(t, routed, doc.Paths.Len())
	for path := range routed {
		require.NotNil(t, doc.Paths.Value(path), path)
	}
}

// envoyError is an error that Envoy itself answers with.
type envoyError struct {
	status int
	signIn bool // on /authenticate alone
	header http.Header
	body   []byte
}

func errorsOfEnvoy(t *testing.T) []envoyError {
	t.Helper()
	var all []envoyError
	for _, m := range edge(t).GetLocalReplyConfig().GetMappers() {
		status := m.GetFilter().GetStatusCodeFilter()
		for _, f := range m.GetFilter().GetAndFilter().GetFilters() {
			if s := f.GetStatusCodeFilter(); s != nil {
				status = s
			}
		}
		format := m.GetBodyFormatOverride()
		e := envoyError{
			status: int(status.GetComparison().GetValue().GetDefaultValue()),
			header: http.Header{"Content-Type": {format.GetContentType()}},
			body:   []byte(format.GetTextFormatSource().GetInlineString()),
		}
		e.signIn = strings.Contains(string(e.body), `"status"`)
		for _, h := range m.GetHeadersToAdd() {
			e.header.Set(h.GetHeader().GetKey(), h.GetHeader().GetValue())
		}
		all = append(all, e)
	}
	return all
}

// mayMeet reports whether this may be the answer to an operation of the document at path.
func (e envoyError) mayMeet(path string, item *openapi3.PathItem) bool {
	if signIn := path == "/authenticate"; signIn != e.signIn {
		// Before its path is read, a sign-in is like any other request.
		return signIn && (e.status == 400 || e.status == 408 || e.status == 431)
	}
	switch e.status {
	case 404, 405, 426, 501:
		return false // to what the document does not have
	case 401, 403:
		return slices.Contains([]string{"/create", "/read", "/update", "/ad_request"}, path) // those that need a token
	case 413:
		return item.Post != nil || item.Put != nil
	case 431:
		return !e.signIn // the path is among what is too large
	case 502, 504:
		return path != "/health" // Envoy answers it itself
	}
	return true
}

func TestDocumentHasTheErrorsOfEnvoy(t *testing.T) {
	doc, err := description()
	require.NoError(t, err)
	met := map[string][]int{}
	for _, e := range errorsOfEnvoy(t) {
		schema := "Error"
		if e.signIn {
			schema = "SignInError"
		}
		visit(t, schema, e.body)
		for _, name := range []string{"status", "msg", "message", "code"} {
			var body map[string]any
			require.NoError(t, json.Unmarshal(e.body, &body))
			delete(body, name)
			require.Error(t, doc.Components.Schemas["SignInError"].Value.VisitJSON(body), "%s without %s", e.body, name)
		}
		for path, item := range doc.Paths.Map() {
			if e.mayMeet(path, item) {
				validateAnswer(t, path, e.status, e.header, e.body)
				met[path] = append(met[path], e.status)
			}
		}
	}
	require.Equal(t, []int{400, 400, 408, 408, 413, 414, 429, 431, 500, 502, 503, 504}, met["/authenticate"])
	require.Equal(t, []int{400, 401, 403, 408, 413, 414, 429, 431, 500, 502, 503, 504}, met["/create"])
}
