package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

var errDead = fmt.Errorf("%w: the writer is dead", revision.ErrUnavailable)

// spy is a store that tells what is done with another one, and may die.
type spy struct {
	revision.Store

	mu sync.Mutex
	// left is how many writes it does before it dies, if it is to die; the last one is done if applied is set, although nobody is told.
	mortal  bool
	left    int
	applied bool
	died    bool // the last one is over
	// before is called before each commit.
	before  func(puts []revision.Put)
	chunks  []string
	reads   []string
	removed []string
}

func (s *spy) write(write func() error) error {
	s.mu.Lock()
	dead, last := false, false
	if s.mortal {
		dead, last = s.left < 0, s.left == 0
		s.left--
	}
	applied := s.applied
	s.mu.Unlock()
	switch {
	case dead, last && !applied:
		s.die()
		return errDead
	case last:
		defer s.die() // after it: who sees that it is dead may end the writer
		return errors.Join(write(), errDead)
	default:
		return write()
	}
}

func (s *spy) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.died = true
}

func (s *spy) Commit(ctx context.Context, puts ...revision.Put) error {
	s.mu.Lock()
	before := s.before
	for _, p := range puts {
		if strings.HasPrefix(p.Key, "chunk/") {
			s.chunks = append(s.chunks, p.Key)
		}
	}
	s.mu.Unlock()
	if before != nil {
		before(puts)
	}
	return s.write(func() error { return s.Store.Commit(ctx, puts...) })
}

func (s *spy) Remove(ctx context.Context, keys ...string) error {
	s.mu.Lock()
	s.removed = append(s.removed, keys...)
	s.mu.Unlock()
	return s.write(func() error { return s.Store.Remove(ctx, keys...) })
}

func (s *spy) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	s.mu.Lock()
	s.reads = append(s.reads, keys...)
	s.mu.Unlock()
	return s.Store.Read(ctx, keys...)
}

func (s *spy) seen() (chunks, reads []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.chunks...), append([]string(nil), s.reads...)
}

var errFull = fmt.Errorf("%w: there is no room", revision.ErrUnavailable)

// full is a store without room for the second chunk of a batch. The first one waits for that.
type full struct {
	revision.Store

	refused chan struct{}
	cut     atomic.Bool // whether the first one is told to stop then
}

func (f *full) Commit(ctx context.Context, all ...revision.Put) error {
	switch key := all[0].Key; {
	case !strings.HasPrefix(key, "chunk/"):
	case strings.HasSuffix(key, "/0"):
		<-f.refused
		select {
		case <-ctx.Done():
			f.cut.Store(true)
		case <-time.After(50 * time.Millisecond):
		}
	case strings.HasSuffix(key, "/1"):
		f.refused <- struct{}{}
		return errFull
	}
	return f.Store.Commit(ctx, all...)
}

// puts reports whether a key is among them.
func puts(all []revision.Put, key string) bool {
	for _, p := range all {
		if p.Key == key {
			return true
		}
	}
	return false
}

// present counts which of the keys are there.
func present(t *testing.T, s revision.Store, keys []string) (n int) {
	t.Helper()
	for _, key := range keys {
		if read(t, s, key).Version > 0 {
			n++
		}
	}
	return n
}

// running runs a service until the returned function is called, or the test ends.
func running(t *testing.T, s *revision.Service) (stop func()) {
	t.Helper()
	c, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(c) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return stop
}

func await(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(patience):
		require.FailNow(t, "nothing has changed")
	}
}

// headless is a store whose head cannot be read: a service on it knows no rows, and makes no snapshot of its own.
type headless struct{ revision.Store }

func (h headless) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if keys[0] == "head" {
		return nil, errDead
	}
	return h.Store.Read(ctx, keys...)
}

// cleaned runs a service at a time, until nothing is pending any more.
func cleaned(t *testing.T, s revision.Store, at time.Time) {
	t.Helper()
	stop := running(t, serviceAt(t, headless{s}, func() time.Time { return at }))
	defer stop()
	require.Eventually(t, func() bool {
		value := string(read(t, s, "pending").Value)
		return value == "" || value == `{"batches":{}}`
	}, patience, 5*time.Millisecond)
}
