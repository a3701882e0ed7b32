package token

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// readInterval is the default of [Config.ReadInterval].
	readInterval = 5 * time.Minute
	// demandInterval bounds how often tokens that name unknown keys make us ask the issuer: anybody can make those.
	demandInterval = 10 * time.Second

	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
	jitter       = 0.1
)

// keys are the issuer's keys, as they were last read. It is safe for concurrent use.
type keys struct {
	fetch    func(context.Context) ([]byte, error)
	interval time.Duration
	now      func() time.Time
	random   func() float64
	logger   *zap.Logger
	metrics  *metrics

	set atomic.Pointer[keySet] // nil: never read

	mu       sync.Mutex
	reading  *reading // nil: none under way
	started  time.Time
	failures int   // since the last success
	failure  error // of the last reading; errUnread: none is over yet
}

// reading is one request to the issuer, on behalf of all that wait for it.
type reading struct {
	done   chan struct{}
	cancel context.CancelFunc
}

var errUnread = errors.New("they have not been read yet")

func newKeys(fetch func(context.Context) ([]byte, error), now func() time.Time, logger *zap.Logger, m *metrics) *keys {
	return &keys{fetch: fetch, interval: readInterval, now: now, random: rand.Float64, logger: logger, metrics: m, failure: errUnread}
}

// cached returns the claims of a token that the present keys verified.
func (k *keys) cached(id tokenID) (Claims, bool) {
	set := k.set.Load()
	if set == nil {
		return Claims{}, false
	}
	c, ok := set.verified.get(id)
	if ok {
		k.metrics.cacheHits.Inc()
	}
	return c, ok
}

// find returns the key, with the set that has it. It reads the keys again if there is none of this ID.
func (k *keys) find(ctx context.Context, id string) (*keySet, *rsa.PublicKey, error) {
	set := k.set.Load()
	if set == nil {
		if err := k.ready(); err != nil {
			return nil, nil, err
		}
		set = k.set.Load() // read at this moment
	}
	if key, ok := set.byID[id]; ok {
		return set, key, nil
	}
	if err := k.read(ctx, demandInterval); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// Whatever came of it: another reading may have found the key meanwhile.
	set = k.set.Load()
	if key, ok := set.byID[id]; ok {
		return set, key, nil
	}
	return nil, nil, unauthorized("the issuer has no key of the token's kid")
}

// read waits for the reading under way, or for one that it starts, unless the last one started less than gap ago. It returns an error
// only when ctx ended before that.
func (k *keys) read(ctx context.Context, gap time.Duration) error {
	k.mu.Lock()
	if k.reading == nil {
		now := k.now()
		if gap > 0 && now.Sub(k.started) < gap {
			k.mu.Unlock()
			return nil
		}
		// Whoever asked first may go while others wait.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		k.started, k.reading = now, &reading{done: make(chan struct{}), cancel: cancel}
		go k.finish(bounded, k.reading)
	}
	done := k.reading.done
	k.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *keys) finish(ctx context.Context, r *reading) {
	defer close(r.done)
	defer r.cancel()
	set, err := k.ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reading = nil
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the program stops: not a failure of the issuer
	}
	k.failure = err
	if err != nil {
		k.failures++
		k.metrics.notFetched.Inc()
		k.logger.Warn("the issuer's keys could not be read", zap.Error(err), zap.Int("failures", k.failures))
		return
	}
	k.failures = 0
	k.metrics.read(len(set.byID), k.now())
	if before := k.set.Load(); before != nil && before.same(set) {
		return // what the same keys verified stays verified
	}
	k.set.Store(set)
	k.logger.Info("the issuer's keys are new", zap.Strings("kids", set.ids()))
}

func (k *keys) ask(ctx context.Context) (*keySet, error) {
	text, err := k.fetch(ctx)
	if err != nil {
		return nil, err
	}
	return parseKeys(text)
}

// run reads the keys again and again until ctx is done.
func (k *keys) run(ctx context.Context) {
	defer k.abandon()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if k.read(ctx, 0) != nil {
			return
		}
		timer.Reset(k.pause())
	}
}

// abandon ends the reading under way.
func (k *keys) abandon() {
	k.mu.Lock()
	r := k.reading
	k.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
}

// pause is the wait before the next reading, varied so that replicas that start together do not ask together.
func (k *keys) pause() time.Duration {
	k.mu.Lock()
	failures := k.failures
	k.mu.Unlock()
	pause := k.interval
	if failures > 0 {
		pause = maxBackoff
		if doublings := failures - 1; doublings < 6 {
			pause = min(pause, firstBackoff<<doublings)
		}
	}
	return time.Duration(float64(pause) * (1 - jitter + 2*jitter*k.random()))
}

// ready says why the keys have never been read; nil if they have.
func (k *keys) ready() error {
	if k.set.Load() != nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure == nil {
		return nil // read at this moment
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, k.failure)
}
