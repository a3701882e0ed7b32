// Package storetest is the conformance suite of [revision.Store]: every sentence of its contract, as far as one process can see it, and
// what a [revision.Service] does with the store: whole revisions or nothing, wherever a writer dies. A store's own tests call [Run], and
// add what is the technology's: a process that dies, a network that loses answers.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// Open opens a new, empty store and closes it with the test.
type Open func(t *testing.T) revision.Store

// suite is a group of tests with a store each.
type suite map[string]func(t *testing.T, s revision.Store)

// Run runs the suite. Each test has a store of its own.
func Run(t *testing.T, open Open) {
	t.Helper()
	for group, tests := range map[string]suite{
		"values": values, "writers that meet": races, "revisions": revisions, "progress": told, "waits": waits, "identity": identities,
		"large revisions": large, "large ones let others go ahead": yielding, "snapshots": snapshots,
		"pin and decision": pins, "actions": actions, "those who go away": gone, "versions": versions, "versions and pin": meetings, "what was replaced": replacements,
		"model": models,
	} {
		t.Run(group, func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, open(t)) })
			}
		})
	}
}

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// now is the time of the tests.
var now = time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.UTC)

// racers is how many goroutines compete.
const racers = 8

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return c
}

func read(t *testing.T, s revision.Store, key string) revision.Entry {
	t.Helper()
	entries, err := s.Read(ctx(t), key)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	return entries[0]
}

func text(key, value string, version uint64) revision.Put {
	return revision.Put{Key: key, Value: []byte(value), Version: version}
}

// race calls fn on every goroutine at once, and returns what each returned.
func race(fn func(racer int) error) []error {
	results := make([]error, racers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() {
			<-start
			results[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	return results
}

var values = suite{
	"what is not there has no version and no value": func(t *testing.T, s revision.Store) {
		require.Equal(t, revision.Entry{}, read(t, s, "head"))
	},
	"entries come in the order of the keys, those that are not there too": func(t *testing.T, s revision.Store) {
		require.NoError(t, s.Commit(ctx(t), text("b", "2", 0), text("a", "1", 0)))
		entries, err := s.Read(ctx(t), "x", "a", "b", "y")
		require.NoError(t, err)
		require.Equal(t, []revision.Entry{{}, {Value: []byte("1"), Version: 1}, {Value: []byte("2"), Version: 1}, {}}, entries)
	},
	"each write makes the version one more": func(t *testing.T, s revision.Store) {
		for version := range uint64(5) {
			require.NoError(t, s.Commit(ctx(t), text("a", fmt.Sprint(version), version)))
			require.Equal(t, revision.Entry{Value: []byte(fmt.Sprint(version)), Version: version + 1}, read(t, s, "a"))
		}
	},
	"a value that was read stays as it was": func(t *testing.T, s revision.Store) {
		long := strings.Repeat("x", 10_000)
		require.NoError(t, s.Commit(ctx(t), text("a", long, 0)))
		before := read(t, s, "a")
		for version := range uint64(10) {
			require.NoError(t, s.Commit(ctx(t), text("a", strings.Repeat("y", 10_000), version+1)))
		}
		require.Equal(t, long, string(before.Value))
	},
	"another version is a conflict": func(t *testing.T, s revision.Store) {
		require.ErrorIs(t, s.Commit(ctx(t), text("a", "x", 1)), revision.ErrConflict)
		require.NoError(t, s.Commit(ctx(t), text("a", "1", 0)))
		require.NoError(t, s.Commit(ctx(t), text("a", "2", 1)))
		for _, version := range []uint64{0, 1, 3} {
			err := s.Commit(ctx(t), text("a", "x", version))
			require.ErrorIs(t, err, revision.ErrConflict)
			require.NotErrorIs(t, err, revision.ErrUnavailable)
		}
		require.Equal(t, revision.Entry{Value: []byte("2"), Version: 2}, read(t, s, "a"))
	},
	"a commit of several is done wholly or not at all": func(t *testing.T, s revision.Store) {
		require.NoError(t, s.Commit(ctx(t), text("a", "1", 0), text("b", "1", 0)))
		for stale := range 3 {
			puts := []revision.Put{text("a", "2", 1), text("b", "2", 1), text("c", "2", 0)}
			puts[stale].Version += 5
			require.ErrorIs(t, s.Commit(ctx(t), puts...), revision.ErrConflict)
			require.Equal(t, "1", string(read(t, s, "a").Value))
			require.Equal(t, "1", string(read(t, s, "b").Value))
			require.Zero(t, read(t, s, "c"))
		}
		require.NoError(t, s.Commit(ctx(t), text("a", "2", 1), text("b", "2", 1), text("c", "2", 0)))
		require.Equal(t, "2", string(read(t, s, "c").Value))
	},
	"what is removed is not there, and can be written anew": func(t *testing.T, s revision.Store) {
		require.NoError(t, s.Commit(ctx(t), text("a", "1", 0), text("b", "1", 0)))
		require.NoError(t, s.Remove(ctx(t), "a", "nothing"))
		require.NoError(t, s.Remove(ctx(t), "a"))
		require.Zero(t, read(t, s, "a"))
		require.EqualValues(t, 1, read(t, s, "b").Version)
		require.NoError(t, s.Commit(ctx(t), text("a", "2", 0)))
	},
	"every byte is kept, of the longest values too": func(t *testing.T, s revision.Store) {
		all := make([]byte, revision.MaxValue)
		for i := range all {
			all[i] = byte(i * 7)
		}
		key := strings.Repeat("k", revision.MaxKey)
		require.NoError(t, s.Commit(ctx(t), revision.Put{Key: key, Value: all}))
		require.Equal(t, all, read(t, s, key).Value)
		var keys []string
		for i := range revision.MaxRead {
			keys = append(keys, fmt.Sprint("long/", i))
			require.NoError(t, s.Commit(ctx(t), revision.Put{Key: keys[i], Value: all[i:]}))
		}
		entries, err := s.Read(ctx(t), keys...)
		require.NoError(t, err)
		for i, e := range entries {
			require.Equal(t, all[i:], e.Value)
		}
		require.NoError(t, s.Remove(ctx(t), keys...))
		require.Zero(t, read(t, s, keys[7]))
		require.NoError(t, s.Commit(ctx(t), revision.Put{Key: "1", Value: all}, revision.Put{Key: "2", Value: all},
			revision.Put{Key: "3", Value: all}, revision.Put{Key: "4", Value: all}))
	},
	"what is beyond the limits is refused": func(t *testing.T, s revision.Store) {
		require.Error(t, s.Commit(ctx(t)))
		require.Error(t, s.Commit(ctx(t), text("", "x", 0)))
		require.Error(t, s.Commit(ctx(t), text("a", "", 0)))
		require.Error(t, s.Commit(ctx(t), text("a", strings.Repeat("x", revision.MaxValue+1), 0)))
		require.Error(t, s.Commit(ctx(t), text(strings.Repeat("x", revision.MaxKey+1), "x", 0)))
		require.Error(t, s.Commit(ctx(t), text("a", "x", 0), text("b", "x", 0), text("c", "x", 0), text("d", "x", 0), text("e", "x", 0)))
		require.Zero(t, read(t, s, "a"))
		_, err := s.Read(ctx(t))
		require.Error(t, err)
		_, err = s.Read(ctx(t), make([]string, revision.MaxRead+1)...)
		require.Error(t, err)
		require.Error(t, s.Remove(ctx(t)))
		require.Error(t, s.Remove(ctx(t), make([]string, revision.MaxRead+1)...))
	},
	"nothing is done after the end of the context": func(t *testing.T, s revision.Store) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Commit(ended, text("a", "1", 0)), context.Canceled)
		_, err := s.Read(ended, "a")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, s.Remove(ended, "a"), context.Canceled)
		require.Zero(t, read(t, s, "a"))
	},
}

