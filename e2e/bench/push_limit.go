package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adsidecar/e2e/bench/report"
)

const (
	// defaultIndexMiB is the gateway's max_index_mib unless it is configured.
	defaultIndexMiB = 96
	// limitStep is between the sizes that are tried, limitMost the largest: the gateway takes no greater max_index_mib than 400.
	limitStep, limitMost = 32, 384
	limitPushes          = 50
	limitSettled         = 5
	// limitTries are the pushes of a size that is tried. A VM that is too small for two indexes fails the second.
	limitTries = 3
	// limitSearch bounds the search.
	limitSearch = 150 * time.Second
)

// measureLimit pushes full indexes over full ones: at the default limit, and to find the largest at which no request fails.
func measureLimit(ctx context.Context, o options, _ pushPlan, result *report.Result) error {
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
	found, err := of(defaultIndexMiB).inARow(ctx, o, limitPushes, limitSettled, false)
	found.report(fmt.Sprintf("max_index_mib %d, %s", defaultIndexMiB, of(defaultIndexMiB)), err, result)
	if err != nil {
		return err
	}
	if found.failed > 0 {
		return nil
	}
	table := report.Table{Title: "The largest index", Columns: []string{"index MiB", "pushes", "failed requests", "Envoy MiB"}}
	search, cancel := context.WithTimeout(ctx, limitSearch)
	defer cancel()
	good, err := largest(defaultIndexMiB, limitMost, func(mib int) (bool, error) {
		found, err := of(mib).inARow(search, o, limitTries, limitTries, true)
		if search.Err() != nil {
			return false, errors.Join(search.Err(), err)
		}
		name := of(mib).String()
		if err != nil {
			name += ": " + firstLine(err)
		}
		table.Rows = append(table.Rows, report.Row{Name: name, Cells: []report.Cell{
			{mebibytes(float64(found.bytes))}, {float64(found.done)}, {float64(found.failed)}, {found.after},
		}})
		return err == nil && found.failed == 0, nil
	})
	table.Note = fmt.Sprintf("Two workers under load; each push replaces an index of the same size. In steps of %d MiB, %d is the largest found at which %d pushes "+
		"fail no request; %d pushes are made of %d MiB, the default.", limitStep, good, limitTries, limitPushes, defaultIndexMiB)
	if search.Err() != nil && ctx.Err() == nil {
		table.Note += fmt.Sprintf(" The search was ended after %s; a larger one may pass.", limitSearch)
		err = nil
	}
	if len(table.Rows) > 0 {
		result.Tables = append(result.Tables, table)
	}
	return err
}

// largest is the largest of good, good + limitStep, … most that passes. It tries the largest first. With an error of try, it is the largest
// that has passed.
func largest(good, most int, try func(mib int) (bool, error)) (int, error) {
	bad := most + limitStep
	for middle := most; bad-good > limitStep; middle = good + (bad-good)/2/limitStep*limitStep {
		passed, err := try(middle)
		switch {
		case err != nil:
			return good, err
		case passed:
			good = middle
		default:
			bad = middle
		}
	}
	return good, nil
}
