package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adsidecar/e2e/bench/report"
)

// The parts of the benchmark.
const (
	compilePart   = "push/compile"
	memoryPart    = "push/memory"
	pushPart      = "push/latency"
	endurancePart = "push/endurance"
	limitPart     = "push/limit"
)

// pushCase is what documents are pushed to, and how fast.
type pushCase struct {
	ads, workers   int
	rounds, pushes int           // pushes are in a round
	every          time.Duration // from one push to the next; 0: as soon as every worker serves the last
}

func (c pushCase) String() string {
	text := fmt.Sprintf("%s ads, %d workers", grouped(c.ads), c.workers)
	if c.every > 0 {
		text += fmt.Sprintf(", a push every %s", c.every)
	}
	return text
}

// grouped is 100000 as "100,000".
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// The sizes of the targets.
const (
	manyAds = 100_000
	mostAds = 1_000_000
)

// pushPlan is what a run measures.
type pushPlan struct {
	cases     []pushCase
	endurance int   // pushes in a row
	settled   int   // push after which memory is not to grow any more
	workers   []int // of the Envoys whose memory is measured; none: it is not
	sizes     []int // ads of documents for which the memory of workers is measured
	pushes    int   // before it is
	compile   []int // ads of documents that are compiled
	limit     bool  // push indexes at the size limit, and find how large one may be
}

func planPushes(quick bool) pushPlan {
	if quick {
		return pushPlan{
			cases:     []pushCase{{ads: manyAds, workers: 2, rounds: 1, pushes: 20}},
			endurance: 12, settled: 6, compile: []int{manyAds},
		}
	}
	return pushPlan{
		cases: []pushCase{
			{ads: manyAds, workers: 2, rounds: 3, pushes: 20},
			{ads: manyAds, workers: 4, rounds: 3, pushes: 20},
			{ads: manyAds, workers: 2, rounds: 3, pushes: 5, every: 3 * time.Second},
			{ads: mostAds, workers: 2, rounds: 2, pushes: 10},
			{ads: mostAds, workers: 4, rounds: 2, pushes: 10},
		},
		endurance: 1000, settled: 50, workers: []int{1, 2, 3}, sizes: []int{smallAds, manyAds}, pushes: 10, compile: []int{manyAds, mostAds}, limit: true,
	}
}

const (
	pushMethod = "A control plane reads the document of `e2e/bench/workload` from a file; each push is the file replaced by one in which every id is another one. " +
		"At least 16 connections, at least two on each worker by Envoy's own counters, each send a request every 10 ms, whatever became of the one " +
		"before; a request's latency counts from when it was due. The clock of a push starts when the control plane has read the file (`read_at` in its " +
		"status) and stops when the last worker has answered with an id that only this document has. Every answer must be a 200 of this document or the one " +
		"before, and none older than the connection's last. A connection whose request fails sends no more; the others go on."
	pushMachine = "Control plane, Envoy, the file's writer and the connections share the machine. The limits of document and index are raised as far as they go."
)

// runPush measures the way of a document from its source to the answers of every worker.
func runPush(ctx context.Context, o options, rec *recorder) error {
	o = o.or(3, 4*time.Second, 1, 2*time.Second)
	plan := planPushes(o.quick)
	measured := func(do func(context.Context, options, pushPlan, *report.Result) error) func(context.Context, *report.Result) error {
		return func(ctx context.Context, r *report.Result) error { return do(ctx, o, plan, r) }
	}
	rec.part(ctx, compilePart, 90*time.Second, &report.Result{Title: "Compile", Method: []string{
		"On a process of its own, `adsidecar validate --campaigns`, from its start to its end.",
	}}, measured(measureCompile))
	if len(plan.workers) > 0 {
		rec.part(ctx, memoryPart, 3*time.Minute, &report.Result{Title: "Memory of Envoy", Method: []string{pushMethod, pushMachine}}, measured(measureWorkers))
	}
	rec.part(ctx, pushPart, 10*time.Minute, &report.Result{Title: "Pushes", Method: []string{
		pushMethod,
		"Each round has a system of its own, so that the index before the first push is not the one of the round before, and first a push that does not count. " + pushMachine,
	}}, measured(measurePushes))
	rec.part(ctx, endurancePart, 8*time.Minute, &report.Result{Title: "Many pushes in a row", Method: []string{pushMethod, pushMachine}}, measured(measureEndurance))
	if plan.limit {
		rec.part(ctx, limitPart, 6*time.Minute, &report.Result{Title: "The size limit", Method: []string{pushMethod, pushMachine}}, measured(measureLimit))
	}
	return nil
}

// withRig runs do with a rig that has had some pushes.
func withRig(ctx context.Context, o options, ads, workers, pushes int, do func(*pushRig) error) (err error) {
	r, err := startPushRig(ctx, o, ads, workers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for range pushes {
		if _, err := r.push(ctx); err != nil {
			return err
		}
	}
	return do(r)
}

// pause returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
