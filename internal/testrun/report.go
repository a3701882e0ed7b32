package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// slow is how long a passing test takes at least to be shown: a run of minutes should tell what it is doing.
const slow = 5 * time.Second

// event is one line of `go test -json` (go doc test2json, go help buildjson).
type event struct {
	Action     string  `json:"Action"`
	Package    string  `json:"Package"`
	ImportPath string  `json:"ImportPath"` // of a build event, in place of Package
	Test       string  `json:"Test"`
	Elapsed    float64 `json:"Elapsed"`
	Output     string  `json:"Output"`
}

// report turns events into lines for people and into counts. Not for concurrent use.
type report struct {
	out io.Writer

	tests, packages, failed, skipped int
	perPackage                       map[string]int
	outputs                          map[testID]*bytes.Buffer // what unfinished tests wrote; the empty test is the package
	notes                            []string                 // repeated at the end, where they are seen
}

type testID struct{ pkg, test string }

func newReport(out io.Writer) *report {
	return &report{out: out, perPackage: map[string]int{}, outputs: map[testID]*bytes.Buffer{}}
}

// line takes one line of output of `go test -json`; what is not an event is shown as it is.
func (r *report) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		r.print("%s", bytes.TrimRight(line, "\n"))
		return
	}
	id := testID{pkg: e.Package, test: e.Test}
	switch e.Action {
	case "output":
		r.keep(id, e.Output)
	case "build-output":
		r.print("%s", strings.TrimRight(e.Output, "\n"))
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(id, e)
		} else {
			r.endTest(id, e)
		}
	}
}

// keep remembers what a test wrote until it is known whether anyone wants to read it.
func (r *report) keep(id testID, output string) {
	for _, mark := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME"} {
		if strings.HasPrefix(output, mark) {
			return
		}
	}
	buf := r.outputs[id]
	if buf == nil {
		buf = &bytes.Buffer{}
		r.outputs[id] = buf
	}
	buf.WriteString(output)
}

func (r *report) endTest(id testID, e event) {
	r.tests++
	r.perPackage[id.pkg]++
	switch e.Action {
	case "fail":
		r.failed++
		r.note("FAIL  %s %s", id.pkg, id.test)
		r.showOutput(id)
	case "skip":
		r.skipped++
		r.note("SKIP  %s %s", id.pkg, id.test)
		r.showOutput(id)
	case "pass":
		if took := seconds(e.Elapsed); took >= slow && !strings.Contains(id.test, "/") {
			r.print("      %s %s %v", id.pkg, id.test, took)
		}
	}
	delete(r.outputs, id)
}

func (r *report) endPackage(id testID, e event) {
	if e.Action == "skip" { // no test files
		return
	}
	r.packages++
	if e.Action == "pass" {
		r.print("ok    %s %d tests %v", id.pkg, r.perPackage[id.pkg], seconds(e.Elapsed))
		delete(r.outputs, id)
		return
	}
	// A package fails with its tests, or without one: it did not build, TestMain failed, it panicked or ran out of time. The
	// cause is then in what the package and its unfinished tests wrote.
	r.note("FAIL  %s", id.pkg)
	var unfinished []string
	for other := range r.outputs {
		if other.pkg == id.pkg && other.test != "" {
			unfinished = append(unfinished, other.test)
		}
	}
	slices.Sort(unfinished)
	for _, test := range unfinished {
		r.print("      unfinished: %s", test)
		r.showOutput(testID{pkg: id.pkg, test: test})
	}
	r.showOutput(id)
}

func (r *report) showOutput(id testID) {
	if buf := r.outputs[id]; buf != nil {
		_, _ = r.out.Write(buf.Bytes())
	}
	delete(r.outputs, id)
}

// note prints a line now and again before the last one.
func (r *report) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.notes = append(r.notes, line)
	r.print("%s", line)
}

// passed tells whether every test that was reported ran and passed.
func (r *report) passed() bool { return r.failed == 0 && r.skipped == 0 }

// finish prints what went wrong, once more and together, and the counts.
func (r *report) finish(took time.Duration) {
	if len(r.notes) > 0 {
		r.print("\n%s", strings.Join(r.notes, "\n"))
	}
	r.print("DONE %d tests in %d packages, %d failed, %d skipped, %v", r.tests, r.packages, r.failed, r.skipped, took)
	if r.skipped > 0 {
		r.print("A skipped test counts as a failure: make it run here, or delete it.")
	}
}

// print writes to the terminal or the log of the run; there is nobody to tell when that fails.
func (r *report) print(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond)
}
