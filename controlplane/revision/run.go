package revision

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	// cleanEvery is how often batches of writers that died are looked for. What was replaced is removed when it is due, by who has replaced it,
	// and who knows of it by then; cleanPause gathers what becomes due one after another.
	cleanEvery = time.Hour
	cleanPause = time.Minute
	// retryHousekeeping is after how long a snapshot or a cleaning that failed is tried again.
	retryHousekeeping = 15 * time.Second
)

// Run follows the store until ctx ends, and keeps it in order: snapshots, abandoned batches. What fails is logged and tried again; what is
// known stays known.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.followEach(ctx) })
	g.Go(func() error { return s.housekeep(ctx) })
	return g.Wait()
}

func (s *Service) followEach(ctx context.Context) error {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		_ = s.Follow(ctx) // it is noted
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Service) housekeep(ctx context.Context) error {
	clean := s.journal.now()
	for {
		now := s.journal.now()
		next, err := s.keepInOrder(ctx, clean)
		wait := next.Sub(now)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("the history was not kept in order", zap.Error(err), zap.Duration("retry", retryHousekeeping))
			wait = retryHousekeeping
		}
		clean = next
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.wrote:
		case <-s.replaced:
			clean = earlier(clean, s.journal.now().Add(replacedFor))
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// due reports whether a snapshot of rows is worth its cost.
func (since sinceSnapshot) due(rows Rows) bool {
	return rows.Revision() > since.number &&
		(rows.Revision()-since.number >= snapshotRevisions || since.changes >= max(snapshotChanges, rows.Len()))
}

// keepInOrder cleans if it is time for that, makes a snapshot if one is due, and returns when to clean next.
func (s *Service) keepInOrder(ctx context.Context, clean time.Time) (next time.Time, _ error) {
	if now := s.journal.now(); !now.Before(clean) {
		due, err := s.journal.clean(ctx)
		if err != nil {
			return clean, err
		}
		wait := cleanEvery
		if !due.IsZero() {
			wait = min(max(due.Sub(now), cleanPause), cleanEvery)
		}
		clean = now.Add(wait) // by the monotonic clock: a wall clock that was wrong once is forgotten
	}
	s.mu.Lock()
	rows, since := s.state.Rows, s.since
	s.mu.Unlock()
	if !since.due(rows) {
		return clean, nil
	}
	saved, err := s.journal.saveSnapshot(ctx, rows, since.number)
	if err != nil {
		return clean, err
	}
	clean = earlier(clean, s.journal.now().Add(replacedFor))
	s.mu.Lock()
	defer s.mu.Unlock()
	if saved > s.since.number {
		// What has come since is left out: it is little, and counting it exactly would need the counts of each revision.
		s.since = sinceSnapshot{number: saved}
	}
	return clean, nil
}
