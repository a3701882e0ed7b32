package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"adsidecar/e2e/bench/fleet"
)

// fleetGroup is Envoys of one kind.
type fleetGroup struct {
	envoys  []*fleet.Envoy
	acks    chan fleet.Acknowledged
	stalled time.Time
}

func newFleetGroup(name, address string, n int, stalling bool) *fleetGroup {
	g := &fleetGroup{acks: make(chan fleet.Acknowledged, 4*n)}
	for i := range n {
		g.envoys = append(g.envoys, fleet.New(fleet.Config{
			ID: fmt.Sprintf("%s-%04d", name, i), Address: address, Stalling: stalling, Keep: i == 0,
			Report: func(a fleet.Acknowledged) { g.acks <- a },
		}))
	}
	return g
}

// connect connects all at once.
func (g *fleetGroup) connect(ctx context.Context) error {
	errs := make([]error, len(g.envoys))
	var wait sync.WaitGroup
	for i, e := range g.envoys {
		wait.Go(func() { errs[i] = e.Connect(ctx) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (g *fleetGroup) close() {
	if g == nil {
		return
	}
	var wait sync.WaitGroup
	for _, e := range g.envoys {
		wait.Go(e.Close)
	}
	wait.Wait()
}

// restart makes all of them forget what they hold.
func (g *fleetGroup) restart() {
	for _, e := range g.envoys {
		e.Restart()
	}
}

// acknowledged waits until each Envoy has acknowledged an index of another version than not. It returns the times, in order, and the
// last acknowledgement; an error if the bytes were not the same for all.
func (g *fleetGroup) acknowledged(ctx context.Context, not string) ([]time.Time, fleet.Acknowledged, error) {
	got := make(map[string]fleet.Acknowledged, len(g.envoys))
	var last fleet.Acknowledged
	for len(got) < len(g.envoys) {
		select {
		case last = <-g.acks:
			if last.Version != not {
				got[last.ID] = last
			}
		case <-ctx.Done():
			return nil, last, errors.Join(fmt.Errorf("%d of %d Envoys have acknowledged: %w", len(got), len(g.envoys), ctx.Err()), g.failure())
		}
	}
	var times []time.Time
	for id, one := range got {
		if one.Version != last.Version || one.Digest != last.Digest || one.Bytes != last.Bytes {
			return nil, last, fmt.Errorf("%s got %d bytes of version %s, %s other %d bytes of version %s",
				id, one.Bytes, one.Version, last.ID, last.Bytes, last.Version)
		}
		times = append(times, one.At)
	}
	slices.SortFunc(times, time.Time.Compare)
	return times, last, nil
}

// prove opens what one Envoy got: it must be an index that has this version by its content, with all the ads.
func (g *fleetGroup) prove(version string) error {
	got, ads, err := g.envoys[0].Index()
	if err != nil {
		return err
	}
	if got != version || ads != fleetAds {
		return fmt.Errorf("an index of version %s has the content of version %s, and %d ads", version, got, ads)
	}
	return nil
}

// failure is why the first of the connections that have ended did so.
func (g *fleetGroup) failure() error {
	for _, e := range g.envoys {
		if err := e.Err(); err != nil {
			return err
		}
	}
	return nil
}
