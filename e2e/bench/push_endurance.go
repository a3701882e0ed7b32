package main

import (
	"context"
	"fmt"

	"adsidecar/e2e/bench/report"
)

// measureEndurance pushes many documents in a row.
func measureEndurance(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	c := pushCase{ads: manyAds, workers: 2}
	found, err := c.inARow(ctx, o, plan.endurance, plan.settled, false)
	found.report(c.String(), err, result)
	return err
}

// inARow is what pushes one after the other found.
type inARow struct {
	pushes, done, settled int
	before, after         float64 // memory of Envoy in MiB after the settled and after the last push
	requests, failed      int
	first                 error // why a request failed
	bytes                 int
}

// inARow pushes without a pause. Requests that fail are counted, and end it if they shall. With an error it returns what it has found before.
func (c pushCase) inARow(ctx context.Context, o options, pushes, settled int, stopAtFailure bool) (inARow, error) {
	found := inARow{pushes: pushes, settled: settled}
	err := withRig(ctx, o, c.ads, c.workers, 0, func(r *pushRig) error {
		for n := range pushes {
			if n%(pushes/10+1) == 0 {
				o.say("pushes in a row: %d of %d, %s", n, pushes, c)
			}
			_, err := r.push(ctx)
			found.requests += len(r.load.taken())
			found.bytes = max(found.bytes, r.bytes)
			found.failed, found.first = r.load.failures()
			if err != nil {
				return fmt.Errorf("after %d pushes: %w", n, err)
			}
			found.done = n + 1
			found.after = mebibytes(r.resident())
			if found.done == settled {
				found.before = found.after
			}
			if found.failed > 0 && stopAtFailure {
				return nil
			}
		}
		return nil
	})
	return found, err
}

// report adds a table and its targets. err is what ended the pushes early.
func (found *inARow) report(subject string, err error, result *report.Result) {
	failure := ""
	switch {
	case err != nil:
		failure = firstLine(err)
	case found.failed > 0:
		failure = fmt.Sprintf("%d requests failed, the first: %s", found.failed, firstLine(found.first))
		result.Failures = append(result.Failures, subject+": "+failure)
	}
	note := ""
	if found.first != nil {
		note = "The first failed request: " + firstLine(found.first)
	}
	ratio := report.Cell{found.after}.Ratio(report.Cell{found.before})
	result.Tables = append(result.Tables, report.Table{
		Title: grouped(found.pushes) + " pushes in a row", Note: note,
		Columns: []string{
			"index MiB", "pushes", "requests", "failed", fmt.Sprintf("Envoy MiB after push %d", found.settled), "after the last push", "ratio",
		},
		Rows: []report.Row{{Name: subject, Cells: []report.Cell{
			{mebibytes(float64(found.bytes))}, {float64(found.done)}, {float64(found.requests)}, {float64(found.failed)}, {found.before}, {found.after}, ratio,
		}}},
	})
	result.Targets = append(result.Targets,
		report.Target{
			What:  subject + ": failed requests during " + grouped(found.pushes) + " pushes",
			Bound: report.AtMost, Limit: 0, Cell: report.Cell{float64(found.failed)}, Failed: failure,
		},
		report.Target{
			What:  fmt.Sprintf("%s: Envoy's memory after push %s ÷ after push %d", subject, grouped(found.pushes), found.settled),
			Bound: report.AtMost, Limit: 1.05, Cell: ratio, Failed: failure,
		})
}
