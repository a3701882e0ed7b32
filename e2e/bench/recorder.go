package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"adsidecar/e2e/bench/report"
)

// recorder keeps what the parts of a benchmark measure.
type recorder struct {
	o       options
	out     io.Writer
	results string // the folder
	machine func() report.Machine
	err     error // of the parts that failed
}

// part runs a part that is wanted, for no longer than the budget, prints and writes what it has put into its result. A failure is part of
// the result. If nothing was measured, the part's file stays as it is.
func (rec *recorder) part(ctx context.Context, name string, budget time.Duration, result *report.Result, do func(context.Context, *report.Result) error) {
	if !rec.o.wants(name) || ctx.Err() != nil {
		return
	}
	result.Name = partFile(name)
	if rec.o.quick {
		result.Name = "quick-" + result.Name
	}
	result.Machine = rec.machine()
	began := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, budget, fmt.Errorf("%s: more than its %s", name, budget))
	err := do(limited, result)
	if err != nil && limited.Err() != nil {
		err = errors.Join(context.Cause(limited), err)
	}
	cancel()
	if err != nil {
		result.Failures = append(result.Failures, firstLine(err))
		rec.err = errors.Join(rec.err, fmt.Errorf("%s: %w", name, err))
		for i := range result.Targets {
			if t := &result.Targets[i]; t.Failed == "" {
				t.Failed = "not measured to the end"
			}
		}
	}
	rec.o.say("%s took %s", name, time.Since(began).Round(time.Second))
	if len(result.Tables) == 0 {
		return
	}
	if _, err := io.WriteString(rec.out, result.Text()+"\n"); err != nil {
		rec.err = errors.Join(rec.err, err)
	}
	rec.err = errors.Join(rec.err, result.Write(rec.results))
	for _, failure := range result.Failures {
		if err == nil {
			rec.err = errors.Join(rec.err, fmt.Errorf("%s: %s", name, failure))
		}
	}
}

// partFile is the name of a part's result.
func partFile(part string) string { return strings.ReplaceAll(part, "/", "-") }

// firstLine is an error without the logs that follow it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
