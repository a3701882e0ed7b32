package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/report"
)

// newRecorder writes into a folder of the test.
func newRecorder(t *testing.T, o options) *recorder {
	t.Helper()
	o.say = t.Logf
	return &recorder{o: o, out: &strings.Builder{}, results: t.TempDir(), machine: func() report.Machine { return report.Machine{Date: "2026-01-02"} }}
}

// figures put something into a result.
func figures(r *report.Result) {
	r.Tables = []report.Table{{Title: "T", Columns: []string{"ms"}, Rows: []report.Row{{Name: "a", Cells: []report.Cell{{1}}}}}}
	r.Targets = []report.Target{{What: "w", Bound: report.AtMost, Limit: 2, Cell: report.Cell{1}}}
}

func TestAPartIsWrittenWhenItEnds(t *testing.T) {
	rec := newRecorder(t, options{})
	rec.part(t.Context(), "push/limit", time.Minute, &report.Result{Title: "Limit"}, func(_ context.Context, r *report.Result) error {
		figures(r)
		return nil
	})
	require.NoError(t, rec.err)
	r, err := report.Read(rec.results, "push-limit")
	require.NoError(t, err)
	require.Equal(t, "2026-01-02", r.Machine.Date)
	require.Empty(t, r.Failures)
	require.True(t, r.Targets[0].Met())
}

func TestWhatAFailedPartMeasuredIsKept(t *testing.T) {
	rec := newRecorder(t, options{quick: true})
	broken := errors.New("envoy is gone\nits log")
	rec.part(t.Context(), "a", time.Minute, new(report.Result), func(_ context.Context, r *report.Result) error {
		figures(r)
		return broken
	})
	rec.part(t.Context(), "b", time.Minute, new(report.Result), func(_ context.Context, r *report.Result) error {
		figures(r)
		r.Failures = []string{"3 requests failed"}
		return nil
	})
	require.ErrorIs(t, rec.err, broken)
	require.ErrorContains(t, rec.err, "b: 3 requests failed", "the exit code says it")
	r, err := report.Read(rec.results, "quick-a")
	require.NoError(t, err)
	require.Equal(t, []string{"envoy is gone"}, r.Failures)
	require.Len(t, r.Tables, 1)
	require.False(t, r.Targets[0].Met())
	_, err = report.Read(rec.results, "quick-b")
	require.NoError(t, err, "the next part ran")
}

func TestAPartWithNothingMeasuredLeavesItsFile(t *testing.T) {
	rec := newRecorder(t, options{})
	rec.part(t.Context(), "a", time.Minute, new(report.Result), func(context.Context, *report.Result) error { return errors.New("no Envoy") })
	require.Error(t, rec.err)
	_, err := report.Read(rec.results, "a")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAPartEndsWithItsBudget(t *testing.T) {
	rec := newRecorder(t, options{})
	rec.part(t.Context(), "a", time.Millisecond, new(report.Result), func(ctx context.Context, r *report.Result) error {
		figures(r)
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorContains(t, rec.err, "a: more than its 1ms")
	r, err := report.Read(rec.results, "a")
	require.NoError(t, err)
	require.Contains(t, r.Failures[0], "more than its 1ms")
}

func TestPartsAreNotRunWhenTheyAreNotWantedOrAllIsOver(t *testing.T) {
	never := func(context.Context, *report.Result) error { panic("run") }
	rec := newRecorder(t, options{only: regexp.MustCompile("^b")})
	rec.part(t.Context(), "a", time.Minute, new(report.Result), never)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	rec.part(over, "b", time.Minute, new(report.Result), never)
	require.NoError(t, rec.err)
}

func TestEveryPartHasAFileOfItsOwn(t *testing.T) {
	files := map[string]bool{}
	for _, b := range benchmarks {
		require.NotEmpty(t, b.parts)
		for _, part := range b.parts {
			require.True(t, part == b.name || strings.HasPrefix(part, b.name+"/"), part)
			require.False(t, files[partFile(part)], part)
			files[partFile(part)] = true
		}
	}
}
