package main

import (
	"context"
	"fmt"
	"time"

	"adsidecar/e2e/bench/report"
)

// pushRound is what one round of a case found. Times are in milliseconds.
type pushRound struct {
	median, p95, most                     float64 // until every worker answered
	compiled, offered, confirmed, workers float64 // medians of the parts, one after the other
	quiet, during                         float64 // 99th percentile of requests
	requests, failed                      int
	bytes                                 int // of the index
}

// measurePushes lets the cases take turns.
func measurePushes(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	found := make([][]pushRound, len(plan.cases))
	for n := range o.rounds {
		for i := range plan.cases {
			i = (i + n) % len(plan.cases)
			c := plan.cases[i]
			o.say("pushes: round %d of %d, %s", n+1, o.rounds, c)
			err := withRig(ctx, o, c.ads, c.workers, plan.warmUp, func(r *pushRig) error {
				round, err := c.round(ctx, o.duration, r)
				found[i] = append(found[i], round)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
		}
	}
	reportPushes(plan.cases, found, result)
	return nil
}

// round measures requests while nothing is pushed, then the pushes and the requests meanwhile.
func (c pushCase) round(ctx context.Context, quiet time.Duration, r *pushRig) (pushRound, error) {
	r.load.taken()
	if err := pause(ctx, quiet); err != nil {
		return pushRound{}, err
	}
	without := r.load.taken()
	var all []pushed
	for range c.pushes {
		began := time.Now()
		p, err := r.push(ctx)
		if err != nil {
			return pushRound{}, err
		}
		all = append(all, p)
		if c.every > 0 {
			if err := pause(ctx, c.every-time.Since(began)); err != nil {
				return pushRound{}, err
			}
		}
	}
	with := r.load.taken()
	served := each(all, func(p pushed) time.Duration { return p.served })
	result := pushRound{
		median: milliseconds(percentile(served, 50)), p95: milliseconds(percentile(served, 95)), most: milliseconds(percentile(served, 100)),
		compiled:  middle(all, func(p pushed) time.Duration { return p.compiled }),
		offered:   middle(all, func(p pushed) time.Duration { return p.offered - p.compiled }),
		confirmed: middle(all, func(p pushed) time.Duration { return p.confirmed - p.offered }),
		workers:   middle(all, func(p pushed) time.Duration { return p.served - p.confirmed }),
		quiet:     middlePercentile(without, 99), during: middlePercentile(with, 99),
		requests: len(with), bytes: r.bytes,
	}
	var err error
	result.failed, err = r.load.failures()
	if err != nil {
		return result, fmt.Errorf("%d requests failed, the first: %w", result.failed, err)
	}
	return result, nil
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

// middlePercentile is in milliseconds.
func middlePercentile(samples []pushSample, p float64) float64 {
	took := make([]time.Duration, len(samples))
	for i, s := range samples {
		took[i] = s.took
	}
	return milliseconds(percentile(took, p))
}

// reportPushes writes the tables and targets of the rounds of each case.
func reportPushes(cases []pushCase, found [][]pushRound, result *report.Result) {
	times := report.Table{
		Title:   "From a changed document to every worker's answers",
		Columns: []string{"median ms", "p95 ms", "most ms", "compile", "encode", "to Envoy's confirmation", "to the last worker's answer", "index bytes an ad"},
		Note: "The parts are medians, in ms: the document is decoded and compiled; encoded and handed to the connection; received by Envoy, tried in a VM and " +
			"confirmed; from there to the last worker's first answer, which may come before the confirmation.",
	}
	requests := report.Table{
		Title: "Requests while documents are pushed", Columns: []string{"p99 ms, no push", "p99 ms, pushes", "ratio", "requests", "failed"},
		Note: "Where no interval is said, a push follows as soon as every worker serves the one before.",
	}
	for i, c := range cases {
		cell := func(figure func(pushRound) float64) report.Cell {
			values := make(report.Cell, len(found[i]))
			for n, r := range found[i] {
				values[n] = figure(r)
			}
			return values
		}
		p95 := cell(func(r pushRound) float64 { return r.p95 })
		quiet, during := cell(func(r pushRound) float64 { return r.quiet }), cell(func(r pushRound) float64 { return r.during })
		times.Rows = append(times.Rows, report.Row{Name: c.String(), Cells: []report.Cell{
			cell(func(r pushRound) float64 { return r.median }), p95, cell(func(r pushRound) float64 { return r.most }),
			cell(func(r pushRound) float64 { return r.compiled }), cell(func(r pushRound) float64 { return r.offered }),
			cell(func(r pushRound) float64 { return r.confirmed }), cell(func(r pushRound) float64 { return r.workers }),
			cell(func(r pushRound) float64 { return float64(r.bytes) / float64(c.ads) }),
		}})
		requests.Rows = append(requests.Rows, report.Row{Name: c.String(), Cells: []report.Cell{
			quiet, during, during.Ratio(quiet),
			cell(func(r pushRound) float64 { return float64(r.requests) }), cell(func(r pushRound) float64 { return float64(r.failed) }),
		}})
		if c.every == 0 {
			limit := 300.0
			if c.ads == mostAds {
				limit = 4000
			}
			result.Targets = append(result.Targets, report.Target{
				What: c.String() + ": document read → every worker answers with it, p95", Bound: report.AtMost, Limit: limit, Unit: "ms", Cell: p95,
			})
		}
		result.Targets = append(result.Targets, report.Target{
			What: c.String() + ": p99 of requests during pushes ÷ without", Bound: report.AtMost, Limit: 3, Cell: during.Ratio(quiet),
		})
	}
	result.Tables = append(result.Tables, times, requests)
}
