package main

import (
	"context"
	"fmt"
	"runtime"

	"adsidecar/e2e/bench/report"
)

// wholeConnections are enough that each worker is given some.
const wholeConnections = 64

var wholeMethod = []string{
	fmt.Sprintf("Everything shares all cores: Envoy with a worker for each, what answers behind it, and the load, whose %d connections each send one request after the "+
		"other. Each contender is started anew and checked for it; the others are idle.", wholeConnections),
}

// wholeMachine measures the contenders with as many workers as there are cores.
func (b *requestsBench) wholeMachine(ctx context.Context, result *report.Result) error {
	group := fmt.Sprintf("The whole machine: %d workers, %d connections", runtime.NumCPU(), wholeConnections)
	var all []*contender
	defer func() { closeAll(all) }()
	for _, c := range b.group(requestsGroup) {
		b.o.say("starting: %s, %d workers", c.name, runtime.NumCPU())
		g := b.gateways[c.name]
		c.close()
		if err := g.stop(); err != nil {
			return err
		}
		g.workers = runtime.NumCPU()
		if err := g.start(); err != nil {
			return err
		}
		if err := g.waitServed(ctx, b.main.token, b.main.firstAd()); err != nil {
			return err
		}
		processes := map[string]int{}
		for name, pid := range c.processes {
			processes[name] = pid
		}
		constant := ""
		if c.name == direct {
			constant = b.constant
		}
		all = append(all, b.main.contender(g, wholeConnections, group, c.name, constant, processes))
	}
	if err := checkAll(ctx, all); err != nil {
		return err
	}
	rounds := max(1, b.o.rounds-2)
	found, err := measure(ctx, all, rounds, b.o.duration)
	if len(found[0].Rounds) == 0 {
		return err
	}
	result.Tables = append(result.Tables, tables(found)...)
	b.services(found, group, "the whole machine", result)
	return err
}

// services adds the table and the targets of the requests a second against the services behind Envoy. No filter can pass the bound: what
// Envoy can do with an answer of its own.
func (b *requestsBench) services(found []measured, group, setup string, result *report.Result) {
	perSecond := func(m *measured) report.Cell { return m.cell(func(r round) float64 { return r.PerSecond }) }
	us, limit := named(found, group, ours), named(found, group, direct)
	table := report.Table{
		Title: "Requests/s ÷ those of a service behind Envoy, " + setup, Columns: []string{"ours", "direct_response: no filter can pass it"},
	}
	for _, service := range []struct {
		name, text string
		limit      float64
	}{{inMemory, "Go service in memory", 2}, {withRedis, "Go service + Redis", 2.5}} {
		target := report.Target{
			What: fmt.Sprintf("requests/s of ours ÷ %s behind Envoy, %s", service.text, setup), Bound: report.AtLeast, Limit: service.limit,
		}
		if m := named(found, group, service.name); m != nil && us != nil && limit != nil {
			target.Cell = perSecond(us).Ratio(perSecond(m))
			table.Rows = append(table.Rows, report.Row{Name: service.text, Cells: []report.Cell{target.Cell, perSecond(limit).Ratio(perSecond(m))}})
		}
		result.Targets = append(result.Targets, target)
	}
	result.Tables = append(result.Tables, table)
}
