package main

import (
	"context"
	"fmt"
	"time"

	"adsidecar/e2e/bench/report"
)

// coldStart is the time from starting the process to the first answer with an ad, and the CPU time that it took, both in milliseconds. The
// process must not run; it is stopped afterwards.
func (g *gateway) coldStart(ctx context.Context, token, path string) (took, cpu float64, err error) {
	start := time.Now()
	if err := g.start(); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		err := g.servesNow(token, path)
		if err == nil {
			took, used := time.Since(start), cpuTimes(map[string]int{"": g.process.PID()})
			return milliseconds(took), milliseconds(used[""]), g.stop()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("cold start of %s: %w", g.name, err)
		case <-g.process.Done():
			return 0, 0, fmt.Errorf("cold start: %w", g.process.Err())
		}
	}
}

// servesNow asks once.
func (g *gateway) servesNow(token, path string) error {
	w, err := dialWire(g.listener.Address(), token)
	if err != nil {
		return err
	}
	defer w.close()
	status, body, err := w.get(path)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %.200s", status, body)
	}
	return err
}

// coldStarts starts each gateway n times, in turns, and returns both figures of each: with an error, those before it.
func coldStarts(ctx context.Context, e *edge, n int, gateways []*gateway, path string) ([][]report.Cell, error) {
	cells := make([][]report.Cell, len(gateways))
	for i := range cells {
		cells[i] = make([]report.Cell, 2)
	}
	for range n {
		for i, g := range gateways {
			took, cpu, err := g.coldStart(ctx, e.token, path)
			if err != nil {
				return cells, err
			}
			cells[i][0], cells[i][1] = append(cells[i][0], took), append(cells[i][1], cpu)
		}
	}
	return cells, nil
}
