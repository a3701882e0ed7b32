package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// fill keeps as many versions as there may be: first-0 is the next one to go.
func fill(t *testing.T, s *revision.Service) {
	t.Helper()
	for i := range revision.MaxVersions {
		keep(t, s, fmt.Sprint("first-", i))
	}
}

// removeHook calls a function before each removal.
type removeHook struct {
	revision.Store

	before func()
}

func (h removeHook) Remove(ctx context.Context, keys ...string) error {
	h.before()
	return h.Store.Remove(ctx, keys...)
}

// atHead begins a large revision that waits before it is published, until publish is closed.
func atHead(t *testing.T, s *spy, round int, publish <-chan struct{}) (published <-chan error) {
	t.Helper()
	ready, result := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	s.before = func(all []revision.Put) {
		if puts(all, "head") {
			once.Do(func() { close(ready) })
			<-publish
		}
	}
	writer, c := service(t, s), ctx(t)
	go func() {
		_, err := writer.Apply(c, wide(round))
		result <- err
	}()
	await(t, ready)
	return result
}

var replacements = suite{
	"an index that is not kept any more is there for its readers for five minutes": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		fill(t, a)
		chunks, _ := seen.seen()
		keep(t, a, "newest")
		early := &spy{Store: s}
		stop := running(t, serviceAt(t, early, func() time.Time { return now.Add(5*time.Minute - time.Second) }))
		require.Eventually(t, func() bool {
			_, reads := early.seen()
			return slices.Contains(reads, "pending")
		}, 20*time.Second, 5*time.Millisecond)
		stop()
		require.Empty(t, early.removed)
		require.Equal(t, len(chunks), present(t, s, chunks))
		cleaned(t, s, now.Add(5*time.Minute))
		require.Equal(t, len(chunks)-1, present(t, s, chunks))
		require.Zero(t, read(t, s, chunks[0]))
	},
	"who reads an index more slowly is told what has become of it": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		fill(t, a)
		evict := func(n int) {
			keep(t, a, fmt.Sprint("newer-", n))
			cleaned(t, s, now.Add(2*time.Hour))
		}
		for name, c := range map[string]struct {
			version   int
			meanwhile func(n int)
			want      error
		}{
			"it is gone": {0, evict, revision.ErrNoVersion},
			"it was kept again since": {1, func(n int) {
				evict(n)
				keep(t, a, fmt.Sprint("first-", n))
			}, revision.ErrUnavailable},
		} {
			for hashes(t, a)[revision.MaxVersions-1] != fmt.Sprint("first-", c.version) {
				keep(t, a, hashes(t, a)[revision.MaxVersions-1]) // it becomes the newest
			}
			happened := false
			b := service(t, readHook{s, func(keys []string) {
				if strings.HasPrefix(keys[0], "chunk/") && !happened {
					happened = true
					c.meanwhile(c.version)
				}
			}})
			var got bytes.Buffer
			_, err := b.ReadVersion(ctx(t), fmt.Sprint("first-", c.version), &got)
			require.ErrorIs(t, err, c.want, name)
			require.NotErrorIs(t, err, revision.ErrDamaged, name)
			require.True(t, happened, name)
		}
		requireVersion(t, a, "first-1", index(1))
	},
	"what is removed with others, but published before it is marked, stays": func(t *testing.T, s revision.Store) {
		dead := &spy{Store: s}
		dead.before = func(all []revision.Put) {
			if puts(all, "head") {
				dead.mu.Lock()
				defer dead.mu.Unlock()
				dead.mortal = true
			}
		}
		_, err := service(t, dead).Apply(ctx(t), wide(0))
		require.ErrorIs(t, err, revision.ErrUnavailable)
		leftovers, _ := dead.seen()
		require.Positive(t, present(t, s, leftovers))

		publish, writer := make(chan struct{}), &spy{Store: s}
		published := atHead(t, writer, 1, publish)
		cleaner, raced := &spy{Store: s}, false
		cleaner.before = func(all []revision.Put) {
			if puts(all, "pending") && !raced {
				raced = true
				close(publish)
				require.NoError(t, <-published)
			}
		}
		cleaned(t, cleaner, now.Add(2*time.Hour))
		require.True(t, raced)
		require.Zero(t, present(t, s, leftovers))
		whole, _ := writer.seen()
		require.Equal(t, len(whole), present(t, s, whole))
		requireRound(t, service(t, s), 1)
	},
	"what is being removed cannot be published any more": func(t *testing.T, s revision.Store) {
		publish, writer := make(chan struct{}), &spy{Store: s}
		published := atHead(t, writer, 0, publish)
		var once sync.Once
		var err error
		cleaned(t, removeHook{s, func() {
			once.Do(func() {
				close(publish)
				err = <-published
			})
		}}, now.Add(2*time.Hour))
		require.ErrorIs(t, err, revision.ErrUnavailable)
		requireRound(t, service(t, s), -1)
		chunks, _ := writer.seen()
		require.Zero(t, present(t, s, chunks))
	},
}
