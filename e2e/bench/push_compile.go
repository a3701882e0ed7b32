package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"adsidecar/e2e/bench/report"
)

// measureCompile decodes and compiles documents in processes of their own.
func measureCompile(ctx context.Context, o options, plan pushPlan, result *report.Result) (err error) {
	dir, err := os.MkdirTemp("", "adsidecar-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	seconds, peaks := make([]report.Cell, len(plan.compile)), make([]report.Cell, len(plan.compile))
	for i, ads := range plan.compile {
		o.say("compile: %s ads", grouped(ads))
		config, doc := filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "campaigns.json")
		if _, err := newDocument(doc, ads); err != nil {
			return err
		}
		text := fmt.Appendf(nil, "issuers: [{issuer: %q, client_ids: [%s]}]\n%s\n", pushIssuer, pushClient, pushGateway(doc))
		if err := os.WriteFile(config, text, 0o600); err != nil {
			return fmt.Errorf("write the gateway's file: %w", err)
		}
		for range o.rounds {
			took, peak, err := compileChild(ctx, o.programs.Adsidecar, "validate", "--config", config, "--campaigns", doc)
			if err != nil {
				return err
			}
			seconds[i] = append(seconds[i], took.Seconds())
			peaks[i] = append(peaks[i], mebibytes(peak))
		}
	}
	table := report.Table{Title: "Decode and compile", Columns: []string{"s", "peak memory MiB"}}
	for i, ads := range plan.compile {
		table.Rows = append(table.Rows, report.Row{Name: grouped(ads) + " ads", Cells: []report.Cell{seconds[i], peaks[i]}})
		if ads == mostAds {
			result.Targets = append(result.Targets,
				report.Target{What: "compile 1,000,000 ads", Bound: report.AtMost, Limit: 3, Unit: "s", Cell: seconds[i]},
				report.Target{What: "compile 1,000,000 ads, peak memory", Bound: report.AtMost, Limit: 1536, Unit: "MiB", Cell: peaks[i]})
		}
	}
	result.Tables = append(result.Tables, table)
	return nil
}

// compileChild returns how long a process took and how many bytes of memory it had in use at most.
func compileChild(ctx context.Context, path string, args ...string) (time.Duration, float64, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return 0, 0, fmt.Errorf("%s %s: %w: %.500s", path, args[0], err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, errors.New("this system does not tell the memory of a process that has ended")
	}
	unit := 1024.0
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return took, float64(usage.Maxrss) * unit, nil
}
