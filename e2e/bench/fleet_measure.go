package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"adsidecar/e2e/bench/fleet"
	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/bench/workload"
	"adsidecar/e2e/stack"
)

// fleetDocument has fleetAds ads. Two revisions have no ad in common.
func fleetDocument(revision uint32) []byte {
	// The least that a workload has are twice as many, an ad on a line: the first ones of it.
	lines := bytes.SplitN(workload.Document(workload.Config{Seed: 1, Revision: revision}), []byte("\n"), fleetAds+2)
	head := bytes.TrimSuffix(bytes.Join(lines[:fleetAds+1], []byte("\n")), []byte(","))
	return append(head, "\n]}\n"...)
}

// fleetBench is the control plane that is measured, and its Envoys.
type fleetBench struct {
	options  options
	stack    *stack.Stack
	plane    *stack.ControlPlane
	fleet    *fleetGroup
	slow     *fleetGroup // as many
	revision uint32
	version  string // of the index that all of the fleet have

	rows    [fleetRows][]fleetFigures
	cutOffs report.Cell // seconds
}

func (b *fleetBench) close() error {
	b.fleet.close()
	b.slow.close()
	return b.stack.Close()
}

// fleetFigures are those of one round. All times are since its start.
type fleetFigures struct {
	first, half time.Duration // until so many acknowledged the index; 0 where none was sent
	last        time.Duration // until the control plane knew it of all
	counted     bool          // whether the CPU times are known
	cpu, load   time.Duration // of the control plane, of the Envoys
	bytes       int           // of the index
	peak        int64         // memory of the control plane in bytes; 0: not known
}

// fleetClock measures what happens from clock to stop.
type fleetClock struct {
	began     time.Time
	processes map[string]int
	before    map[string]time.Duration
}

// clock starts a clock.
func (b *fleetBench) clock() fleetClock {
	c := fleetClock{processes: map[string]int{"plane": b.plane.Process().PID(), "load": os.Getpid()}}
	fleet.ResetPeakMemory(c.processes["plane"])
	c.before = cpuTimes(c.processes)
	c.began = time.Now()
	return c
}

func (c *fleetClock) stop() fleetFigures {
	f := fleetFigures{last: time.Since(c.began)}
	after := cpuTimes(c.processes)
	f.counted = len(c.before) == len(c.processes) && len(after) == len(c.processes)
	f.cpu, f.load = after["plane"]-c.before["plane"], after["load"]-c.before["load"]
	f.peak, _ = fleet.PeakMemory(c.processes["plane"])
	return f
}

// start connects the fleet, which holds nothing.
func (b *fleetBench) start(ctx context.Context) (fleetFigures, error) {
	c := b.clock()
	if err := b.fleet.connect(ctx); err != nil {
		return fleetFigures{}, err
	}
	return b.acknowledged(ctx, c, "")
}

// change lets the source have another document, and the control plane know it.
func (b *fleetBench) change(ctx context.Context) (fleetFigures, error) {
	c, err := b.pollChange(ctx)
	if err != nil {
		return fleetFigures{}, err
	}
	return b.acknowledged(ctx, c, b.version)
}

// pollChange returns when the control plane asks for a new document. The clock starts then.
func (b *fleetBench) pollChange(ctx context.Context) (fleetClock, error) {
	b.revision++
	document := fleetDocument(b.revision)
	b.stack.Source.SetBody(document)
	c := b.clock()
	// It gathers such signals for a while before it polls.
	err := errors.Join(syscall.Kill(b.plane.Process().PID(), syscall.SIGHUP), b.stack.Source.WaitRequests(ctx, 1))
	c.began = time.Now()
	return c, err
}

// changeForSlow is a change while all the Envoys that are connected take no more than their window. It ends when the control plane has
// sent it to all as far as it can.
func (b *fleetBench) changeForSlow(ctx context.Context) (fleetFigures, error) {
	b.fleet.close()
	b.slow.restart()
	defer b.slow.close()
	if err := b.slow.connect(ctx); err != nil {
		return fleetFigures{}, err
	}
	if _, _, err := b.slow.acknowledged(ctx, ""); err != nil {
		return fleetFigures{}, err
	}
	for _, e := range b.slow.envoys {
		e.Stall()
	}
	c, err := b.pollChange(ctx)
	if err != nil {
		return fleetFigures{}, err
	}
	err = b.until(ctx, func(s fleetStatus) bool {
		return s.index().Version != b.version && s.sent(s.index().Version) == fleetSize
	})
	return c.stop(), err
}

