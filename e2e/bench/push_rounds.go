package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"adsidecar/e2e/bench/report"
)

// pushRound is what one round of a case found.
type pushRound struct {
	pushes           []pushed
	quiet, during    []pushSample // requests without pushes and with
	requests, failed int
	first            error // of the requests that failed
	bytes            int   // of the index
}

// measurePushes lets the cases take turns. A round that fails is left out, and counts as a failure of its case.
func measurePushes(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	found := make([]pushFound, len(plan.cases))
	rounds := 0
	for _, c := range plan.cases {
		rounds = max(rounds, c.rounds)
	}
	for n := range rounds {
		for i := range plan.cases {
			i = (i + n) % len(plan.cases)
			c := plan.cases[i]
			if n >= c.rounds || ctx.Err() != nil {
				continue
			}
			o.say("pushes: round %d of %d, %s", n+1, c.rounds, c)
			err := withRig(ctx, o, c.ads, c.workers, 1, func(r *pushRig) error {
				round, err := c.round(ctx, o.duration, r)
				if len(round.pushes) > 0 {
					found[i].rounds = append(found[i].rounds, round)
				}
				return err
			})
			if err != nil {
				o.say("%s: %v", c, err)
				found[i].failures = append(found[i].failures, fmt.Sprintf("%s, round %d: %s", c, n+1, firstLine(err)))
			}
		}
	}
	reportPushes(plan.cases, found, result)
	return ctx.Err()
}

// pushFound is what all rounds of a case found.
type pushFound struct {
	rounds   []pushRound
	failures []string // of rounds that did not get to their end
}

// cell is one figure of all rounds.
func (f *pushFound) cell(figure func(pushRound) float64) report.Cell {
	values := make(report.Cell, len(f.rounds))
	for n, r := range f.rounds {
		values[n] = figure(r)
	}
	return values
}

// pooled is a percentile of the pushes of all rounds together, in milliseconds: those of one round are too few for a high one.
func (f *pushFound) pooled(p float64) report.Cell {
	var all []pushed
	for _, r := range f.rounds {
		all = append(all, r.pushes...)
	}
	if len(all) == 0 {
		return nil
	}
	return report.Cell{milliseconds(percentile(each(all, func(p pushed) time.Duration { return p.served }), p))}
}

// failure says in a line what has failed; "": nothing has.
func (f *pushFound) failure() string {
	texts := slices.Clone(f.failures)
	failed := 0
	var first error
	for _, r := range f.rounds {
		failed += r.failed
		if first == nil {
			first = r.first
		}
	}
	if failed > 0 {
		texts = append(texts, fmt.Sprintf("%d requests failed, the first: %s", failed, firstLine(first)))
	}
	return strings.Join(texts, "; ")
}

// round measures requests while nothing is pushed, then the pushes and the requests meanwhile. With an error it returns the pushes before.
func (c pushCase) round(ctx context.Context, quiet time.Duration, r *pushRig) (result pushRound, err error) {
	r.load.taken()
	if err := pause(ctx, quiet); err != nil {
		return result, err
	}
	result.quiet = r.load.taken()
	for range c.pushes {
		began := time.Now()
		var p pushed
		if p, err = r.push(ctx); err != nil {
			break
		}
		result.pushes = append(result.pushes, p)
		if c.every > 0 {
			if err = pause(ctx, c.every-time.Since(began)); err != nil {
				break
			}
		}
	}
	result.during = r.load.taken()
	result.requests, result.bytes = len(result.during), r.bytes
	result.failed, result.first = r.load.failures()
	return result, err
}

func each(all []pushed, part func(pushed) time.Duration) []time.Duration {
	values := make([]time.Duration, len(all))
	for i, p := range all {
		values[i] = part(p)
	}
	return values
}

// middle is the median in milliseconds.
func middle(all []pushed, part func(pushed) time.Duration) float64 {
	return milliseconds(percentile(each(all, part), 50))
}

// samplesPercentile is in milliseconds; 0 of none.
func samplesPercentile(samples []pushSample, p float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	took := make([]time.Duration, len(samples))
	for i, s := range samples {
		took[i] = s.took
	}
	return milliseconds(percentile(took, p))
}

// reportPushes writes the tables and targets of what each case found.
func reportPushes(cases []pushCase, found []pushFound, result *report.Result) {
	times := report.Table{
		Title: "From a changed document to every worker's answers",
		Columns: []string{
			"pushes", "median ms", "p95 ms", "most ms", "compile", "encode", "to Envoy's confirmation", "to the last worker's answer", "index bytes an ad",
		},
		Note: "p95 and most are of the pushes of all rounds together, by nearest rank; the others are medians of each round. The parts, in ms: the document is decoded " +
			"and compiled; encoded and handed to the connection; received by Envoy, tried in a VM and confirmed; from there to the last worker's first " +
			"answer, which may come before the confirmation.",
	}
	requests := report.Table{
		Title: "Requests while documents are pushed", Columns: []string{"p99 ms, no push", "p99 ms, pushes", "ratio", "requests", "failed"},
		Note: "Where no interval is said, a push follows as soon as every worker serves the one before.",
	}
	for i, c := range cases {
		f := &found[i]
		part := func(part func(pushed) time.Duration) report.Cell {
			return f.cell(func(r pushRound) float64 { return middle(r.pushes, part) })
		}
		quiet := f.cell(func(r pushRound) float64 { return samplesPercentile(r.quiet, 99) })
		during := f.cell(func(r pushRound) float64 { return samplesPercentile(r.during, 99) })
		p95 := f.pooled(95)
		times.Rows = append(times.Rows, report.Row{Name: c.String(), Cells: []report.Cell{
			f.cell(func(r pushRound) float64 { return float64(len(r.pushes)) }),
			part(func(p pushed) time.Duration { return p.served }), p95, f.pooled(100),
			part(func(p pushed) time.Duration { return p.compiled }),
			part(func(p pushed) time.Duration { return p.offered - p.compiled }),
			part(func(p pushed) time.Duration { return p.confirmed - p.offered }),
			part(func(p pushed) time.Duration { return p.served - p.confirmed }),
			f.cell(func(r pushRound) float64 { return float64(r.bytes) / float64(c.ads) }),
		}})
		requests.Rows = append(requests.Rows, report.Row{Name: c.String(), Cells: []report.Cell{
			quiet, during, during.Ratio(quiet),
			f.cell(func(r pushRound) float64 { return float64(r.requests) }), f.cell(func(r pushRound) float64 { return float64(r.failed) }),
		}})
		failure := f.failure()
		if failure != "" {
			result.Failures = append(result.Failures, c.String()+": "+failure)
		}
		if c.every == 0 {
			limit := 300.0
			if c.ads == mostAds {
				limit = 4000
			}
			result.Targets = append(result.Targets, report.Target{
				What: c.String() + ": document read → every worker answers with it, p95", Bound: report.AtMost, Limit: limit, Unit: "ms", Cell: p95, Failed: failure,
			})
		}
		result.Targets = append(result.Targets, report.Target{
			What: c.String() + ": p99 of requests during pushes ÷ without", Bound: report.AtMost, Limit: 3, Cell: during.Ratio(quiet), Failed: failure,
		})
	}
	result.Tables = append(result.Tables, times, requests)
}
