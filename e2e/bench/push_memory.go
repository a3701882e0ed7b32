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

// mebibytes of a number of bytes.
func mebibytes(bytes float64) float64 { return bytes / (1 << 20) }

// measureWorkers compares the memory of Envoys with different numbers of workers.
func measureWorkers(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	resident := map[int]report.Cell{}
	var worker, perByte report.Cell
	for n := range o.rounds {
		o.say("memory of workers: round %d of %d", n+1, o.rounds)
		bytes := 0
		for _, workers := range []int{1, 3} {
			err := withRig(ctx, o, manyAds, workers, plan.workers, func(r *pushRig) error {
				resident[workers] = append(resident[workers], mebibytes(r.resident()))
				bytes = r.bytes
				return nil
			})
			if err != nil {
				return fmt.Errorf("memory of %d workers: %w", workers, err)
			}
		}
		last := len(resident[1]) - 1
		each := (resident[3][last] - resident[1][last]) / 2
		worker = append(worker, each)
		perByte = append(perByte, each/mebibytes(float64(bytes)))
	}
	result.Tables = append(result.Tables, report.Table{
		Title: "Memory of a worker", Columns: []string{"Envoy with 1 worker MiB", "with 3 MiB", "a worker MiB", "a worker ÷ index"},
		Rows: []report.Row{{Name: grouped(manyAds) + " ads", Cells: []report.Cell{resident[1], resident[3], worker, perByte}}},
		Note: fmt.Sprintf("Resident memory after %d pushes.", plan.workers),
	})
	result.Targets = append(result.Targets, report.Target{
		What: grouped(manyAds) + " ads: memory of a worker ÷ index", Bound: report.AtMost, Limit: 3, Cell: perByte,
	})
	return nil
}

// measureEndurance pushes many documents in a row.
func measureEndurance(ctx context.Context, o options, plan pushPlan, result *report.Result) error {
	c := pushCase{ads: manyAds, workers: 2}
	found, err := c.inARow(ctx, o, plan.endurance, plan.settled)
	if err != nil {
		return err
	}
	found.report(fmt.Sprintf("%s pushes in a row", grouped(plan.endurance)), c.String(), 1.05, result)
	return nil
}

// inARow is what pushes one after the other found.
type inARow struct {
	pushes, settled  int
	before, after    float64 // memory of Envoy in MiB after the settled and after the last push
	requests, failed int
	first            error // why a request failed
	bytes            int
}

// inARow pushes without a pause. What ends it early is an error, but for requests that failed.
func (c pushCase) inARow(ctx context.Context, o options, pushes, settled int) (inARow, error) {
	found := inARow{pushes: pushes, settled: settled}
	err := withRig(ctx, o, c.ads, c.workers, 0, func(r *pushRig) error {
		for n := range pushes {
			if n%100 == 0 {
				o.say("pushes in a row: %d of %d, %s", n, pushes, c)
			}
			_, err := r.push(ctx)
			found.requests += len(r.load.taken())
			found.bytes = max(found.bytes, r.bytes)
			if n+1 == settled {
				found.before = mebibytes(r.resident())
			}
			found.after = mebibytes(r.resident())
			if found.failed, found.first = r.load.failures(); found.failed > 0 {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

func (found inARow) report(title, subject string, growth float64, result *report.Result) {
	note := ""
	if found.first != nil {
		note = "The first failure: " + found.first.Error()
	}
	ratio := report.Cell{found.after}.Ratio(report.Cell{found.before})
	result.Tables = append(result.Tables, report.Table{
		Title: title, Note: note,
		Columns: []string{"index MiB", "requests", "failed", fmt.Sprintf("MiB after push %d", found.settled), fmt.Sprintf("after push %d", found.pushes), "ratio"},
		Rows: []report.Row{{Name: subject, Cells: []report.Cell{
			{mebibytes(float64(found.bytes))}, {float64(found.requests)}, {float64(found.failed)}, {found.before}, {found.after}, ratio,
		}}},
	})
	result.Targets = append(result.Targets,
		report.Target{What: subject + ": failed requests during " + grouped(found.pushes) + " pushes", Bound: report.AtMost, Limit: 0, Cell: report.Cell{float64(found.failed)}},
		report.Target{
			What:  fmt.Sprintf("%s: Envoy's memory after push %s ÷ after push %d", subject, grouped(found.pushes), found.settled),
			Bound: report.AtMost, Limit: growth, Cell: ratio,
		})
}

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