// acknowledged waits until the whole fleet has an index of another version than not, and the control plane knows it.
func (b *fleetBench) acknowledged(ctx context.Context, c fleetClock, not string) (fleetFigures, error) {
	times, last, err := b.fleet.acknowledged(ctx, not)
	if err != nil {
		return fleetFigures{}, err
	}
	err = b.until(ctx, func(s fleetStatus) bool {
		index := s.index()
		return index.Version == last.Version && index.Acknowledged == fleetSize
	})
	f := c.stop()
	f.first, f.half, f.bytes = times[0].Sub(c.began), times[len(times)/2].Sub(c.began), last.Bytes
	if err != nil {
		return f, err
	}
	b.version = last.Version
	return f, b.fleet.prove(last.Version)
}

// comeBack cuts all connections and connects again at once, with what each Envoy holds.
func (b *fleetBench) comeBack(ctx context.Context) (fleetFigures, error) {
	b.fleet.close()
	if err := b.until(ctx, func(s fleetStatus) bool { return s.connected() == 0 }); err != nil {
		return fleetFigures{}, err
	}
	c := b.clock()
	if err := b.fleet.connect(ctx); err != nil {
		return fleetFigures{}, err
	}
	if err := b.untilConnected(ctx); err != nil {
		return fleetFigures{}, err
	}
	err := b.until(ctx, func(s fleetStatus) bool { return s.inSync() == fleetSize })
	return c.stop(), err
}

// untilConnected polls a gauge: the status of a fleet costs too much to be asked for while it connects.
func (b *fleetBench) untilConnected(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		series, err := b.plane.Metrics(ctx)
		if err != nil {
			return errors.Join(err, b.fleet.failure())
		}
		connected := series[`adsidecar_xds_envoys{state="connected"}`]
		if connected >= fleetSize {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%v of %d Envoys are connected: %w", connected, fleetSize, ctx.Err()), b.fleet.failure())
		}
	}
}

// stall adds Envoys that have the index and then do not keep up: the first half is slow, the other half dead.
func (b *fleetBench) stall(ctx context.Context) (*fleetGroup, error) {
	ctx, cancel := context.WithTimeout(ctx, fleetPatience)
	defer cancel()
	g := newFleetGroup("stalled", b.plane.XDSAddress, 2*stalledSize, true)
	if err := g.connect(ctx); err != nil {
		return g, err
	}
	if _, _, err := g.acknowledged(ctx, ""); err != nil {
		return g, fmt.Errorf("before they stall: %w", err)
	}
	err := b.until(ctx, func(s fleetStatus) bool { return s.inSync() == fleetSize+2*stalledSize })
	for i, e := range g.envoys {
		if i < stalledSize {
			e.Stall()
		} else {
			e.Hang()
		}
	}
	g.stalled = time.Now()
	return g, err
}

// cutOff waits until the control plane has given up the dead ones.
func (b *fleetBench) cutOff(ctx context.Context, g *fleetGroup) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, cutOffPatience)
	defer cancel()
	b.options.say("waiting until the dead Envoys are cut off")
	err := b.until(ctx, func(s fleetStatus) bool { return s.connected() <= fleetSize+stalledSize })
	return time.Since(g.stalled), err
}

// until polls the control plane's status.
func (b *fleetBench) until(ctx context.Context, ok func(fleetStatus) bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var s fleetStatus
		if err := b.plane.Status(ctx, &s); err != nil {
			return errors.Join(err, b.fleet.failure())
		}
		if ok(s) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the control plane does not get there, of %d Envoys %d are in sync: %w",
				s.connected(), s.inSync(), ctx.Err()), b.fleet.failure())
		}
	}
}
