package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adsidecar/e2e/bench/report"
)

// pollInterval is the control plane's own: the pace of changes that are seen by polling.
const pollInterval = 10 * time.Second

// pushCase is what documents are pushed to, and how fast.
type pushCase struct {
	ads, workers int
	pushes       int           // in a round
	every        time.Duration // from one push to the next; 0: as soon as every worker serves the last
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
	warmUp    int // pushes of a rig before anything is measured
	endurance int // pushes in a row
	settled   int // push after which memory is not to grow any more
	workers   int // pushes before the memory of workers is looked at
	compile   []int
	limit     bool // push indexes at the size limit, and find how large one may be
}

func planPushes(quick bool) pushPlan {
	if quick {
		return pushPlan{
			cases:  []pushCase{{ads: manyAds, workers: 2, pushes: 10}},
			warmUp: 1, endurance: 12, settled: 6, workers: 3, compile: []int{manyAds},
		}
	}
	return pushPlan{
		cases: []pushCase{
			{ads: manyAds, workers: 2, pushes: 40},
			{ads: manyAds, workers: 4, pushes: 40},
			{ads: manyAds, workers: 2, pushes: 6, every: pollInterval},
			{ads: mostAds, workers: 2, pushes: 10},
			{ads: mostAds, workers: 4, pushes: 10},
		},
		warmUp: 3, endurance: 1000, settled: 50, workers: 10, compile: []int{manyAds, mostAds}, limit: true,
	}
}

var pushMethod = []string{
	"A control plane reads the document of `e2e/bench/workload` from a file; each push is the file replaced by one in which every id is another one. " +
		"At least 16 connections, at least two on each worker by Envoy's own counters, each send a request every 10 ms, whatever became of the one " +
		"before; a request's latency counts from when it was due. The clock of a push starts when the control plane has read the file (`read_at` in its " +
		"status) and stops when the last worker has answered with an id that only this document has. Every answer must be a 200 of this document or the one " +
		"before, and none older than the connection's last.",
	"Each round has a system of its own, so that the index before the first push is not the one of the round before. The limits of document and index " +
		"are raised as far as they go. Control plane, Envoy, the file's writer and the connections share the machine. Compiling is measured on a process " +
		"of its own, `adsidecar validate --campaigns`, from its start to its end.",
}

// runPush measures the way of a document from its source to the answers of every worker.
func runPush(ctx context.Context, o options) (*report.Result, error) {
	o = o.or(3, 5*time.Second, 1, 2*time.Second)
	plan := planPushes(o.quick)
	result := &report.Result{Title: "Pushes", Method: pushMethod}
	for _, measure := range []func(context.Context, options, pushPlan, *report.Result) error{
		measurePushes, measureWorkers, measureCompile, measureEndurance, measureLimit,
	} {
		if err := measure(ctx, o, plan, result); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// withRig runs do with a rig that has had its warm-up.
func withRig(ctx context.Context, o options, ads, workers, warmUp int, do func(*pushRig) error) (err error) {
	r, err := startPushRig(ctx, o, ads, workers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for range warmUp {
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