var races = suite{
	"one of many commits from a version wins": func(t *testing.T, s revision.Store) {
		c := ctx(t)
		for version := range uint64(4) {
			winner := -1
			for i, err := range race(func(racer int) error {
				return s.Commit(c, text("a", fmt.Sprint(racer), version), text(fmt.Sprint("by", version), fmt.Sprint(racer), 0))
			}) {
				if err == nil {
					require.Equal(t, -1, winner, "both %d and %d won", winner, i)
					winner = i
					continue
				}
				require.ErrorIs(t, err, revision.ErrConflict)
			}
			require.Equal(t, fmt.Sprint(winner), string(read(t, s, "a").Value))
			require.Equal(t, fmt.Sprint(winner), string(read(t, s, fmt.Sprint("by", version)).Value))
		}
	},
	"no count is lost": func(t *testing.T, s revision.Store) {
		const each = 5
		c := ctx(t)
		for _, err := range race(func(int) error {
			for done := 0; done < each; {
				e, err := s.Read(c, "n")
				if err != nil {
					return err
				}
				switch err := s.Commit(c, text("n", "x", e[0].Version)); {
				case err == nil:
					done++
				case !errors.Is(err, revision.ErrConflict):
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.EqualValues(t, racers*each, read(t, s, "n").Version)
	},
	"services that write at once make contiguous revisions, and none is lost": func(t *testing.T, s revision.Store) {
		const each = 3
		c := ctx(t)
		services := make([]*revision.Service, racers)
		for i := range services {
			services[i] = service(t, s)
		}
		for _, err := range race(func(racer int) error {
			for n := 0; n < each; {
				switch _, err := services[racer].Apply(c, edits(edit(fmt.Sprintf("%d-%d", racer, n), "x"))); {
				case err == nil:
					n++
				case !errors.Is(err, revision.ErrContended):
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		fresh := service(t, s)
		require.NoError(t, fresh.Follow(c))
		require.EqualValues(t, racers*each, fresh.State().Rows.Revision())
		require.Equal(t, racers*each, fresh.State().Rows.Len())
		all, err := fresh.Revisions(c, 0, 1000)
		require.NoError(t, err)
		require.Len(t, all, racers*each)
		for i, r := range all {
			require.EqualValues(t, racers*each-i, r.Number)
		}
		for _, other := range services {
			require.NoError(t, other.Follow(c))
			requireSame(t, fresh, other)
		}
	},
}
