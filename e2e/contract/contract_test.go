package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

const (
	// exampleID is the userId of the document's examples.
	exampleID = "31327518"
	// runTime bounds schemathesis, which takes about 20 s on two cores.
	runTime = 5 * time.Minute
)

// arguments are what a run is made of. The random part is small: the edges of the schemas, which are tried in full, find more.
var arguments = []string{
	"--phases", "examples,coverage,fuzzing,stateful", "--mode", "all", "--checks", "all",
	"--seed", "1", "--max-examples", "40", "--workers", "1", "--generation-database", "none", "--no-shrink", "--continue-on-failure",
	"--suppress-health-check", "all", // they judge how fast this machine makes up requests
	"--request-timeout", "20", "--warnings", "off", "--no-color",
	"--output-sanitize", "false", // the token is known here, and taken out again
}

// checks are those that must have been done: a run without one proves less than it seems to.
var checks = []string{
	"allow_header_conformance", "content_type_conformance", "ensure_resource_availability", "ignored_auth", "missing_required_header",
	"negative_data_rejection", "not_a_server_error", "positive_data_acceptance", "response_headers_conformance",
	"response_schema_conformance", "status_code_conformance", "unsupported_method", "use_after_free",
}

func TestEveryOperationKeepsToTheDocument(t *testing.T) {
	s := start(t)
	token, record := signInAndCreate(t, s)
	document := read(t, s)
	operations := operationsOf(t, document)
	// With the examples' record in the store, the schemas' edges meet a record and not a 404.
	require.Contains(t, string(document), exampleID)
	document = bytes.ReplaceAll(document, []byte(exampleID), []byte(record))

	r := run(t, s, document, token)

	require.Empty(t, r.problems)
	require.Equal(t, "completed", r.ended)
	for _, check := range checks {
		require.NotZero(t, r.checks[check], "%s was never done; there were %v", check, r.checks)
	}
	list, err := readAllowed(allowed)
	require.NoError(t, err)
	if text := findings(r, list, s.BaseURL(), token); text != "" {
		t.Errorf("what the gateway answers is not what its document says ($BASE stands for the gateway's URL, $TOKEN for a player's token, "+
			"userId %s for a record of theirs):\n%s", record, text)
	}
	for _, x := range r.exchanges { // whatever is allowed
		require.NotZero(t, x.status, "no answer: %s", x.curl(s.BaseURL(), token))
		require.Less(t, x.status, 500, "%s", x.curl(s.BaseURL(), token))
	}
	requireTested(t, operations, r)
	for _, e := range list {
		require.NotZero(t, e.used, "nothing needs this entry of allow.yaml any more: %s", e)
	}
}

// start starts the system. Its logs are kept if the test fails.
func start(t *testing.T) *stack.Stack {
	t.Helper()
	dir, err := os.MkdirTemp("", "adsidecar-contract-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs are kept in %s", dir)
			return
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // the first time, tools are installed and programs built
	defer cancel()
	s, err := stack.Start(ctx, stack.Options{Dir: dir, Users: &stack.UsersOptions{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.WaitServed(ctx))
	require.NoError(t, s.Envoy().WaitUsers(ctx))
	return s
}

// signInAndCreate makes a user and a record of theirs.
func signInAndCreate(t *testing.T, s *stack.Stack) (token, userID string) {
	t.Helper()
	in, err := s.Envoy().SignIn(t.Context(), "contract", "contract-password")
	require.NoError(t, err)
	attributes := `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
		`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Norton Street"}}`
	a, err := s.Envoy().Do(t.Context(), http.MethodPost, "/create", "Bearer "+in.IDToken, []byte(attributes))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.Status, a)
	var created struct{ UserID string }
	require.NoError(t, json.Unmarshal(a.Body, &created))
	return in.IDToken, created.UserID
}

// read is the document as the gateway serves it.
func read(t *testing.T, s *stack.Stack) []byte {
	t.Helper()
	a, err := s.Envoy().Do(t.Context(), http.MethodGet, "/openapi.json", "", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, a)
	return a.Body
}

// operationsOf are the document's operations: "GET /read".
func operationsOf(t *testing.T, document []byte) []string {
	t.Helper()
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(document, &d))
	var operations []string
	for path, item := range d.Paths {
		for method := range item {
			operations = append(operations, strings.ToUpper(method)+" "+path)
		}
	}
	require.NotEmpty(t, operations)
	slices.Sort(operations)
	return operations
}

