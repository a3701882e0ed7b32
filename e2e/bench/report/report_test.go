package report_test

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/report"
)

func example() *report.Result {
	return &report.Result{
		Name: "requests", Title: "Request path", Method: []string{"How it was done."},
		Machine: report.Machine{
			Date: "2026-01-02", Commit: "abc", System: "linux/amd64", CPU: "Fast", Cores: 2, Go: "go1.26", Envoy: "1.40.0", Load: "0.42",
		},
		Tables: []report.Table{{
			Title: "Reading", Note: "A note.", Columns: []string{"requests/s", "p99 ms"},
			Rows: []report.Row{
				{Name: "ours", Cells: []report.Cell{{1000.4, 2000.4, 1200.4}, {3, 9, 4}}},
				{Name: "theirs", Cells: []report.Cell{{12345}, nil}},
			},
		}},
		Targets: []report.Target{
			{What: "p99", Bound: report.AtMost, Limit: 3, Unit: "ms", Cell: report.Cell{3, 9, 4}},
			{What: "ratio", Bound: report.AtLeast, Limit: 2.5, Cell: report.Cell{2.5}},
			{What: "memory", Bound: report.AtMost, Limit: 1.05},
		},
	}
}

func TestTextHasMediansAndSpreads(t *testing.T) {
	t.Parallel()
	require.Equal(t, `Request path
2026-01-02, commit abc, linux/amd64, 2 cores of Fast, go1.26, Envoy 1.40.0, load average before 0.42

Reading  requests/s           p99 ms
ours     1,200 (1,000–2,000)  4 (3–9)
theirs   12,345               –
A note.

target  limit   measured  met
p99     ≤ 3 ms  4 (3–9)   no
ratio   ≥ 2.50  2.50      yes
memory  ≤ 1.05  –         not measured
`, example().Text())
}

func TestMarkdownHasTheSameFigures(t *testing.T) {
	t.Parallel()
	require.Equal(t, `## Request path

2026-01-02, commit abc, linux/amd64, 2 cores of Fast, go1.26, Envoy 1.40.0, load average before 0.42

How it was done.

### Reading

|  | requests/s | p99 ms |
|---|---|---|
| ours | 1,200 (1,000–2,000) | 4 (3–9) |
| theirs | 12,345 | – |

A note.

### Targets

| target | limit | measured | met |
|---|---|---|---|
| p99 | ≤ 3 ms | 4 (3–9) | no |
| ratio | ≥ 2.50 | 2.50 | yes |
| memory | ≤ 1.05 | – | not measured |
`, example().Markdown())
}

func TestFailuresAreSaidAndTheirTargetsMissed(t *testing.T) {
	t.Parallel()
	r := &report.Result{
		Name: "push", Title: "Pushes", Failures: []string{"3 requests failed"},
		Targets: []report.Target{{What: "a|b", Bound: report.AtMost, Limit: 3, Cell: report.Cell{1}, Failed: "status 503"}},
	}
	require.False(t, r.Targets[0].Met())
	require.Contains(t, r.Text(), "FAILED: 3 requests failed\n")
	require.Contains(t, r.Text(), "a|b     ≤ 3    1         no: status 503\n")
	require.Contains(t, r.Markdown(), "\n**Failed:** 3 requests failed\n")
	require.Contains(t, r.Markdown(), "| a\\|b | ≤ 3 | 1 | no: status 503 |\n")
	dir := t.TempDir()
	require.NoError(t, r.Write(dir))
	back, err := report.Read(dir, "push")
	require.NoError(t, err)
	require.Equal(t, r.Text(), back.Text())
}

func TestJSONKeepsAllRounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/new"
	require.NoError(t, example().Write(dir))
	back, err := report.Read(dir, "requests")
	require.NoError(t, err)
	require.Equal(t, example().Text(), back.Text())
	require.Equal(t, example().Tables[0].Rows[0].Cells, back.Tables[0].Rows[0].Cells)
	_, err = report.Read(dir, "other")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTargetsAreMetByTheMedianAndOnTheLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target report.Target
		met    bool
	}{
		"on the upper limit":      {report.Target{Bound: report.AtMost, Limit: 2, Cell: report.Cell{1, 2, 9}}, true},
		"above it":                {report.Target{Bound: report.AtMost, Limit: 2, Cell: report.Cell{1, 2.1, 9}}, false},
		"on the lower limit":      {report.Target{Bound: report.AtLeast, Limit: 2, Cell: report.Cell{1, 2, 9}}, true},
		"below it":                {report.Target{Bound: report.AtLeast, Limit: 2, Cell: report.Cell{1, 1.9, 9}}, false},
		"what was not measured":   {report.Target{Bound: report.AtMost, Limit: 2}, false},
		"even if it may be least": {report.Target{Bound: report.AtLeast, Limit: 0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.met, c.target.Met())
		})
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 3, report.Cell{3}.Median(), 0)
	require.InDelta(t, 4, report.Cell{5, 1, 4}.Median(), 0)
	require.InDelta(t, 3, report.Cell{5, 1, 4, 2}.Median(), 0)
	require.True(t, math.IsNaN(report.Cell{}.Median()))
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	t.Parallel()
	require.Equal(t, report.Cell{2, 3}, report.Cell{4, 30}.Ratio(report.Cell{2, 10}))
	require.Equal(t, report.Cell{2, 20}, report.Cell{4, 30}.Less(report.Cell{2, 10}))
	require.Nil(t, report.Cell{4}.Ratio(report.Cell{0}))
	require.Nil(t, report.Cell{4}.Ratio(report.Cell{1, 2}))
	require.Nil(t, report.Cell{4}.Less(nil))
}

func TestNumbersHaveThreeDigitsThatCount(t *testing.T) {
	t.Parallel()
	for want, x := range map[string]float64{
		"0": 0, "0.000120": 0.00012, "0.123": 0.1234, "1.23": 1.234, "12.3": 12.34, "123": 123.4, "999": 999.4, "1,000": 999.6, "12,345": 12345, "7": 7,
		"1,234,567": 1234567, "-1,235": -1234.6, "-0.500": -0.5,
	} {
		require.Equal(t, want, report.Cell{x}.String())
	}
}
