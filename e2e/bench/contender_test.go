package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/report"
)

// asking is a contender whose connections all call ask.
func asking(name string, connections int, ask func(context.Context) error) *contender {
	c := &contender{group: "g", name: name, close: func() {}}
	for range connections {
		c.asks = append(c.asks, ask)
	}
	return c
}

func TestContendersTakeTurns(t *testing.T) {
	var order []string
	var all []*contender
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, asking(name, 1, func(context.Context) error {
			if len(order) == 0 || order[len(order)-1] != name {
				order = append(order, name)
			}
			return nil
		}))
	}
	got, err := measure(t.Context(), all, 3, 5*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "b", "c", "a", "c", "a", "b"}, order, "each round begins with another one")
	for i, name := range []string{"a", "b", "c"} {
		require.Equal(t, name, got[i].Name)
		require.Equal(t, 1, got[i].Connections)
		require.Len(t, got[i].Rounds, 3)
	}
}

func TestARoundCountsWhatWasAnsweredWhileTheClockRan(t *testing.T) {
	var asked atomic.Int64
	c := asking("a", 3, func(context.Context) error {
		asked.Add(1)
		return nil
	})
	began := time.Now()
	r, err := c.round(t.Context(), 20*time.Millisecond)
	took := time.Since(began)
	require.NoError(t, err)
	require.EqualValues(t, asked.Load()-3, r.Requests, "all but the first of each connection, which opens it")
	require.LessOrEqual(t, r.PerSecond, float64(r.Requests)/0.02, "the clock runs to the end of the last request")
	require.GreaterOrEqual(t, r.PerSecond, float64(r.Requests)/took.Seconds())
	require.LessOrEqual(t, r.P50, r.P99)
	require.Positive(t, r.P99)
}

func TestAWrongAnswerEndsTheMeasurement(t *testing.T) {
	wrong := errors.New("status 500")
	var asked atomic.Int64
	failing := asking("failing", 2, func(context.Context) error {
		if asked.Add(1) > 4 { // while the clock runs
			return wrong
		}
		return nil
	})
	_, err := measure(t.Context(), []*contender{failing}, 1, time.Second)
	require.ErrorIs(t, err, wrong)
	require.ErrorContains(t, err, "g, failing: ")
	_, err = measure(t.Context(), []*contender{asking("closed", 1, func(context.Context) error { return wrong })}, 1, time.Second)
	require.ErrorIs(t, err, wrong, "on opening the connection")
}

func TestTablesHaveAColumnForEachProcessOfTheirGroup(t *testing.T) {
	got := tables([]measured{
		{Group: "a", Name: "x", Rounds: []round{{PerSecond: 1, P50: 2, P99: 3, CPU: map[string]float64{"Envoy": 4}}}},
		{Group: "a", Name: "y", Rounds: []round{{PerSecond: 5, P50: 6, P99: 7, CPU: map[string]float64{"Envoy": 8, "Redis": 9}}}},
		{Group: "b", Name: "z", Rounds: []round{{PerSecond: 10, CPU: map[string]float64{"Envoy": 1}}, {PerSecond: 11}}},
	})
	require.Equal(t, []report.Table{
		{
			Title:   "a",
			Columns: []string{"requests/s", "p50 ms", "p99 ms", "µs CPU of Envoy a request", "µs CPU of Redis a request"},
			Rows: []report.Row{
				{Name: "x", Cells: []report.Cell{{1}, {2}, {3}, {4}, nil}},
				{Name: "y", Cells: []report.Cell{{5}, {6}, {7}, {8}, {9}}},
			},
		},
		{
			Title: "b", Columns: []string{"requests/s", "p50 ms", "p99 ms", "µs CPU of Envoy a request"},
			Rows: []report.Row{{Name: "z", Cells: []report.Cell{{10, 11}, {0, 0}, {0, 0}, nil}}}, // not known of each round
		},
	}, got)
}