// run runs schemathesis with the document at the gateway.
func run(t *testing.T, s *stack.Stack, document []byte, token string) *report {
	t.Helper()
	tools, err := stack.FindTools(t.Context(), stack.ToolsConfig{})
	require.NoError(t, err)
	command, err := tools.Schemathesis(t.Context(), os.Stderr)
	require.NoError(t, err)
	file, output := filepath.Join(s.Dir, "openapi.json"), filepath.Join(s.Dir, "report.ndjson")
	require.NoError(t, os.WriteFile(file, document, 0o600))
	config, err := filepath.Abs("schemathesis.toml")
	require.NoError(t, err)
	began := time.Now()
	p, err := stack.StartProcess(stack.Command{
		Name: "schemathesis", Path: command, Dir: s.Dir, LogFile: filepath.Join(s.Dir, "schemathesis.log"),
		Args: slices.Concat([]string{"--config-file", config, "run", file, "--url", s.BaseURL()}, arguments,
			[]string{"--header", "Authorization: Bearer " + token, "--report-ndjson-path", output}),
		Env: []string{"PYTHONPATH=", "PYTHONHOME=", "NO_PROXY=*", "HYPOTHESIS_STORAGE_DIRECTORY=" + filepath.Join(s.Dir, "hypothesis")},
	})
	require.NoError(t, err)
	defer p.Kill()
	select {
	case <-p.Done():
	case <-time.After(runTime):
		require.Fail(t, "schemathesis does not end", "%s", strings.Join(p.Log.Tail(20), "\n"))
	}
	// 0: no failures, 1: failures, which the report has. Anything else is its own.
	require.Contains(t, []int{0, 1}, p.ExitCode(), "%s", strings.Join(p.Log.Tail(40), "\n"))
	f, err := os.Open(output)
	require.NoError(t, err, "%s", strings.Join(p.Log.Tail(40), "\n"))
	defer f.Close() //nolint:errcheck // only read
	r, err := readReport(f)
	require.NoError(t, err)
	t.Logf("%d requests in %s", len(r.exchanges), time.Since(began).Round(time.Second))
	return r
}

// requireTested checks that each operation got requests from the edges of its schemas and random ones, and has done what it is for.
func requireTested(t *testing.T, operations []string, r *report) {
	t.Helper()
	type count struct{ coverage, fuzzing, done, refused int }
	counts := map[string]*count{}
	for _, operation := range operations {
		counts[operation] = &count{}
	}
	for _, x := range r.exchanges {
		c := counts[x.operation]
		if c == nil {
			continue // a link's label
		}
		switch x.phase {
		case "coverage":
			c.coverage++
		case "fuzzing":
			c.fuzzing++
		}
		switch {
		case x.method+" "+x.path() != x.operation:
		case x.status < 300:
			c.done++
		case x.status >= 400:
			c.refused++
		}
	}
	for _, operation := range operations {
		c := counts[operation]
		t.Logf("%-22s %3d from its schemas' edges, %3d random; %3d done, %3d refused", operation, c.coverage, c.fuzzing, c.done, c.refused)
		require.NotZero(t, c.coverage, operation)
		require.NotZero(t, c.fuzzing, operation)
		require.NotZero(t, c.done, "%s was never answered with success", operation)
	}
}

// findings are the failures that are not allowed, those of one kind together.
func findings(r *report, list []*entry, base, token string) string {
	first, times := map[string]string{}, map[string]int{}
	for _, x := range r.exchanges {
		for _, f := range x.failures {
			if slices.ContainsFunc(list, func(e *entry) bool { return e.allows(x, f.check) }) {
				continue
			}
			kind := fmt.Sprintf("%s: %s %s: %d %s %s", f.check, x.method, x.path(), x.status, x.code, x.field)
			if times[kind]++; times[kind] == 1 {
				first[kind] = fmt.Sprintf("    %s\n    %.500s\n    %s", f.text, x.answer, x.curl(base, token))
			}
		}
	}
	var text strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(first)) {
		fmt.Fprintf(&text, "- %s (%d times), the first:\n%s\n", kind, times[kind], first[kind])
	}
	return text.String()
}

func TestFindingsAreThoseThatNoEntryAllows(t *testing.T) {
	x := func(status int, check string) *exchange {
		return &exchange{method: "GET", uri: "http://g/read?userId=1", status: status, failures: []failure{{check: check, text: "T"}}}
	}
	r := &report{exchanges: []*exchange{x(400, "a"), x(404, "a"), x(404, "a"), x(400, "b")}}
	list := []*entry{{Check: "a", Operation: "GET /read", Status: 400}, {Check: "b", Operation: "GET /create", Status: 400}}
	require.Equal(t, `- a: GET /read: 404   (2 times), the first:
    T
    
    curl -i -X GET "$BASE"'/read?userId=1'
- b: GET /read: 400   (1 times), the first:
    T
    
    curl -i -X GET "$BASE"'/read?userId=1'
`, findings(r, list, "http://g", "abc"))
	require.Equal(t, 1, list[0].used)
	require.Zero(t, list[1].used)
	require.Empty(t, findings(&report{exchanges: r.exchanges[:1]}, list, "http://g", "abc"))
}
