package revision

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// remindEvery is how often it is logged again that the store cannot be read.
const remindEvery = 5 * time.Minute

// Following is how well a Service follows its store.
type Following struct {
	// ReadAt is when the store was last read, and everything in it was known here; zero: not yet.
	ReadAt time.Time
	// Err is why it cannot be read now, as it was logged last; nil: it can.
	Err error
}

// follower keeps and logs how the store is followed. It is safe for concurrent use.
type follower struct {
	log *zap.Logger
	now func() time.Time

	mu            sync.Mutex
	state         Following
	since, logged time.Time // of state.Err
}

// note takes what came of following the store.
func (f *follower) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	switch {
	case err == nil:
		if f.state.Err != nil {
			f.log.Info("operators' changes can be read again", zap.Duration("after", now.Sub(f.since)))
		}
		f.state = Following{ReadAt: now}
	case f.state.Err == nil || now.Sub(f.logged) >= remindEvery:
		if f.state.Err == nil {
			f.since = now
		}
		f.state.Err, f.logged = err, now
		f.log.Error("operators' changes cannot be read", zap.Error(err), zap.Time("since", f.since), zap.Time("last_read", f.state.ReadAt))
	}
}

// Following returns how well the store is followed, without asking it.
func (s *Service) Following() Following {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	return s.follower.state
}
