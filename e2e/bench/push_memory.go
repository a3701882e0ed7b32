package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"adsidecar/e2e/bench/report"
)

// mebibytes of a number of bytes.
func mebibytes(bytes float64) float64 { return bytes / (1 << 20) }

// residentOf is the memory of Envoy in MiB by ads and workers, a value for each round.
type residentOf map[[2]int]report.Cell

// measureWorkers compares the memory of Envoys with different numbers of workers and ads.
func measureWorkers(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	resident, index := residentOf{}, map[int]float64{}
	var errs error
	for n := range o.rounds {
		o.say("memory of workers: round %d of %d", n+1, o.rounds)
		round := residentOf{}
		for _, ads := range plan.sizes {
			for _, workers := range plan.workers {
				err := withRig(ctx, o, ads, workers, plan.pushes, func(r *pushRig) error {
					round[[2]int{ads, workers}] = report.Cell{mebibytes(r.resident())}
					index[ads] = mebibytes(float64(r.bytes))
					return nil
				})
				if err != nil {
					errs = errors.Join(errs, fmt.Errorf("memory of %d workers, %s ads: %w", workers, grouped(ads), err))
				}
			}
		}
		if errs != nil {
			break
		}
		for key, values := range round {
			resident[key] = append(resident[key], values...)
		}
	}
	if len(resident) > 0 {
		reportWorkers(plan, resident, index, result)
	}
	return errs
}

// reportWorkers adds the table from which Envoys are sized. An Envoy has a VM for each worker and one on its main thread: what an index
// takes of each is k times its size.
func reportWorkers(plan pushPlan, resident residentOf, index map[int]float64, result *report.Result) {
	few, many := plan.sizes[0], plan.sizes[len(plan.sizes)-1]
	table := report.Table{
		Title:   "Memory of an Envoy",
		Columns: []string{"base: " + grouped(few) + " ads, MiB", grouped(many) + " ads, MiB", "k", "of a VM without ads, MiB"},
	}
	least, most := slices.Min(plan.workers), slices.Max(plan.workers)
	times := func(c report.Cell, factor float64) report.Cell {
		scaled := make(report.Cell, len(c))
		for i, x := range c {
			scaled[i] = x * factor
		}
		return scaled
	}
	a := func(ads int) report.Cell { // worker, of that many ads
		return times(resident[[2]int{ads, most}].Less(resident[[2]int{ads, least}]), 1/float64(most-least))
	}
	for _, workers := range plan.workers {
		base, full := resident[[2]int{few, workers}], resident[[2]int{many, workers}]
		k := times(full.Less(base), 1/(float64(workers+1)*(index[many]-index[few])))
		table.Rows = append(table.Rows, report.Row{Name: fmt.Sprintf("%d workers", workers), Cells: []report.Cell{base, full, k, nil}})
	}
	table.Rows[len(table.Rows)-1].Cells[3] = a(few)
	table.Note = fmt.Sprintf("Memory = base + (workers + 1) × k × index; resident, after %d pushes. The index of %s ads has %.1f MiB. The main thread keeps the index outside of VMs, too, so k is greatest of few workers. A VM without ads: what each worker more takes at %s ads.",
		plan.pushes, grouped(many), index[many], grouped(few))
	perIndex := times(a(many), 1/index[many])
	result.Tables = append(result.Tables, table, report.Table{
		Title: "A worker more", Columns: []string{"MiB", "÷ index"},
		Rows: []report.Row{{Name: grouped(many) + " ads", Cells: []report.Cell{a(many), perIndex}}},
		Note: fmt.Sprintf("(Memory with %d workers − with %d) ÷ %d.", most, least, most-least),
	})
	result.Targets = append(result.Targets, report.Target{
		What: grouped(many) + " ads: VM memory a worker ÷ index", Bound: report.AtMost, Limit: 3, Cell: perIndex,
	})
}
