package api

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/stretchr/testify/require"

	"adsidecar/filter/adrequest"
	"adsidecar/internal/web"
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

// Each code that somebody answers with is in the document, and each of the document's is somebody's.
func TestDocumentHasAllCodes(t *testing.T) {
	answered := codesOfThisPackage(t)
	for _, reply := range repliesOfTheFilter() {
		answered = append(answered, codeOf(t, reply.Body))
	}
	for _, e := range errorsOfEnvoy(t) {
		answered = append(answered, codeOf(t, e.body))
	}
	slices.Sort(answered)
	doc, err := description()
	require.NoError(t, err)
	documented := []string{errClientGone.body.Code} // which nobody reads
	for _, c := range doc.Components.Schemas["ErrorCode"].Value.Enum {
		documented = append(documented, fmt.Sprint(c))
	}
	require.ElementsMatch(t, slices.Compact(answered), documented)
}

// codesOfThisPackage are those that the source makes problems with.
func codesOfThisPackage(t *testing.T) []string {
	t.Helper()
	codes := []string{web.Internal.Code}
	at := map[string]int{"newProblem": 1, "unavailable": 0} // which argument is the code
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			function, _ := call.Fun.(*ast.Ident)
			if function == nil {
				return true
			}
			i, ok := at[function.Name]
			if !ok {
				return true
			}
			switch code := call.Args[i].(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(code.Value)
				require.NoError(t, err)
				codes = append(codes, text)
			default: // unavailable hands its own on
				require.Equal(t, "code", code.(*ast.Ident).Name, "%s: a code that is not written out", name)
			}
			return true
		})
	}
	return codes
}

// codeOf is the code of an error's body.
func codeOf(t *testing.T, body []byte) string {
	t.Helper()
	var e struct{ Code string }
	require.NoError(t, json.Unmarshal(body, &e), "%s", body)
	require.NotEmpty(t, e.Code, "%s", body)
	return e.Code
}

// repliesOfTheFilter are one of each kind that the filter has, beside the ad itself.
func repliesOfTheFilter() map[string]*adrequest.Reply {
	replies := map[string]*adrequest.Reply{"no ad": &adrequest.NoAd, "no index": &adrequest.Unavailable, "a failure": &adrequest.Internal}
	_, replies["nothing"] = adrequest.Parse([]byte("GET"), []byte("/ad_request"))
	_, replies["a bad country"] = adrequest.Parse([]byte("GET"), []byte("/ad_request?country=usa&lang=eng"))
	_, replies["two languages"] = adrequest.Parse([]byte("GET"), []byte("/ad_request?country=us&lang=eng&lang=fre"))
	_, replies["a long query"] = adrequest.Parse([]byte("GET"), []byte("/ad_request?"+strings.Repeat("x", 2000)))
	return replies
}

// The ad request is answered by the filter, whose answers the document has as well.
func TestDocumentHasTheAnswersOfTheFilter(t *testing.T) {
	replies := repliesOfTheFilter()
	held, err := adrequest.AppendAd(nil, "a0", `https://v/x?a=1&b="q"<é>`)
	require.NoError(t, err)
	replies["an ad"] = &adrequest.Reply{
		Status: http.StatusOK, Headers: adrequest.AdHeaders, Body: adrequest.AppendBody(nil, held, nil),
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
