package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"adsidecar/e2e/bench/report"
)

// named is the contender of a group; nil if it took no part.
func named(all []measured, group, name string) *measured {
	i := slices.IndexFunc(all, func(m measured) bool { return m.Group == group && m.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// throughput adds the tables of the rounds, and the targets that they decide.
func (b *requestsBench) throughput(all []measured, result *report.Result) {
	for _, t := range tables(all) {
		if t.Title == requestsGroup {
			t.Note = "Envoy's CPU time for a request, times the requests a second, is the share of its one core that it was busy: near 1, the load was not what held it. The load is this program."
			t.Columns = append(t.Columns, "cores busy of Envoy")
			for i := range t.Rows {
				m := named(all, requestsGroup, t.Rows[i].Name)
				var busy report.Cell
				if cpu := m.cpu("Envoy"); cpu != nil {
					busy = m.cell(func(r round) float64 { return r.CPU["Envoy"] * r.PerSecond / 1e6 })
				}
				t.Rows[i].Cells = append(t.Rows[i].Cells, busy)
			}
		}
		result.Tables = append(result.Tables, t)
	}
	us := named(all, requestsGroup, ours)
	compare := func(what string, limit float64, figure func(*measured) report.Cell, a, b *measured) report.Target {
		t := report.Target{What: what, Bound: report.AtMost, Limit: limit}
		if a != nil && b != nil {
			t.Cell = figure(a).Ratio(figure(b))
		}
		return t
	}
	cpu := func(m *measured) report.Cell { return m.cpu("Envoy") }
	result.Targets = append(result.Targets,
		compare("CPU per request of ours ÷ direct_response", 1.3, cpu, us, named(all, requestsGroup, direct)),
		compare("CPU per request of ours ÷ Lua", 1, cpu, us, named(all, requestsGroup, lua)),
		compare("CPU per request with 1,000,000 ads ÷ with 100 ads", 1.1, cpu,
			named(all, sizesGroup, sizeName(largeAds)), named(all, sizesGroup, sizeName(smallAds))),
	)
	b.services(all, requestsGroup, "one worker", result)
}

// coldStart measures how long Envoys take from their start to the first ad.
func (b *requestsBench) coldStart(ctx context.Context, result *report.Result) error {
	e := b.main
	for _, g := range e.gateways { // they have served
		if err := g.stop(); err != nil {
			return err
		}
	}
	variants := []struct {
		name, file string
		withIndex  bool
		change     func(*bootstrap)
	}{
		{"ours, index from the control plane", "cold-xds", false, nil},
		{"ours, index in the bootstrap", "cold-index", true, nil},
		{"Envoy direct_response, without the filter", "cold-direct", false, func(c *bootstrap) { c.direct(b.constant); c.withoutModule() }},
	}
	var gateways []*gateway
	for _, v := range variants {
		g, err := e.gateway(ctx, v.file, v.withIndex, v.change)
		if err != nil {
			return err
		}
		gateways = append(gateways, g)
	}
	n := 7
	if b.o.quick {
		n = 1
	}
	b.o.say("measuring: %d cold starts", n*len(gateways))
	cells, failed := coldStarts(ctx, e, n, gateways, e.firstAd())
	module, err := os.Stat(b.o.programs.Module)
	if err != nil {
		return err
	}
	table := report.Table{
		Title:   "Cold start",
		Note:    fmt.Sprintf("From starting the process to the first answer with an ad, with %d ads. The filter is %.2f MiB of WebAssembly.", adRequestAds, float64(module.Size())/(1<<20)),
		Columns: []string{"ms", "ms of CPU"},
	}
	for i, v := range variants {
		table.Rows = append(table.Rows, report.Row{Name: v.name, Cells: cells[i]})
	}
	result.Tables = append(result.Tables, table)
	result.Targets = append(result.Targets, report.Target{
		What: "first served ad after exec envoy", Bound: report.AtMost, Limit: 2000, Unit: "ms", Cell: cells[0][0],
	})
	return failed
}
