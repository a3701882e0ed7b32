package revision

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	// cleanEvery is how often abandoned batches are looked for.
	cleanEvery = time.Hour
	// retryHousekeeping is after how long a snapshot or a cleaning that failed is tried again.
	retryHousekeeping = 15 * time.Second
)

// Run follows the store until ctx ends, and keeps it in order: snapshots, abandoned batches. Failures are logged when they begin and when
// they end, and tried again; what is known stays known.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.followEach(ctx) })
	g.Go(func() error { return s.housekeep(ctx) })
	return g.Wait()
}

func (s *Service) followEach(ctx context.Context) error {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for failing := false; ; {
		err := s.Follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing {
			s.log.Error("operators' changes cannot be read", zap.Error(err))
		}
		if err == nil && failing {
			s.log.Info("operators' changes can be read again")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Service) housekeep(ctx context.Context) error {
	for {
		wait := cleanEvery
		if err := s.keepInOrder(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the history was not kept in order", zap.Error(err), zap.Duration("retry", retryHousekeeping))
			wait = retryHousekeeping
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.wrote:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// due reports whether a snapshot of rows is worth its cost.
func (since sinceSnapshot) due(rows Rows) bool {
	return rows.Revision() > since.number &&
		(rows.Revision()-since.number >= snapshotRevisions || since.changes >= max(snapshotChanges, rows.Len()))
}

func (s *Service) keepInOrder(ctx context.Context) error {
	if err := s.journal.clean(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	rows, since := s.state.Rows, s.since
	s.mu.Unlock()
	if !since.due(rows) {
		return nil
	}
	saved, err := s.journal.saveSnapshot(ctx, rows, since.number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if saved > s.since.number {
		// What has come since is left out: it is little, and counting it exactly would need the counts of each revision.
		s.since = sinceSnapshot{number: saved}
	}
	return nil
}
