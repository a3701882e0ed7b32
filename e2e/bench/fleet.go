package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adsidecar/e2e/bench/fleet"
	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

const (
	fleetSize = 1000
	fleetAds  = 10_000
	// stalledSize is how many of each kind do not keep up.
	stalledSize = 50
	// fleetPatience bounds each wait: what takes longer has gone wrong.
	fleetPatience = time.Minute
	// cutOffPatience is for what the control plane does only after its keepalive has run out.
	cutOffPatience = 2 * time.Minute
)

// The rows of the fleet's table, in their order.
const (
	fleetStart = iota
	fleetChange
	fleetStalled
	fleetReturn
	fleetSlow
	fleetRows
)

var fleetNames = [fleetRows]string{
	fleetStart:   "all start at once, and have nothing",
	fleetChange:  "the 10,000 ads change",
	fleetStalled: "the ads change, 50 slow and 50 dead Envoys beside",
	fleetReturn:  "all lose their connection and come back at once",
	fleetSlow:    "the ads change, and all Envoys are slow",
}

const fleetPart = "fleet"

// runFleet measures one control plane with many Envoys.
func runFleet(ctx context.Context, o options, rec *recorder) error {
	o = o.or(5, 0, 1, 0)
	rec.part(ctx, fleetPart, 5*time.Minute, new(report.Result), func(ctx context.Context, r *report.Result) error {
		return measureFleet(ctx, o, r)
	})
	return nil
}

func measureFleet(ctx context.Context, o options, result *report.Result) error {
	// A connection is a file for each of its ends; the control plane is another process with the same limit.
	if err := fleet.Files(fleetSize + 2*stalledSize + 200); err != nil {
		return err
	}
	b, err := startFleet(ctx, o)
	if err != nil {
		return err
	}
	err = errors.Join(b.measure(ctx), b.close())
	r := fleetResult(b.rows, b.cutOffs)
	result.Title, result.Method = r.Title, r.Method
	if len(b.rows[fleetStart]) > 0 {
		result.Tables, result.Targets = r.Tables, r.Targets
	}
	return err
}

func startFleet(ctx context.Context, o options) (*fleetBench, error) {
	s, err := stack.Start(ctx, stack.Options{
		Tools: o.tools, Programs: o.programs, Progress: func(what string) { o.say("starting: %s", what) },
		Campaigns: fleetDocument(0), PollInterval: time.Hour, // it is told when to poll
		NoMoto: true, NoEnvoy: true,
		// Nobody asks for its keys: there is no Envoy that would.
		Issuers: []stack.TrustedIssuer{{Issuer: "https://issuer.test", JWKSURL: "http://127.0.0.1:9/jwks.json", ClientIDs: []string{"game"}}},
	})
	if err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, fleetPatience)
	defer cancel()
	if err := s.ControlPlane().WaitReady(ready); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	address := s.ControlPlane().XDSAddress
	return &fleetBench{
		options: o, stack: s, plane: s.ControlPlane(),
		fleet: newFleetGroup("envoy", address, fleetSize, false), slow: newFleetGroup("slow", address, fleetSize, true),
	}, nil
}

// measure lets everything happen in turn, round after round.
func (b *fleetBench) measure(ctx context.Context) error {
	for n := range b.options.rounds {
		if err := b.round(ctx, n == b.options.rounds-1 && !b.options.quick); err != nil {
			return err
		}
	}
	return nil
}

func (b *fleetBench) round(ctx context.Context, whole bool) error {
	b.fleet.restart()
	if err := b.step(ctx, fleetStart, b.start); err != nil {
		return err
	}
	if err := b.step(ctx, fleetChange, b.change); err != nil {
		return err
	}
	stalled, err := b.stall(ctx)
	defer stalled.close()
	if err != nil {
		return err
	}
	if err := b.step(ctx, fleetStalled, b.change); err != nil {
		return err
	}
	if whole {
		took, err := b.cutOff(ctx, stalled)
		if err != nil {
			return err
		}
		b.cutOffs = append(b.cutOffs, took.Seconds())
	}
	stalled.close()
	if err := b.step(ctx, fleetReturn, b.comeBack); err != nil {
		return err
	}
	return b.step(ctx, fleetSlow, b.changeForSlow)
}

