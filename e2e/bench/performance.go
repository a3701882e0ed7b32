package main

import (
	"errors"
	"os"
	"strings"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

const performanceHead = `# Performance

<!-- Written by "go run ./e2e/bench report" from bench/results. Do not edit. -->

Figures come from benchmarks that anybody can repeat: ` + "`make bench`, `make bench-push` and `make bench-fleet`" + ` measure and write
bench/results, a file for each section; ` + "`go run ./e2e/bench report`" + ` writes this page from it; ` + "`make bench-push BENCH='-only push/limit'`" + ` repeats one
section. Contenders of a table take turns, so that whatever else the machine does
meets them all. A figure is the median of the rounds, with the least and the greatest; a ratio is one of figures of the same round. Load and services
share the machine: compare the contenders of a table, and take the CPU time for a request to another machine sooner than requests per second.
`

// writePerformance writes the page from the results that are there.
func writePerformance(results, page string) error {
	var b strings.Builder
	b.WriteString(performanceHead)
	found := false
	for _, each := range benchmarks {
		for _, part := range each.parts {
			r, err := report.Read(results, partFile(part))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			found = true
			b.WriteString("\n" + r.Markdown())
		}
	}
	if !found {
		return errors.New("report: there are no results: run make bench first")
	}
	return stack.ReplaceFile(page, []byte(b.String()), 0o644)
}
