package revision

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const defaultInterval = 2 * time.Second

// Config is what a Service needs.
type Config struct {
	Store Store
	// Interval is how often the store is asked for what other replicas wrote. Default: 2 s.
	Interval time.Duration
	// Logger is told when following the store begins to fail, now and then while it does, and when it works again. Default: none.
	Logger *zap.Logger
	// Now default: time.Now.
	Now func() time.Time
	// NewID makes names that no other replica makes. Default: 130 random bits.
	NewID func() string
}

// Service has the present rows, follows what other replicas write, and writes itself. It is safe for concurrent use.
type Service struct {
	journal  journal
	interval time.Duration
	log      *zap.Logger

	// turn is held by the one write that becomes a revision; see writing for what it has prepared before.
	turn chan struct{}
	// following is held while the state is brought up to the store's.
	following chan struct{}
	// wrote has a value after a revision was made here: a snapshot may be due.
	wrote chan struct{}
	// replaced has a value after a version was taken off the list here: its index is to be removed later.
	replaced chan struct{}

	follower follower

	mu      sync.Mutex
	state   State
	changed chan struct{}
	since   sinceSnapshot
}

// State is what operators say, at one moment.
type State struct {
	// Loaded is false until the store has answered for the first time: then it is unknown what operators say.
	Loaded bool
	Rows   Rows
	// Pin, Decision and Published are zero where there never was one.
	Pin       Pin
	Decision  Decision
	Published Published
	// Store tells this store from others: it is written before anything else, and never changed. "": nothing was written, or only by programs
	// that gave no identities.
	Store string
}

// sinceSnapshot is what a replica that starts would read besides the snapshot.
type sinceSnapshot struct {
	number  uint64
	changes int
}

// New makes a service, which knows nothing yet: see [Service.Run] and [Service.Follow].
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("a revision service needs a store")
	}
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = cryptorand.Text
	}
	return &Service{
		journal:  journal{store: &identified{Store: bounded{c.Store}, newID: c.NewID}, now: c.Now, newBatch: c.NewID},
		interval: c.Interval, log: c.Logger,
		turn: make(chan struct{}, 1), following: make(chan struct{}, 1), wrote: make(chan struct{}, 1),
		replaced: make(chan struct{}, 1), changed: make(chan struct{}), follower: follower{log: c.Logger, now: c.Now},
	}, nil
}

// State returns what is known, without asking the store.
func (s *Service) State() State {
	state, _ := s.Watch()
	return state
}

// Watch returns what is known, and a channel that is closed as soon as that is something else.
func (s *Service) Watch() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.changed
}

func acquire(ctx context.Context, lock chan struct{}) error {
	select {
	case lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Follow brings the state up to the store's. What comes of it is logged, and [Service.Following] tells it, unless ctx has ended.
func (s *Service) Follow(ctx context.Context) error {
	_, _, err := s.follow(ctx)
	return err
}

// follow returns the head with the rows at it as well.
func (s *Service) follow(ctx context.Context) (head, Rows, error) {
	if err := acquire(ctx, s.following); err != nil {
		return head{}, Rows{}, err
	}
	defer func() { <-s.following }()
	at, rows, err := s.readState(ctx)
	if err == nil || ctx.Err() == nil {
		s.follower.note(err)
	}
	return at, rows, err
}

// readState is for whoever holds following.
func (s *Service) readState(ctx context.Context) (head, Rows, error) {
	now, err := s.journal.poll(ctx)
	if err != nil {
		return head{}, Rows{}, err
	}
	s.mu.Lock()
	state, since := s.state, s.since
	s.mu.Unlock()
	// A backup was restored, or it is another store, whose revisions of the same numbers are others.
	gone := now.head.Number < state.Rows.Revision() || state.Store != "" && now.store != state.Store
	if !state.Loaded || gone {
		rows, err := s.journal.load(ctx)
		if err != nil {
			return head{}, Rows{}, err
		}
		state, since = State{Rows: rows}, sinceSnapshot{number: rows.Revision()}
	}
	rows, changes, err := s.journal.catchUp(ctx, state.Rows, now.head.Number)
	if err != nil {
		return head{}, Rows{}, err
	}
	since.changes += changes
	s.set(State{Loaded: true, Rows: rows, Pin: now.pin, Decision: now.decision, Published: now.published, Store: now.store}, since)
	return now.head, rows, nil
}

// catchUp applies the revisions up to a number to rows. A snapshot may be newer than a head that was read before it.
func (j *journal) catchUp(ctx context.Context, rows Rows, to uint64) (_ Rows, changed int, _ error) {
	if rows.Revision() >= to {
		return rows, 0, nil
	}
	b := newBuilder(rows)
	for next := rows.Revision() + 1; next <= to; {
		var numbers []uint64
		for ; next <= to && len(numbers) < MaxRead; next++ {
			numbers = append(numbers, next)
		}
		revisions, err := j.revisions(ctx, numbers)
		if err != nil {
			return Rows{}, 0, err
		}
		for i, r := range revisions {
			n := 0
			err := j.changes(ctx, r, 0, func(changes []Change) bool {
				n += len(changes)
				b.apply(changes, numbers[i])
				return true
			})
			if err == nil && n != r.Count {
				err = fmt.Errorf("%w: it has %d changes of %d", ErrDamaged, n, r.Count)
			}
			if err != nil {
				return Rows{}, 0, fmt.Errorf("read revision %d: %w", numbers[i], err)
			}
			changed += n
		}
	}
	return b.done(to), changed, nil
}

// set tells whoever watches, if anything has changed.
func (s *Service) set(state State, since sinceSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := s.state.Loaded && s.state.Rows.Revision() == state.Rows.Revision() && s.state.Rows.shards == state.Rows.shards &&
		s.state.Pin == state.Pin && s.state.Decision == state.Decision && s.state.Published == state.Published &&
		(s.state.Store == state.Store || s.state.Store == "") // an identity comes with what is written after it
	s.state, s.since = state, since
	if !same {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}