// step measures one row.
func (b *fleetBench) step(ctx context.Context, row int, measure func(context.Context) (fleetFigures, error)) error {
	ctx, cancel := context.WithTimeout(ctx, fleetPatience)
	defer cancel()
	figures, err := measure(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", fleetNames[row], err)
	}
	b.options.say("%s: %.0f ms, %.0f MiB", fleetNames[row], milliseconds(figures.last), float64(figures.peak)/(1<<20))
	b.rows[row] = append(b.rows[row], figures)
	return nil
}

// fleetResult is the report of what was measured.
func fleetResult(rows [fleetRows][]fleetFigures, cutOff report.Cell) *report.Result {
	r := &report.Result{
		Title: "Fleet: 1,000 Envoys on one control plane",
		Method: []string{
			"The Envoys are simulated, in one process: each has a connection and a delta ADS stream of its own, says what Envoy 1.40 says of " +
				"itself (61 KB), has its flow control, subscribes in its order, and acknowledges at once: it does not load the index. The " +
				"control plane is the built program; on few cores the two share them, and the connections are those of one machine.",
			"A change replaces all 10,000 ads. Its clock starts when the control plane asks the source and ends when its status says that " +
				"every Envoy has acknowledged; those of the storms start with the first connection. Each time, the version that the bytes have is " +
				"proved on one Envoy, and that the others got the same bytes by a digest.",
			"A slow Envoy answers pings and takes no more of its stream than its window of 64 KiB; a dead one reads nothing, and its connection stays open.",
		},
	}
	var size report.Cell
	for _, f := range rows[fleetChange] {
		size = append(size, float64(f.bytes)/(1<<20))
	}
	t := report.Table{
		Title: "1,000 Envoys, 10,000 ads",
		Columns: []string{
			"first has it, ms", "half have it, ms", "all are known to have it, ms", "control plane CPU s", "its peak memory, MiB", "the Envoys' CPU s",
		},
		Note: fmt.Sprintf("The index has %.2f MiB. Of those that come back holding the index, nobody is sent it again, and only the last time "+
			"exists. Slow ones do not get all of it, and no time exists: 1,000 copies of the index would show in the memory.", size.Median()),
	}
	var all, peaks report.Cell
	for row, rounds := range rows {
		cells := make([]report.Cell, len(t.Columns))
		for _, f := range rounds {
			if f.first > 0 {
				cells[0] = append(cells[0], milliseconds(f.first))
				cells[1] = append(cells[1], milliseconds(f.half))
			}
			if row != fleetSlow {
				cells[2] = append(cells[2], milliseconds(f.last))
			}
			if f.counted {
				cells[3] = append(cells[3], f.cpu.Seconds())
				cells[5] = append(cells[5], f.load.Seconds())
			}
			if f.peak > 0 {
				cells[4] = append(cells[4], float64(f.peak)/(1<<20))
			}
		}
		if row == fleetChange {
			all = cells[2]
		}
		for n, peak := range cells[4] { // of a round, the greatest
			if row == 0 {
				peaks = append(peaks, peak)
			}
			peaks[n] = max(peaks[n], peak)
		}
		t.Rows = append(t.Rows, report.Row{Name: fleetNames[row], Cells: cells})
	}
	if ratio := t.Rows[fleetStalled].Cells[2].Ratio(all); len(ratio) > 0 {
		t.Note += fmt.Sprintf(" Beside slow and dead ones a change takes %.2f times as long.", ratio.Median())
	}
	if len(cutOff) > 0 {
		t.Note += fmt.Sprintf(" The dead Envoys were cut off %.0f s after they stopped.", cutOff.Median())
	}
	r.Tables = []report.Table{t}
	seconds := make(report.Cell, len(all))
	for i, ms := range all {
		seconds[i] = ms / 1000
	}
	r.Targets = []report.Target{
		{What: "1,000 Envoys acknowledge a change of 10,000 ads", Bound: report.AtMost, Limit: 3, Unit: "s", Cell: seconds},
		{What: "peak memory of the control plane through all of it", Bound: report.AtMost, Limit: 600, Unit: "MiB", Cell: peaks},
	}
	return r
}
