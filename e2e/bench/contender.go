package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"adsidecar/e2e/bench/report"
)

// contender is one way of asking for one thing.
type contender struct {
	group string // what is asked for: contenders of one group are compared
	name  string
	// connections each send one request after the other: asks has a function for each. It sends a request, reads the whole answer and
	// returns an error if its status is wrong.
	asks []func(ctx context.Context) error
	// check sends some requests and looks at everything in their answers.
	check func(ctx context.Context) error
	// processes are those that the requests occupy, with their numbers.
	processes map[string]int
	close     func()
}

func closeAll(contenders []*contender) {
	for _, c := range contenders {
		c.close()
	}
}

// checkAll checks each contender.
func checkAll(ctx context.Context, contenders []*contender) error {
	for _, c := range contenders {
		if err := c.check(ctx); err != nil {
			return fmt.Errorf("check %s, %s: %w", c.group, c.name, err)
		}
	}
	return nil
}

// round is what one contender did in one round.
type round struct {
	Requests int
	// PerSecond are requests; P50 and P99 milliseconds.
	PerSecond, P50, P99 float64
	// CPU is what each process used for a request, in microseconds. Empty where the system does not tell.
	CPU map[string]float64
}

// measured is a contender with its rounds, in their order.
type measured struct {
	Group, Name string
	Connections int
	Rounds      []round
}

// cell is one figure of all rounds.
func (m *measured) cell(figure func(round) float64) report.Cell {
	cell := make(report.Cell, len(m.Rounds))
	for i, r := range m.Rounds {
		cell[i] = figure(r)
	}
	return cell
}

// cpu is the CPU time of a process in all rounds; empty if it is not known of each.
func (m *measured) cpu(process string) report.Cell {
	for _, r := range m.Rounds {
		if _, ok := r.CPU[process]; !ok {
			return nil
		}
	}
	return m.cell(func(r round) float64 { return r.CPU[process] })
}

// tables has one table for each group, with a column of CPU time for each process that any of the group has.
func tables(all []measured) []report.Table {
	var result []report.Table
	for i := 0; i < len(all); {
		end := i
		processes := map[string]bool{}
		for ; end < len(all) && all[end].Group == all[i].Group; end++ {
			for _, r := range all[end].Rounds {
				for name := range r.CPU {
					processes[name] = true
				}
			}
		}
		t := report.Table{Title: all[i].Group, Columns: []string{"requests/s", "p50 ms", "p99 ms"}}
		names := slices.Sorted(maps.Keys(processes))
		for _, name := range names {
			t.Columns = append(t.Columns, "µs CPU of "+name+" a request")
		}
		for ; i < end; i++ {
			m := &all[i]
			row := report.Row{Name: m.Name, Cells: []report.Cell{
				m.cell(func(r round) float64 { return r.PerSecond }), m.cell(func(r round) float64 { return r.P50 }), m.cell(func(r round) float64 { return r.P99 }),
			}}
			for _, name := range names {
				row.Cells = append(row.Cells, m.cpu(name))
			}
			t.Rows = append(t.Rows, row)
		}
		result = append(result, t)
	}
	return result
}

// measure lets the contenders take turns, rounds times. Each round begins with another one, so that none always follows the same. With
// an error it returns the rounds in which all took part.
func measure(ctx context.Context, contenders []*contender, rounds int, duration time.Duration) ([]measured, error) {
	all := make([]measured, len(contenders))
	for i, c := range contenders {
		all[i] = measured{Group: c.group, Name: c.name, Connections: len(c.asks)}
	}
	for n := range rounds {
		for i := range contenders {
			i = (i + n) % len(contenders)
			r, err := contenders[i].round(ctx, duration)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				for i := range all {
					all[i].Rounds = all[i].Rounds[:min(n, len(all[i].Rounds))]
				}
				return all, fmt.Errorf("%s, %s: %w", all[i].Group, all[i].Name, err)
			}
			all[i].Rounds = append(all[i].Rounds, r)
		}
	}
	return all, nil
}

// round asks on all connections for as long as duration says. The first error ends it.
func (c *contender) round(ctx context.Context, duration time.Duration) (round, error) {
	took := make([][]time.Duration, len(c.asks))
	// One request opens each connection before the clock starts.
	if err := c.each(func(i int) error { return c.asks[i](ctx) }); err != nil {
		return round{}, err
	}
	before := cpuTimes(c.processes)
	began := time.Now()
	err := c.each(func(i int) error {
		for {
			start := time.Now()
			if start.Sub(began) >= duration {
				return nil
			}
			if err := c.asks[i](ctx); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(start))
		}
	})
	elapsed := time.Since(began)
	after := cpuTimes(c.processes)
	if err != nil {
		return round{}, err
	}
	var all []time.Duration
	for _, some := range took {
		all = append(all, some...)
	}
	if len(all) == 0 {
		return round{}, errors.New("no request was answered")
	}
	r := round{Requests: len(all), PerSecond: float64(len(all)) / elapsed.Seconds(), CPU: map[string]float64{}}
	r.P50, r.P99 = milliseconds(percentile(all, 50)), milliseconds(percentile(all, 99))
	for name, end := range after {
		if start, ok := before[name]; ok {
			r.CPU[name] = microseconds(end-start) / float64(len(all))
		}
	}
	return r, nil
}

// each calls do for each connection at once, and returns when all have returned.
func (c *contender) each(do func(i int) error) error {
	errs := make([]error, len(c.asks))
	var wait sync.WaitGroup
	for i := range c.asks {
		wait.Go(func() { errs[i] = do(i) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
