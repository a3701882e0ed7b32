// Package storetest is the conformance suite of [record.Store]: every sentence of its contract, as far as one process can see it. A
// store's own tests call [Run], and add what is the technology's: a process that dies, a disk that is full, a network that loses
// answers.
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

	"adsidecar/users/record"
)

// Open opens a new, empty store and closes it with the test.
type Open func(t *testing.T) record.Store

// suite is a group of tests with a store each.
type suite map[string]func(t *testing.T, s record.Store)

// Run runs the suite. Each test has a store of its own.
func Run(t *testing.T, open Open) {
	t.Helper()
	for group, tests := range map[string]suite{
		"create": creates, "keys": keys, "update": updates, "values": values, "at the same time": races,
	} {
		t.Run(group, func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, open(t)) })
			}
		})
	}
}

// now is the time of the tests; stores have no clock of their own for keys.
var now = time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.UTC)

// racers is how many goroutines compete.
const racers = 16

// john is a record with every value set.
func john(userID string) record.Record {
	return record.Record{
		UserID: userID,
		Attributes: record.Attributes{
			Title: "Mr", FirstName: "John", LastName: "Doe", MobileNumber: "0412 345 678",
			Address: record.Address{Postcode: "2000", Suburb: "Sydney", State: "NSW", FullAddress: "1 George St, Sydney NSW 2000"},
		},
		Owner:   "sub-of-" + userID,
		Version: 1,
	}
}

// keyFor is an idempotency key of a create, valid for a day from now.
func keyFor(name, userID string) *record.Key {
	return &record.Key{
		Name:    strings.Repeat(name, 8), // a hash is longer than a name
		Request: "hash of " + userID, UserID: userID, Expires: now.Add(24 * time.Hour).Truncate(time.Second),
	}
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return c
}

func requireRecord(t *testing.T, s record.Store, want record.Record) {
	t.Helper()
	got, err := s.Read(ctx(t), want.UserID)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func requireNoRecord(t *testing.T, s record.Store, userID string) {
	t.Helper()
	got, err := s.Read(ctx(t), userID)
	require.ErrorIs(t, err, record.ErrNotFound)
	require.Zero(t, got)
}

func requireKey(t *testing.T, s record.Store, want record.Key, at time.Time) {
	t.Helper()
	got, err := s.Key(ctx(t), want.Name, at)
	require.NoError(t, err)
	require.True(t, want.Expires.Equal(got.Expires), "%s, not %s", got.Expires, want.Expires)
	got.Expires = want.Expires
	require.Equal(t, want, got)
}

func requireNoKey(t *testing.T, s record.Store, name string, at time.Time) {
	t.Helper()
	got, err := s.Key(ctx(t), name, at)
	require.ErrorIs(t, err, record.ErrNotFound)
	require.Zero(t, got)
}

// requireOnly is for an error that must be this one of the contract's errors and no other.
func requireOnly(t *testing.T, err, want error) {
	t.Helper()
	for _, e := range []error{record.ErrNotFound, record.ErrExists, record.ErrKeyTaken, record.ErrVersion, record.ErrUnavailable} {
		require.Equal(t, errors.Is(e, want), errors.Is(err, e), "%v", err)
	}
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

// requireOneWinner finds the only nil; every other must be want.
func requireOneWinner(t *testing.T, results []error, want error) int {
	t.Helper()
	winner := -1
	for i, err := range results {
		if err == nil {
			require.Equal(t, -1, winner, "both %d and %d won", winner, i)
			winner = i
			continue
		}
		requireOnly(t, err, want)
	}
	require.NotEqual(t, -1, winner, "nobody won")
	return winner
}

func userID(n int) string { return fmt.Sprintf("%08d", n) }
