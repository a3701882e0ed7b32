package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"adsidecar/e2e/bench/report"
)

// headroom is how much more than the fixed rate a contender must be able to serve to be measured at it.
const headroom = 1.2

// named is the contender of a group; nil if it took no part.
func named(all []measured, group, name string) *measured {
	i := slices.IndexFunc(all, func(m measured) bool { return m.Group == group && m.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// throughput adds the tables of the rounds, and the targets that they decide.
func (b *requestsBench) throughput(all []measured) {
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
		b.result.Tables = append(b.result.Tables, t)
	}
	us := named(all, requestsGroup, ours)
	perSecond := func(m *measured) report.Cell { return m.cell(func(r round) float64 { return r.PerSecond }) }
	compare := func(what string, bound report.Bound, limit float64, figure func(*measured) report.Cell, a, b *measured) report.Target {
		t := report.Target{What: what, Bound: bound, Limit: limit}
		if a != nil && b != nil {
			t.Cell = figure(a).Ratio(figure(b))
		}
		return t
	}
	cpu := func(m *measured) report.Cell { return m.cpu("Envoy") }
	b.result.Targets = append(b.result.Targets,
		compare("CPU per request of ours ÷ direct_response", report.AtMost, 1.3, cpu, us, named(all, requestsGroup, direct)),
		compare("CPU per request of ours ÷ Lua", report.AtMost, 1, cpu, us, named(all, requestsGroup, lua)),
		compare("requests/s of ours ÷ Go service in memory behind Envoy", report.AtLeast, 2, perSecond, us, named(all, requestsGroup, inMemory)),
		compare("requests/s of ours ÷ Go service + Redis behind Envoy", report.AtLeast, 2.5, perSecond, us, named(all, requestsGroup, withRedis)),
		compare("CPU per request with 1,000,000 ads ÷ with 100 ads", report.AtMost, 1.1, cpu,
			named(all, sizesGroup, sizeName(largeAds)), named(all, sizesGroup, sizeName(smallAds))),
	)
}

// latency measures at half load, those contenders that can keep up with it.
func (b *requestsBench) latency(all []measured) error {
	saturated := func(name string) float64 {
		m := named(all, requestsGroup, name)
		if m == nil {
			return 0
		}
		return m.cell(func(r round) float64 { return r.PerSecond }).Median()
	}
	rate := min(saturated(direct), saturated(ours)) / 2
	table := report.Table{
		Title:   fmt.Sprintf("Latency at %.0f requests/s", rate),
		Note:    "Contenders that serve less than 1.2 times this rate are left out: their queues would only grow.",
		Columns: []string{"p50 ms", "p99 ms", "p99.9 ms"},
	}
	var names []string
	for _, name := range []string{direct, ours, lua, inMemory, withRedis} {
		if saturated(name) > headroom*rate {
			names = append(names, name)
			table.Rows = append(table.Rows, report.Row{Name: name, Cells: make([]report.Cell, len(table.Columns))})
		}
	}
	paths := b.main.paths()
	b.o.say("measuring: latency, about %s", (time.Duration(len(names)*b.o.rounds) * b.o.duration).Round(time.Second))
	for n := range b.o.rounds {
		for i := range names {
			i = (i + n) % len(names)
			took, err := openLoop(b.gateways[names[i]].listener.Address(), b.tokens, paths, rate, b.o.duration)
			if err != nil {
				return fmt.Errorf("%s at %.0f requests/s: %w", names[i], rate, err)
			}
			for at, p := range []float64{50, 99, 99.9} {
				table.Rows[i].Cells[at] = append(table.Rows[i].Cells[at], milliseconds(percentile(took, p)))
			}
		}
	}
	b.result.Tables = append(b.result.Tables, table)
	added := report.Target{What: "added p99 over direct_response at half load", Bound: report.AtMost, Limit: 0.3, Unit: "ms"}
	if len(names) > 1 && names[0] == direct && names[1] == ours {
		added.Cell = table.Rows[1].Cells[1].Less(table.Rows[0].Cells[1])
	}
	b.result.Targets = append(b.result.Targets, added)
	return nil
}

// coldStart measures how long Envoys take from their start to the first ad.
func (b *requestsBench) coldStart(ctx context.Context) error {
	e := b.main
	for _, g := range b.gateways { // they have served
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
		n = 2
	}
	b.o.say("measuring: %d cold starts", n*len(gateways))
	cells, err := coldStarts(ctx, e, n, gateways, e.firstAd())
	if err != nil {
		return err
	}
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
	b.result.Tables = append(b.result.Tables, table)
	b.result.Targets = append(b.result.Targets, report.Target{
		What: "first served ad after exec envoy", Bound: report.AtMost, Limit: 2000, Unit: "ms", Cell: cells[0][0],
	})
	runtime.GC()
	return nil
}
