package contract

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// report is what a run of schemathesis did, from its ndjson report: an event on each line, an object whose one member is the event's name.
type report struct {
	exchanges []*exchange
	// checks are how often each one was done.
	checks map[string]int
	// problems are what kept schemathesis from testing something.
	problems []string
	// ended is the reason for the end of the run: "completed" if all was done. Empty: there is no end.
	ended string
}

// exchange is a request and its answer.
type exchange struct {
	phase     string
	operation string // of the document, "GET /read"; the request's method may be another one
	method    string
	uri       string
	header    map[string][]string
	body      []byte
	status    int // 0: no answer
	answer    []byte
	code      string // of an error's body
	field     string
	failures  []failure
}

type failure struct{ check, text string }

// event is as much of a report's line as is needed.
type event struct {
	ScenarioFinished *struct {
		Phase    string
		Recorder struct {
			Label        string
			Checks       map[string][]check
			Interactions map[string]interaction
		}
	}
	NonFatalError  *problem
	FatalError     *problem
	EngineFinished *struct {
		Reason string `json:"stop_reason"`
	}
}

type check struct {
	Name    string
	Status  string // success, failure or skip
	Details *struct {
		Failure struct{ Title, Message string }
	} `json:"failure_info"`
}

type interaction struct {
	Request struct {
		Method, URI string
		Headers     map[string][]string
		Body        *content
	}
	Response *struct {
		Status  int      `json:"status_code"`
		Content *content `json:"content"`
	}
}

type content struct {
	Data []byte `json:"$base64"`
}

type problem struct {
	Label string
	Phase string
	Value json.RawMessage
}

// readReport reads a whole report.
func readReport(r io.Reader) (*report, error) {
	rep := &report{checks: map[string]int{}}
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				return nil, fmt.Errorf("read the report: %w: %.200s", err, line)
			}
			rep.add(&e)
		}
		if errors.Is(err, io.EOF) {
			return rep, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the report: %w", err)
		}
	}
}

func (r *report) add(e *event) {
	for _, p := range []*problem{e.NonFatalError, e.FatalError} {
		if p != nil {
			r.problems = append(r.problems, fmt.Sprintf("%s: %s: %s", p.Phase, p.Label, p.Value))
		}
	}
	if e.EngineFinished != nil {
		r.ended = e.EngineFinished.Reason
	}
	if e.ScenarioFinished == nil {
		return
	}
	recorder := e.ScenarioFinished.Recorder
	for _, id := range slices.Sorted(maps.Keys(recorder.Interactions)) {
		x := newExchange(recorder.Interactions[id])
		x.phase, x.operation = e.ScenarioFinished.Phase, recorder.Label
		for _, c := range recorder.Checks[id] {
			r.checks[c.Name]++
			if c.Status == "failure" {
				f := failure{check: c.Name}
				if c.Details != nil {
					f.text = c.Details.Failure.Title + ": " + strings.ReplaceAll(c.Details.Failure.Message, "\n", "\n    ")
				}
				x.failures = append(x.failures, f)
			}
		}
		r.exchanges = append(r.exchanges, x)
	}
}

func newExchange(i interaction) *exchange {
	x := &exchange{method: i.Request.Method, uri: i.Request.URI, header: i.Request.Headers}
	if i.Request.Body != nil {
		x.body = i.Request.Body.Data
	}
	if i.Response == nil {
		return x
	}
	x.status = i.Response.Status
	if i.Response.Content != nil {
		x.answer = i.Response.Content.Data
	}
	var body struct{ Code, Field string }
	if json.Unmarshal(x.answer, &body) == nil {
		x.code, x.field = body.Code, body.Field
	}
	return x
}

// path is the request's, without its query.
func (x *exchange) path() string {
	u, err := url.Parse(x.uri)
	if err != nil {
		return x.uri
	}
	return u.EscapedPath()
}

// curl is a command for a POSIX shell that sends the request again, to $BASE with $TOKEN.
func (x *exchange) curl(base, token string) string {
	variables := func(word string) string {
		if token != "" {
			word = strings.ReplaceAll(word, token, `'"$TOKEN"'`)
		}
		return word
	}
	rest, _ := strings.CutPrefix(x.uri, base)
	words := []string{"curl -i -X " + x.method + ` "$BASE"` + quote(rest)}
	for _, name := range slices.Sorted(maps.Keys(x.header)) {
		if slices.Contains([]string{"Accept", "Accept-Encoding", "Connection", "Content-Length", "User-Agent"}, name) {
			continue
		}
		for _, value := range x.header[name] {
			words = append(words, "-H "+variables(quote(name+": "+value)))
		}
	}
	switch {
	case len(x.body) == 0:
	case utf8.Valid(x.body) && !strings.ContainsRune(string(x.body), 0):
		words = append(words, "--data-binary "+quote(string(x.body)))
	default:
		return fmt.Sprintf("printf '%s' | %s --data-binary @-", octal(x.body), strings.Join(words, " "))
	}
	return strings.Join(words, " ")
}

// quote makes a word of the shell's that stands for text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// octal is what printf makes these bytes of.
func octal(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return b.String()
}

func TestAReportIsRead(t *testing.T) {
	f, err := os.Open("testdata/report.ndjson")
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // only read
	r, err := readReport(f)
	require.NoError(t, err)
	require.Equal(t, "completed", r.ended)
	require.Equal(t, map[string]int{"not_a_server_error": 2, "positive_data_acceptance": 1}, r.checks)
	require.Equal(t, []string{`stateful: Stateful tests: {"type":"NoLinksFound"}`}, r.problems)
	require.Len(t, r.exchanges, 3)

	refused := r.exchanges[0]
	require.Equal(t, "coverage PUT /update", refused.phase+" "+refused.operation)
	require.Equal(t, "PUT /update 412 revision_conflict", fmt.Sprintf("%s %s %d %s", refused.method, refused.path(), refused.status, refused.code))
	require.Equal(t, []failure{{check: "positive_data_acceptance", text: "Schema-valid request rejected: Valid data\n    Expected: 2xx"}}, refused.failures)
	require.Equal(t, `curl -i -X PUT "$BASE"'/update' -H 'Authorization: Bearer '"$TOKEN"'' -H 'If-Match: "1"' --data-binary '{"userId":"it'\''s"}'`,
		refused.curl("http://127.0.0.1:1", "abc"))

	binary := r.exchanges[1]
	require.Empty(t, binary.failures)
	require.Equal(t, `printf '\377\000' | curl -i -X POST "$BASE"'/create?a=b' --data-binary @-`, binary.curl("http://127.0.0.1:1", "abc"))

	require.Zero(t, r.exchanges[2].status, "the connection was closed")
}

func TestABrokenReportIsRefused(t *testing.T) {
	for name, text := range map[string]string{"cut": `{"ScenarioFinished":{"phase":`, "no JSON": "Traceback\n"} {
		t.Run(name, func(t *testing.T) {
			_, err := readReport(strings.NewReader(text))
			require.Error(t, err)
		})
	}
	r, err := readReport(strings.NewReader(`{"Initialize":{}}` + "\n"))
	require.NoError(t, err)
	require.Empty(t, r.ended, "a run that was broken off has no end")
}
