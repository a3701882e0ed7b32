package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReport(t *testing.T) {
	tests := map[string]struct {
		events  []string
		passed  bool
		shown   []string
		hidden  []string
		summary string
	}{
		"passing tests are counted, subtests too, and what they wrote is not shown": {
			events: []string{
				`{"Action":"run","Package":"m/p","Test":"TestA"}`,
				`{"Action":"output","Package":"m/p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"m/p","Test":"TestA/sub","Elapsed":0.1}`,
				`{"Action":"pass","Package":"m/p","Test":"TestA","Elapsed":0.1}`,
				`{"Action":"output","Package":"m/p","Output":"PASS\n"}`,
				`{"Action":"pass","Package":"m/p","Elapsed":1.234}`,
			},
			passed:  true,
			shown:   []string{"ok    m/p 2 tests 1.23s"},
			hidden:  []string{"chatter", "PASS"},
			summary: "DONE 2 tests in 1 packages, 0 failed, 0 skipped, 1m5s",
		},
		"a failed test shows what it wrote and is named again at the end": {
			events: []string{
				`{"Action":"output","Package":"m/p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"m/p","Test":"TestA","Output":"    a_test.go:7: expected 1\n"}`,
				`{"Action":"fail","Package":"m/p","Test":"TestA","Elapsed":0.1}`,
				`{"Action":"fail","Package":"m/p","Elapsed":0.2}`,
			},
			shown:   []string{"a_test.go:7: expected 1", "\n\nFAIL  m/p TestA\nFAIL  m/p\nDONE"},
			hidden:  []string{"=== RUN"},
			summary: "DONE 1 tests in 1 packages, 1 failed, 0 skipped, 1m5s",
		},
		"a skipped test is no pass": {
			events: []string{
				`{"Action":"output","Package":"m/p","Test":"TestA","Output":"    a_test.go:7: no envoy\n"}`,
				`{"Action":"skip","Package":"m/p","Test":"TestA","Elapsed":0}`,
				`{"Action":"pass","Package":"m/p","Elapsed":0.2}`,
			},
			shown:   []string{"SKIP  m/p TestA", "no envoy", "A skipped test counts as a failure"},
			summary: "DONE 1 tests in 1 packages, 0 failed, 1 skipped, 1m5s",
		},
		"a package without test files is not counted": {
			events: []string{
				`{"Action":"output","Package":"m/p","Output":"?   \tm/p\t[no test files]\n"}`,
				`{"Action":"skip","Package":"m/p","Elapsed":0}`,
			},
			passed:  true,
			summary: "DONE 0 tests in 0 packages, 0 failed, 0 skipped, 1m5s",
		},
		"a package that panics shows its unfinished test": {
			events: []string{
				`{"Action":"output","Package":"m/p","Test":"TestA","Output":"panic: index out of range\n"}`,
				`{"Action":"output","Package":"m/p","Output":"FAIL\tm/p\t0.1s\n"}`,
				`{"Action":"fail","Package":"m/p","Elapsed":0.2}`,
			},
			passed:  true, // the exit status of go test tells
			shown:   []string{"FAIL  m/p\n", "unfinished: TestA", "panic: index out of range"},
			summary: "DONE 0 tests in 1 packages, 0 failed, 0 skipped, 1m5s",
		},
		"a package that does not build shows the compiler's words": {
			events: []string{
				`{"ImportPath":"m/p [m/p.test]","Action":"build-output","Output":"p/a_test.go:3:1: undefined: x\n"}`,
				`{"ImportPath":"m/p [m/p.test]","Action":"build-fail"}`,
				`{"Action":"fail","Package":"m/p","Elapsed":0,"FailedBuild":"m/p [m/p.test]"}`,
			},
			passed:  true, // as above
			shown:   []string{"p/a_test.go:3:1: undefined: x", "FAIL  m/p\n"},
			summary: "DONE 0 tests in 1 packages, 0 failed, 0 skipped, 1m5s",
		},
		"a slow test is named while the run goes on": {
			events:  []string{`{"Action":"pass","Package":"m/p","Test":"TestFleet","Elapsed":61.5}`},
			passed:  true,
			shown:   []string{"m/p TestFleet 1m1.5s"},
			summary: "DONE 1 tests in 0 packages, 0 failed, 0 skipped, 1m5s",
		},
		"a line that is not an event is shown as it is": {
			events:  []string{`warning: no such tool`, `{"other":"json"}`},
			passed:  true,
			shown:   []string{"warning: no such tool\n{\"other\":\"json\"}\n"},
			summary: "DONE 0 tests in 0 packages, 0 failed, 0 skipped, 1m5s",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			rep := newReport(&out)
			require.NoError(t, scan(strings.NewReader(strings.Join(tt.events, "\n")), rep))
			rep.finish(65 * time.Second)

			require.Equal(t, tt.passed, rep.passed())
			require.Contains(t, out.String(), tt.summary)
			for _, want := range tt.shown {
				require.Contains(t, out.String(), want)
			}
			for _, not := range tt.hidden {
				require.NotContains(t, out.String(), not)
			}
		})
	}
}
