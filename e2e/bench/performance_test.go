package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/report"
)

func TestThePageHasTheResultsThatAreThere(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "PERFORMANCE.md")
	require.ErrorContains(t, writePerformance(dir, page), "make bench")
	require.NoError(t, (&report.Result{Name: "users", Title: "User service"}).Write(dir))
	require.NoError(t, (&report.Result{Name: "requests", Title: "Request path"}).Write(dir))
	require.NoError(t, (&report.Result{Name: "quick-push", Title: "Push"}).Write(dir))
	require.NoError(t, writePerformance(dir, page))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^# Performance\n.*\n## Request path\n.*\n## User service\n`, string(text))
	require.NotContains(t, string(text), "## Push", "a quick result is no published figure")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "push-limit.json"), []byte("{"), 0o600))
	require.ErrorContains(t, writePerformance(dir, page), "push")
}
