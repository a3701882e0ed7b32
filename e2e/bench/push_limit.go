package main

import (
	"context"
	"fmt"
	"strings"

	"adsidecar/e2e/bench/report"
)

const (
	// defaultIndexMiB is the gateway's max_index_mib unless it is configured.
	defaultIndexMiB = 96
	// limitStep is between the sizes that are tried, limitMost the largest: the gateway takes no greater max_index_mib than 400.
	limitStep, limitMost = 32, 384
	limitPushes          = 50
	limitSettled         = 5
)

// measureLimit pushes full indexes over full ones: at the default limit, and at the largest size at which no request fails.
func measureLimit(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	if !plan.limit {
		return nil
	}
	perAd := 0.0
	err := withRig(ctx, o, manyAds, 1, 1, func(r *pushRig) error {
		perAd = float64(r.bytes) / manyAds
		return nil
	})
	if err != nil {
		return err
	}
	// Keys take their part of an index once, so of more ads each takes less: the index is just below the limit.
	of := func(mib int) pushCase { return pushCase{ads: int(float64(mib) * (1 << 20) / perAd), workers: 2} }
	found, err := of(defaultIndexMiB).inARow(ctx, o, limitPushes, limitSettled)
	if err != nil {
		return err
	}
	found.report("Pushes at the size limit", fmt.Sprintf("max_index_mib %d, %s", defaultIndexMiB, of(defaultIndexMiB)), 1.05, result)

	table := report.Table{Title: "The largest index", Columns: []string{"index MiB", "pushes", "failed requests", "Envoy MiB"}}
	try := func(mib, pushes int) bool {
		found, err := of(mib).inARow(ctx, o, pushes, limitSettled)
		name := of(mib).String()
		if err != nil {
			name += ": " + firstLine(err)
		}
		table.Rows = append(table.Rows, report.Row{Name: name, Cells: []report.Cell{
			{mebibytes(float64(found.bytes))}, {float64(pushes)}, {float64(found.failed)}, {found.after},
		}})
		return err == nil && found.failed == 0
	}
	good := largest(defaultIndexMiB, limitMost+limitStep, try)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	table.Note = fmt.Sprintf("Two workers under load; each push replaces an index of the same size. In steps of %d MiB, %d is the largest at which %d pushes fail no request.",
		limitStep, good, limitPushes)
	result.Tables = append(result.Tables, table)
	return nil
}

// largest is the largest of good, good + limitStep, … below bad that passes. A few pushes find the place, the full number confirms it.
func largest(good, bad int, try func(mib, pushes int) bool) int {
	least := good
	for bad-good > limitStep {
		middle := good + (bad-good)/2/limitStep*limitStep
		if try(middle, limitSettled) {
			good = middle
		} else {
			bad = middle
		}
	}
	for good > least && !try(good, limitPushes) {
		good -= limitStep
	}
	return good
}

// firstLine is an error without the logs that follow it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
