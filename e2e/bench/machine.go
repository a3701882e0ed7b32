package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

// describe looks at this machine.
func describe(ctx context.Context, tools *stack.Tools) report.Machine {
	return report.Machine{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: commit(ctx, tools.Root),
		System: runtime.GOOS + "/" + runtime.GOARCH, CPU: processor(), Cores: runtime.NumCPU(), Go: runtime.Version(), Envoy: tools.EnvoyVersion,
		Load: loadAverage(),
	}
}

// processor is the model that /proc names first. "" where there is none.
func processor() string {
	all, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(all)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func loadAverage() string {
	all, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	minute, _, _ := strings.Cut(string(all), " ")
	return minute
}

func commit(ctx context.Context, root string) string {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	hash, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return ""
	}
	if changes, err := git("status", "--porcelain"); err != nil || changes != "" {
		hash += "+"
	}
	return hash
}

// syncTime is the median of some writes; 0 if they fail.
func syncTime(dir string) time.Duration {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // nobody reads it
	took := make([]time.Duration, 50)
	page := make([]byte, 4096)
	for i := range took {
		began := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		took[i] = time.Since(began)
	}
	return percentile(took, 50)
}
