package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// operation is one update of one caller. Every value that it writes is like no other.
type operation struct {
	caller int
	values map[string]string // by path
	match  *Match
	fault  string // what befalls its first write: "", "before" or "after"

	// Outcome.
	got     Record
	err     error
	faulted bool
}

type operationKey struct{}

// change says the values as a client would.
func (o *operation) change() (Change, error) {
	document := map[string]any{}
	address := map[string]any{}
	for path, value := range o.values {
		if name, ok := strings.CutPrefix(path, "address."); ok {
			address[name] = value
			document["address"] = address
		} else {
			document[path] = value
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		return Change{}, err
	}
	var c Change
	return c, json.Unmarshal(text, &c)
}

// flat is the attributes by their paths.
func flat(a Attributes) map[string]string {
	return map[string]string{
		"title": a.Title, "firstName": a.FirstName, "lastName": a.LastName, "mobileNumber": a.MobileNumber,
		"address.postcode": a.Address.Postcode, "address.suburb": a.Address.Suburb,
		"address.state": a.Address.State, "address.fullAddress": a.Address.FullAddress,
	}
}

func drawOperations(t *rapid.T, callers int) []*operation {
	var all []*operation
	paths := slices.Sorted(maps.Keys(flat(john)))
	for n := range rapid.IntRange(1, 16).Draw(t, "operations") {
		o := &operation{caller: rapid.IntRange(0, callers-1).Draw(t, "caller"), values: map[string]string{}}
		for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(paths), 0, 3, rapid.ID).Draw(t, "paths") {
			o.values[path] = fmt.Sprintf("%s %d", path[:3], n)
		}
		switch rapid.IntRange(0, 9).Draw(t, "match") {
		case 0, 1:
			o.match = &Match{Versions: rapid.SliceOfN(rapid.Int64Range(1, 6), 0, 3).Draw(t, "versions")}
		case 2:
			o.match = &Match{Any: true}
		}
		o.fault = rapid.SampledFrom([]string{"", "", "", "", "", "", "before", "after"}).Draw(t, "fault")
		all = append(all, o)
	}
	return all
}

// run lets all callers do their operations, each in order, and decides by schedule who comes next whenever one asks the store: no two
// run at once. It returns what was written, in order.
func run(store *fakeStore, s *Service, operations []*operation, callers int, schedule []int) (written []*operation) {
	ctx := context.Background()
	events := make(chan int)                // a caller is at the store's door, or done
	doors := make([]chan struct{}, callers) // where it waits
	done := make([]bool, callers)
	store.before = func(ctx context.Context, call string) error {
		o := ctx.Value(operationKey{}).(*operation)
		events <- o.caller
		<-doors[o.caller]
		if call == "update" && o.fault == "before" && !o.faulted {
			o.faulted = true
			return fmt.Errorf("connect: %w", ErrUnavailable)
		}
		return nil
	}
	store.after = func(ctx context.Context, call string) error {
		o := ctx.Value(operationKey{}).(*operation)
		if call != "update" {
			return nil
		}
		written = append(written, o)
		if o.fault == "after" && !o.faulted {
			o.faulted = true
			return fmt.Errorf("read answer: %w", ErrUnavailable)
		}
		return nil
	}
	var waiting []int
	for caller := range callers {
		doors[caller] = make(chan struct{})
		go func() {
			for _, o := range operations {
				if o.caller != caller {
					continue
				}
				var c Change
				if c, o.err = o.change(); o.err == nil {
					o.got, o.err = s.Update(context.WithValue(ctx, operationKey{}, o), ann, someID, c, o.match)
				}
			}
			done[caller] = true
			events <- caller
		}()
		if <-events; !done[caller] {
			waiting = append(waiting, caller)
		}
	}
	for step := 0; len(waiting) > 0; step++ {
		next := 0
		if step < len(schedule) {
			next = schedule[step] % len(waiting)
		}
		caller := waiting[next]
		doors[caller] <- struct{}{}
		if <-events; done[caller] {
			waiting = slices.Delete(waiting, next, next+1)
		}
	}
	return written
}

// TestUpdateLosesNothingInAnyInterleaving is the promise of Update, over all orders in which callers can meet at the store, with conditions
// and lost answers: the record is what one gets by the written changes one after another, and each acknowledged one is among them.
func TestUpdateLosesNothingInAnyInterleaving(t *testing.T) {
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		callers := rapid.IntRange(1, 5).Draw(t, "callers")
		operations := drawOperations(t, callers)
		schedule := rapid.SliceOfN(rapid.IntRange(0, callers-1), 20, 120).Draw(t, "schedule")
		store := newFakeStore(owned())
		s := newService(t, Config{Store: store})
		s.wait = func(context.Context, int) error { outcomes["overtaken"]++; return nil }

		written := run(store, s, operations, callers, schedule)

		// One after another, by a merge of its own.
		states := []map[string]string{flat(john)} // by version, from 1
		for _, o := range written {
			next := maps.Clone(states[len(states)-1])
			maps.Copy(next, o.values)
			states = append(states, next)
		}
		stored := store.stored()[someID]
		require.Equal(t, states[len(states)-1], flat(stored.Attributes))
		require.Equal(t, int64(len(states)), stored.Version)

		for i, o := range operations {
			times := 0
			version := int64(0)
			for w, by := range written {
				if by == o {
					times++
					version = int64(w) + 2 // the first write makes version 2
				}
			}
			var revision *RevisionError
			switch {
			case o.err == nil:
				outcomes["acknowledged"]++
				require.Equal(t, 1, times, "operation %d is acknowledged", i)
				require.Equal(t, version, o.got.Version)
				require.Equal(t, states[version-1], flat(o.got.Attributes), "the answer to operation %d", i)
				if o.match != nil && !o.match.Any {
					require.Contains(t, o.match.Versions, version-1)
				}
			case errors.As(o.err, &revision):
				outcomes["refused"]++
				require.Zero(t, times)
				require.False(t, o.match.Any)
				require.NotContains(t, o.match.Versions, revision.Current)
				require.LessOrEqual(t, revision.Current, stored.Version)
			case errors.Is(o.err, ErrUnavailable):
				outcomes["lost "+o.fault]++
				require.True(t, o.faulted)
				require.Equal(t, o.fault == "after", times == 1)
			default:
				require.ErrorIs(t, o.err, ErrContended)
				outcomes["contended"]++
				require.Zero(t, times)
			}
		}
	})
	for _, outcome := range []string{"acknowledged", "overtaken", "refused", "lost before", "lost after"} {
		require.Positive(t, outcomes[outcome], "no update was %s", outcome)
	}
	t.Log(outcomes)
}
