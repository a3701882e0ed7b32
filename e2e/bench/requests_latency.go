package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

func init() { children["instrument"] = runInstrument }

const (
	// headroom is how much more than the fixed rate a contender must be able to serve to be measured at it.
	headroom = 1.2
	// instrument is a contender that does nothing: what is measured of it is the measurement's own.
	instrument = "the instrument: a server that does nothing"
)

var latencyMethod = []string{
	"Everything that a contender consists of (Envoy with one worker, its service, Redis) is on one core, and the load on another one, the same for all. The load is one " +
		"thread that never sleeps, on raw sockets, without garbage collection. Requests are due at random times (a Poisson process, the same times for all) " +
		"whatever became of those before, and latency counts from the time at which a request was due. What the load and the kernel take of it is " +
		"measured in the same rounds on a server that answers the same bytes to everything.",
	"Half load is half of the requests a second of the slower one of direct_response and ours, saturated by 16 connections on the same cores. The added " +
		"p99 is that of ours less that of direct_response in the same round.",
}

// latencyPlan is how often and long each contender is measured.
type latencyPlan struct {
	saturated, half, low int // rounds
	duration             time.Duration
}

func planLatency(quick bool) latencyPlan {
	if quick {
		return latencyPlan{saturated: 1, half: 3, duration: 800 * time.Millisecond}
	}
	return latencyPlan{saturated: 3, half: 15, low: 5, duration: 1200 * time.Millisecond}
}

// latency measures at half load, those contenders that can keep up with it, and all at a rate that all can keep up with.
func (b *requestsBench) latency(ctx context.Context, result *report.Result) (err error) {
	cpus, every, err := allowedCPUs()
	if err != nil {
		return err
	}
	if len(cpus) < 2 {
		return errors.New("there is one core: it cannot be the load's and the contenders'")
	}
	for _, e := range b.edges {
		if e == b.main {
			continue
		}
		for _, g := range e.gateways { // they have served, and are not compared here
			if err := g.stop(); err != nil {
				return err
			}
		}
	}
	one, load := oneCPU(cpus[0]), oneCPU(cpus[len(cpus)-1])
	contenders := b.group(requestsGroup)
	var others []int
	for _, c := range contenders {
		for name, pid := range c.processes {
			if name != loadProcess {
				others = append(others, pid)
			}
		}
	}
	null, address, err := startInstrument(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, null.Stop(time.Second)) }()
	for _, pid := range append(others, null.PID()) {
		if err := pin(pid, one); err != nil {
			return err
		}
	}
	if err := pin(os.Getpid(), load); err != nil {
		return err
	}
	defer func() {
		for _, pid := range append(others, os.Getpid()) {
			err = errors.Join(err, pin(pid, every))
		}
	}()
	plan := planLatency(b.o.quick)
	saturated, err := measure(ctx, contenders, plan.saturated, plan.duration)
	if err != nil {
		return err
	}
	rates := latencyRates(saturated)
	addresses := map[string]string{instrument: address}
	for name, g := range b.gateways {
		addresses[name] = g.listener.Address()
	}
	half, err := b.atRate(ctx, fmt.Sprintf("At half load, %.0f requests/s", rates.half), rates.half, rates.atHalf, addresses, plan.half, plan.duration, result)
	if err != nil {
		return err
	}
	result.Tables[len(result.Tables)-1].Note = fmt.Sprintf("Contenders that serve less than %.1f times this rate on one core are left out: their queues would only grow.", headroom)
	added := report.Target{What: "added p99 over direct_response at half load", Bound: report.AtMost, Limit: 0.3, Unit: "ms", Cell: half[ours].Less(half[direct])}
	result.Targets = append(result.Targets, added)
	result.Tables = append(result.Tables, report.Table{
		Title: "Added by ours to the p99 of direct_response", Columns: []string{"ms"},
		Rows: []report.Row{{Name: "at half load", Cells: []report.Cell{added.Cell}}},
	})
	if plan.low == 0 {
		return nil
	}
	_, err = b.atRate(ctx, fmt.Sprintf("At half load of the slowest, %.0f requests/s", rates.low), rates.low, rates.atLow, addresses, plan.low, plan.duration, result)
	return err
}

// latencyChoice is the rates at which latency is measured, in requests a second, and the contenders at each.
type latencyChoice struct {
	half, low     float64
	atHalf, atLow []string
}

func latencyRates(saturated []measured) latencyChoice {
	perSecond := map[string]float64{}
	slowest := 0.0
	for _, m := range saturated {
		rate := m.cell(func(r round) float64 { return r.PerSecond }).Median()
		perSecond[m.Name] = rate
		if slowest == 0 || rate < slowest {
			slowest = rate
		}
	}
	c := latencyChoice{half: min(perSecond[direct], perSecond[ours]) / 2, low: slowest / 2, atHalf: []string{instrument}, atLow: []string{instrument}}
	for _, m := range saturated {
		c.atLow = append(c.atLow, m.Name)
		if perSecond[m.Name] >= headroom*c.half {
			c.atHalf = append(c.atHalf, m.Name)
		}
	}
	return c
}

// atRate adds a table of the latencies at a rate and returns the 99th percentiles by contender. With an error the table has the rounds
// before it.
func (b *requestsBench) atRate(
	ctx context.Context, title string, rate float64, names []string, addresses map[string]string, rounds int, duration time.Duration, result *report.Result,
) (map[string]report.Cell, error) {
	b.o.say("measuring: latency at %.0f requests/s, about %s", rate, (time.Duration(len(names)*rounds) * duration).Round(time.Second))
	table := report.Table{Title: title, Columns: []string{"p50 ms", "p99 ms", "p99.9 ms"}}
	for _, name := range names {
		table.Rows = append(table.Rows, report.Row{Name: name, Cells: make([]report.Cell, len(table.Columns))})
	}
	defer func() { result.Tables = append(result.Tables, table) }()
	paths := b.main.paths()
	p99 := map[string]report.Cell{}
	for n := range rounds {
		for i := range names {
			i = (i + n) % len(names)
			took, err := openLoop(addresses[names[i]], b.tokens, paths, rate, duration)
			if err == nil && len(took) == 0 {
				err = errors.New("nothing was due")
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				return p99, fmt.Errorf("%s at %.0f requests/s: %w", names[i], rate, err)
			}
			for at, p := range []float64{50, 99, 99.9} {
				table.Rows[i].Cells[at] = append(table.Rows[i].Cells[at], milliseconds(percentile(took, p)))
			}
			p99[names[i]] = table.Rows[i].Cells[1]
		}
	}
	return p99, nil
}

// startInstrument starts the server that does nothing.
func startInstrument(ctx context.Context) (*stack.Process, string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	port, err := stack.ReservePort()
	if err != nil {
		return nil, "", err
	}
	p, err := stack.StartProcess(stack.Command{Name: "instrument", Path: program, Args: []string{"instrument", "-address", port.Address()}})
	if err != nil {
		return nil, "", err
	}
	err = p.WaitFor(ctx, "serving", func(context.Context) error {
		w, err := dialWire(port.Address(), "")
		if err != nil {
			return err
		}
		defer w.close()
		_, _, err = w.get("/")
		return err
	})
	if err != nil {
		return nil, "", errors.Join(err, p.Stop(time.Second))
	}
	return p, port.Address(), nil
}
