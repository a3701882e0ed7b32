package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// contract is the OpenAPI document as the gateway serves it. It holds every exchange against it, and counts them.
type contract struct {
	doc    *openapi3.T
	router routers.Router
	stages []string // the document's servers, "" for "/"; the longest first
	// answers are the statuses that came for each operation, by its operationId.
	answers map[string]map[int]int
}

// readContract reads the document at the public address, where it must be a valid one with valid examples.
func readContract(t *testing.T, s *stack.Stack) *contract {
	t.Helper()
	a := do(t, s, "GET", "/openapi.json", "")
	require.Equal(t, 200, a.Status, a)
	doc, err := openapi3.NewLoader().LoadFromData(a.Body)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	c := &contract{doc: doc, answers: map[string]map[int]int{}}
	for _, server := range doc.Servers {
		c.stages = append(c.stages, strings.TrimSuffix(server.URL, "/"))
	}
	slices.SortFunc(c.stages, func(a, b string) int { return len(b) - len(a) })
	doc.Servers = nil // the router does not know relative ones
	c.router, err = legacy.NewRouter(doc)
	require.NoError(t, err)
	return c
}

// check holds an exchange against the document. The answer must be one that the document has. So must the request, unless the answer blames
// it: what the gateway does must be allowed. What the document does not have at all must be refused, with an error's body.
func (c *contract) check(t *testing.T, q ask, a *stack.Answer) {
	t.Helper()
	path := q.path
	for _, stage := range c.stages {
		if rest, ok := strings.CutPrefix(path, stage+"/"); ok {
			path = "/" + rest
			break
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), q.method, "http://gateway.example"+path, strings.NewReader(q.body))
	require.NoError(t, err)
	maps.Copy(req.Header, q.header)
	req.Header.Set("Content-Type", "application/json") // whatever it is, the body is JSON
	route, params, err := c.router.FindRoute(req)
	if err != nil || route.Path != req.URL.Path { // the router finds "/create/" too
		require.Contains(t, []int{400, 401, 403, 404, 405}, a.Status, "the document has no %s %s: %s", q.method, path, a)
		schema := "Error"
		if path == "/authenticate" {
			schema = "SignInError"
		}
		c.checkBody(t, schema, a)
		return
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, ExcludeResponseBody: q.method == http.MethodHead, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if !slices.Contains([]int{400, 401, 413}, a.Status) {
		require.NoError(t, openapi3filter.ValidateRequest(t.Context(), in), "%s %s was answered with %s", q.method, path, a)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.Status, Header: a.Header, Options: options}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), out.SetBodyBytes(a.Body)), "%s %s: %s", q.method, path, a)
	id := route.Operation.OperationID
	if c.answers[id] == nil {
		c.answers[id] = map[int]int{}
	}
	c.answers[id][a.Status]++
}

// checkBody holds an answer's body against a schema of the document.
func (c *contract) checkBody(t *testing.T, schema string, a *stack.Answer) {
	t.Helper()
	var body any
	require.NoError(t, json.Unmarshal(a.Body, &body), a)
	require.NoError(t, c.doc.Components.Schemas[schema].Value.VisitJSON(body), a)
}

// served: the document is at its path below every stage, for anyone.
func (c *contract) served(t *testing.T, u *userService) {
	whole := do(t, u.Stack, "GET", "/openapi.json", "")
	for _, stage := range stages {
		a := u.ask(t, ask{method: "GET", path: stage + "/openapi.json"})
		require.Equal(t, 200, a.Status)
		require.Equal(t, "application/json", a.Header.Get("Content-Type"))
		require.Equal(t, whole.Body, a.Body)
		head := do(t, u.Stack, "HEAD", stage+"/openapi.json", "")
		require.Equal(t, 200, head.Status)
		require.Empty(t, head.Body)
		requireFault(t, u.ask(t, ask{method: "POST", path: stage + "/openapi.json"}), 405, "method_not_allowed", "")
	}
	require.ElementsMatch(t, stages, c.stages, "the document's servers are the gateway's stages")
}

// ads are exchanges of the other half of the product, which the document describes too.
func (c *contract) ads(t *testing.T, u *userService) {
	token := "Bearer " + u.Token()
	for _, stage := range stages {
		for name, want := range map[string]struct {
			q    ask
			code string // "": an ad
			then int
		}{
			"an ad":           {ask{method: "GET", path: adQuery, as: token}, "", 200},
			"whether":         {ask{method: "HEAD", path: adQuery, as: token}, "", 200},
			"none":            {ask{method: "GET", path: "/ad_request?country=fr&lang=fre", as: token}, "no_ad_available", 404},
			"a missing field": {ask{method: "GET", path: "/ad_request?country=fr", as: token}, "missing_parameter", 400},
			"a bad field":     {ask{method: "GET", path: "/ad_request?country=fra&lang=fre", as: token}, "invalid_parameter", 400},
			"two values":      {ask{method: "GET", path: adQuery + "&lang=fre", as: token}, "duplicate_parameter", 400},
			"no token":        {ask{method: "GET", path: adQuery}, "unauthorized", 401},
			"another method":  {ask{method: "POST", path: adQuery, as: token}, "method_not_allowed", 405},
			"health":          {ask{method: "GET", path: "/health"}, "", 200},
		} {
			want.q.path = stage + want.q.path
			a := u.ask(t, want.q)
			require.Equal(t, want.then, a.Status, "%s: %s", name, a)
			require.Equal(t, want.code, a.Code(), name)
		}
	}
}

// health are the health checks of the endpoints.
func (c *contract) health(t *testing.T, u *userService) {
	for _, stage := range stages {
		for _, name := range []string{"authenticate", "create", "read", "update"} {
			a := u.ask(t, ask{method: "GET", path: stage + "/hc-" + name})
			require.Equal(t, 200, a.Status, a)
			require.Equal(t, "healthy", string(a.Body))
			require.Contains(t, a.Header.Get("Content-Type"), "text/plain")
			head := u.ask(t, ask{method: "HEAD", path: stage + "/hc-" + name})
			require.Equal(t, 200, head.Status)
			require.Empty(t, head.Body)
			requireFault(t, u.ask(t, ask{method: "DELETE", path: stage + "/hc-" + name}), 405, "method_not_allowed", "")
		}
	}
}

// exercised: the tests before this one had an exchange for each operation of the document, and for each answer that a client can provoke.
func (c *contract) exercised(t *testing.T) {
	want := map[string][]int{
		"authenticate": {200, 400, 401, 413},
		"create":       {201, 400, 401, 403, 409, 413},
		"read":         {200, 400, 401, 403, 404},
		"readHead":     {200, 400, 401, 404},
		"update":       {200, 400, 401, 403, 404, 412, 413},
		"requestAd":    {200, 400, 401, 404},
		"headAd":       {200},
	}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			statuses := want[op.OperationID]
			if statuses == nil {
				statuses = []int{200}
			}
			for _, status := range statuses {
				require.NotZero(t, c.answers[op.OperationID][status], "%s %s was never answered with %d", method, path, status)
			}
		}
	}
}
