package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/report"
)

// saturated is a contender that served so many requests a second in each round.
func saturated(name string, perSecond ...float64) measured {
	m := measured{Group: "g", Name: name}
	for _, x := range perSecond {
		m.Rounds = append(m.Rounds, round{PerSecond: x, CPU: map[string]float64{"Envoy": 1e6 / x}})
	}
	return m
}

func TestHalfLoadIsThatOfTheSlowerOfTheTwo(t *testing.T) {
	got := latencyRates([]measured{
		saturated(direct, 24_000, 20_000, 22_000), saturated(ours, 16_000, 30_000, 10_000), saturated(inMemory, 9_600), saturated(withRedis, 9_599),
	})
	require.Equal(t, latencyChoice{
		half: 8000, low: 9599. / 2, atHalf: []string{instrument, direct, ours, inMemory}, atLow: []string{instrument, direct, ours, inMemory, withRedis},
	}, got)
	got = latencyRates([]measured{saturated(direct, 10_000), saturated(ours, 20_000)})
	require.InDelta(t, 5000, got.half, 0)
}

func TestOursIsComparedWithTheServicesInBothSetups(t *testing.T) {
	all := []measured{saturated(direct, 30_000), saturated(ours, 20_000), saturated(inMemory, 10_000), saturated(withRedis, 5000)}
	var r report.Result
	new(requestsBench).services(all, "g", "one worker", &r)
	require.Equal(t, []report.Row{
		{Name: "Go service in memory", Cells: []report.Cell{{2}, {3}}}, {Name: "Go service + Redis", Cells: []report.Cell{{4}, {6}}},
	}, r.Tables[0].Rows)
	require.Equal(t, "requests/s of ours ÷ Go service in memory behind Envoy, one worker", r.Targets[0].What)
	require.True(t, r.Targets[0].Met())
	require.True(t, r.Targets[1].Met())

	r = report.Result{}
	new(requestsBench).services(all[:3], "g", "the whole machine", &r)
	require.Len(t, r.Tables[0].Rows, 1, "without Redis")
	require.Len(t, r.Targets, 2)
	require.Empty(t, r.Targets[1].Cell, "not measured")
}
