package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/program"
)

// reply is what fakeAPI answers.
type reply struct {
	status int
	body   any // marshalled as JSON; a string stands for itself, and lined for its lines
}

// fakeAPI stands for a control plane: it answers each request by its method and URI, and writes down what it was asked.
type fakeAPI struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string
	token    string // that every request had; "mixed" if they differ
}

func newFakeAPI(t *testing.T, replies map[string]reply) *fakeAPI {
	t.Helper()
	for request, r := range replies {
		requireKnownCode(t, request, r)
	}
	f := &fakeAPI{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := r.Method + " " + strings.TrimPrefix(r.RequestURI, "/api/v1")
		f.note(request, r)
		a, ok := replies[request]
		switch {
		case !ok && request == "GET /summary": // nothing keeps campaigns back
			a = reply{200, apiv1.Summary{}}
		case !ok:
			a = reply{404, map[string]string{"code": "not_found", "message": "There is nothing here."}}
		}
		w.Header().Set("Content-Type", "application/json")
		if _, ok := a.body.(lined); ok {
			w.Header().Set("Content-Type", r.Header.Get("Accept"))
		}
		w.WriteHeader(a.status)
		if all, ok := a.body.(lined); ok {
			_, _ = io.WriteString(w, strings.Join(all, "\n")+"\n")
		} else if text, ok := a.body.(string); ok {
			_, _ = io.WriteString(w, text)
		} else if a.body != nil {
			_ = json.NewEncoder(w).Encode(a.body) // the test sees what came of it
		}
	}))
	t.Cleanup(f.Close)
	return f
}

// requireKnownCode requires that a reply refuses as the API does: with a code that its description has, or that nobody could describe.
func requireKnownCode(t *testing.T, request string, r reply) {
	t.Helper()
	text, err := json.Marshal(r.body)
	require.NoError(t, err)
	refusals := []json.RawMessage{text}
	if r.status < 400 {
		refusals = nil
	}
	if all, ok := r.body.(lined); ok {
		for _, line := range all {
			var event apiv1.ImportEvent
			require.NoError(t, json.Unmarshal([]byte(line), &event))
			if event.Error != nil {
				refusals = append(refusals, event.Error.Body)
			}
		}
	}
	for _, refusal := range refusals {
		var body struct{ Code string }
		if json.Unmarshal(refusal, &body) == nil && body.Code != hostile { // a text is not the API's
			require.Contains(t, apiCodes(t), body.Code, request)
		}
	}
}

// apiCodes are the codes of all errors that the API's description has.
func apiCodes(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("api", "openapi.json"))
	require.NoError(t, err)
	type codes struct{ Enum []string }
	type coded struct {
		Properties struct{ Code codes }
	}
	var described struct {
		Components struct {
			Schemas struct {
				ErrorCode         codes
				Invalid, Conflict coded
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &described))
	s := described.Components.Schemas
	for _, of := range []codes{s.ErrorCode, s.Invalid.Properties.Code, s.Conflict.Properties.Code} {
		require.NotEmpty(t, of.Enum)
	}
	return slices.Concat(s.ErrorCode.Enum, s.Invalid.Properties.Code.Enum, s.Conflict.Properties.Code.Enum)
}

func (f *fakeAPI) note(request string, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing the test sees
	for _, name := range []string{"If-Match", "If-None-Match", "X-Comment"} {
		if v := r.Header.Get(name); v != "" {
			request += "\n  " + name + ": " + v
		}
	}
	if len(body) > 0 {
		request += "\n  " + string(body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request)
	f.token = r.Header.Get("Authorization")
}

func (f *fakeAPI) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// outcome is what a command did.
type outcome struct {
	code           int
	stdout, stderr string
}

func runCommand(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := program.Run(t.Context(), command(), args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// transcript is everything about a command that somebody could see.
func (f *fakeAPI) transcript(args []string, o outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ adsidecar %s\n", strings.Join(args, " "))
	for _, r := range f.seen() {
		fmt.Fprintf(&b, "> %s\n", strings.TrimRight(r, "\n"))
	}
	b.WriteString(o.stdout)
	for line := range strings.Lines(o.stderr) {
		b.WriteString("2> " + line)
	}
	fmt.Fprintf(&b, "exit %d\n", o.code)
	return strings.ReplaceAll(b.String(), f.URL, "http://SERVER")
}

func TestFakeAPI(t *testing.T) {
	f := newFakeAPI(t, map[string]reply{"GET /versions": {200, "{}"}})
	require.Equal(t, 0, runCommand(t, "", "versions", "--server", f.URL).code)
	require.Equal(t, []string{"GET /versions", "GET /summary"}, f.seen())
	require.Empty(t, f.token)
}
