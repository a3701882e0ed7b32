package record

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUpdateMergesDeeply(t *testing.T) {
	paths := make([]string, 0, len(Limits))
	for _, l := range Limits {
		paths = append(paths, l.Field)
	}
	tests := map[string]struct {
		change string
		want   map[string]string
	}{
		"nothing":                       {change: `{}`},
		"an address without any value":  {change: `{"address":{}}`},
		"a value that is there already": {change: `{"title":"Mr"}`},
		"everything": {
			change: `{"title":"1","firstName":"2","lastName":"3","mobileNumber":"4","address":{"postcode":"5","suburb":"6","state":"7","fullAddress":"8"}}`,
			want: map[string]string{
				"title": "1", "firstName": "2", "lastName": "3", "mobileNumber": "4",
				"address.postcode": "5", "address.suburb": "6", "address.state": "7", "address.fullAddress": "8",
			},
		},
		"empty where it may be empty": {
			change: `{"mobileNumber":"","address":{"postcode":"","suburb":"","state":"","fullAddress":""}}`,
			want: map[string]string{
				"mobileNumber": "", "address.postcode": "", "address.suburb": "", "address.state": "", "address.fullAddress": "",
			},
		},
	}
	for _, path := range paths {
		tests["only "+path] = struct {
			change string
			want   map[string]string
		}{change: string(jsonAt(t, path, "x")), want: map[string]string{path: "x"}}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := newFakeStore(owned())
			s := newService(t, Config{Store: store})
			var c Change
			require.NoError(t, json.Unmarshal([]byte(tt.change), &c))
			want := owned()
			for path, value := range tt.want {
				require.NoError(t, json.Unmarshal(jsonAt(t, path, value), &want.Attributes))
			}
			want.Version = 2
			got, err := s.Update(t.Context(), ann, someID, c, nil)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, map[string]Record{someID: want}, store.stored())
		})
	}
}

func TestUpdateNeverCreates(t *testing.T) {
	store := newFakeStore()
	s := newService(t, Config{Store: store})
	_, err := s.Update(t.Context(), ops, someID, Change{}, nil)
	require.ErrorIs(t, err, ErrNotFound)
	require.Empty(t, store.stored())

	t.Run("a record that goes while it is updated", func(t *testing.T) {
		store := newFakeStore(owned())
		store.before = func(_ context.Context, call string) error {
			if call == "update" {
				delete(store.records, someID)
			}
			return nil
		}
		_, err := newService(t, Config{Store: store}).Update(t.Context(), ann, someID, Change{}, nil)
		require.ErrorIs(t, err, ErrNotFound)
		require.Empty(t, store.stored())
	})
}

func TestUpdateRefusesBeforeTheStoreIsAsked(t *testing.T) {
	long := strings.Repeat("a", 51)
	store := newFakeStore(owned())
	_, err := newService(t, Config{Store: store}).Update(t.Context(), ann, "1234567x", Change{Address: &AddressChange{State: &long}}, nil)
	require.Equal(t, map[string]string{"userId": badUserID, "address.state": "address.state must have at most 50 characters"}, invalid(err))
	var first *InvalidError
	require.ErrorAs(t, err, &first)
	require.Equal(t, "userId", first.Field)
	require.Empty(t, store.calls)
}

func TestUpdateMatch(t *testing.T) {
	tests := map[string]struct {
		match *Match
		// others is how many updates come between the first read and the first write.
		others int64
		want   int64 // version of the result
		is     int64 // version in the RevisionError
	}{
		"no condition":                                   {want: 4},
		"no condition, others first":                     {others: 2, want: 6},
		"any version":                                    {match: &Match{Any: true}, want: 4},
		"any version, others first":                      {match: &Match{Any: true}, others: 2, want: 6},
		"the present version":                            {match: &Match{Versions: []int64{3}}, want: 4},
		"the present version among several":              {match: &Match{Versions: []int64{9, 3, 1}}, want: 4},
		"the present version, another first":             {match: &Match{Versions: []int64{3}}, others: 1, is: 4},
		"the present version, others first":              {match: &Match{Versions: []int64{3}}, others: 5, is: 8},
		"the next version as well, another first":        {match: &Match{Versions: []int64{3, 4}}, others: 1, want: 5},
		"an earlier version":                             {match: &Match{Versions: []int64{2}}, is: 3},
		"a later version":                                {match: &Match{Versions: []int64{4}}, is: 3},
		"a later version that is there only after races": {match: &Match{Versions: []int64{4}}, others: 1, is: 3},
		"none that a record could have":                  {match: &Match{}, is: 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := owned()
			r.Version = 3
			store := newFakeStore(r)
			var once sync.Once
			store.before = func(_ context.Context, call string) error {
				if call == "update" {
					once.Do(func() {
						r := store.records[someID]
						r.Version += tt.others
						r.LastName = "of another"
						if tt.others > 0 {
							store.records[someID] = r
						}
					})
				}
				return nil
			}
			title := "Dr"
			got, err := newService(t, Config{Store: store}).Update(t.Context(), ann, someID, Change{Title: &title}, tt.match)
			stored := store.stored()[someID]
			if tt.is != 0 {
				var revision *RevisionError
				require.ErrorAs(t, err, &revision)
				require.Equal(t, tt.is, revision.Current)
				require.EqualError(t, err, fmt.Sprintf("the record has version %d", tt.is))
				require.Equal(t, "Mr", stored.Title)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Version)
			require.Equal(t, "Dr", got.Title)
			require.Equal(t, got, stored)
			if tt.others > 0 {
				require.Equal(t, "of another", got.LastName, "what another wrote stays")
			}
		})
	}
}

func TestUpdateOfALegacyRecord(t *testing.T) {
	r := owned()
	r.Owner, r.Version = "", 0
	store := newFakeStore(r)
	got, err := newService(t, Config{Store: store}).Update(t.Context(), ops, someID, Change{}, &Match{Versions: []int64{0}})
	require.NoError(t, err)
	require.Equal(t, int64(1), got.Version)
	require.Empty(t, store.stored()[someID].Owner)
}

func TestUpdateGivesUp(t *testing.T) {
	lost := func(*fakeStore) func(context.Context, string) error { return failing("update", 1, ErrVersion) }
	t.Run("after twelve lost races", func(t *testing.T) {
		for name, match := range map[string]*Match{"no condition": nil, "any version": {Any: true}} {
			store := newFakeStore(owned())
			tries := 0
			store.before = func(_ context.Context, call string) error {
				if call == "update" {
					tries++
					return ErrVersion
				}
				return nil
			}
			var waits []int
			s := newService(t, Config{Store: store})
			s.wait = func(_ context.Context, try int) error { waits = append(waits, try); return nil }
			_, err := s.Update(t.Context(), ann, someID, Change{}, match)
			require.ErrorIs(t, err, ErrContended, name)
			require.Equal(t, 12, tries, name)
			require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, waits, name)
			require.Equal(t, owned(), store.stored()[someID], name)
		}
	})
	t.Run("when the request ends while it waits", func(t *testing.T) {
		store := newFakeStore(owned())
		store.before = lost(store)
		ctx, cancel := context.WithCancel(t.Context())
		s := newService(t, Config{Store: store})
		s.wait = func(ctx context.Context, try int) error {
			cancel()
			return backOff(ctx, try)
		}
		_, err := s.Update(ctx, ann, someID, Change{}, nil)
		require.ErrorIs(t, err, ErrContended)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("when the store fails", func(t *testing.T) {
		for _, call := range []string{"read", "update"} {
			for _, want := range []error{ErrUnavailable, errBroken} {
				store := newFakeStore(owned())
				store.before = failing(call, 1, want)
				_, err := newService(t, Config{Store: store}).Update(t.Context(), ann, someID, Change{}, nil)
				require.EqualError(t, err, call+" record: "+want.Error())
				require.ErrorIs(t, err, want)
			}
		}
	})
	t.Run("when the store fails after a lost race", func(t *testing.T) {
		store := newFakeStore(owned())
		read := failing("read", 2, ErrUnavailable)
		update := lost(store)
		store.before = func(ctx context.Context, call string) error {
			if err := read(ctx, call); err != nil {
				return err
			}
			return update(ctx, call)
		}
		_, err := newService(t, Config{Store: store}).Update(t.Context(), ann, someID, Change{}, &Match{Versions: []int64{1}})
		require.ErrorIs(t, err, ErrUnavailable)
	})
}

func TestBackOffIsRandomAndBounded(t *testing.T) {
	require.Equal(t, 2*time.Millisecond, waitLimit(1))
	require.Equal(t, 4*time.Millisecond, waitLimit(2))
	require.Equal(t, 64*time.Millisecond, waitLimit(6))
	require.Equal(t, 100*time.Millisecond, waitLimit(7))
	require.Equal(t, 100*time.Millisecond, waitLimit(1000))
	synctest.Test(t, func(t *testing.T) { // its clock jumps
		whole := time.Duration(0)
		for try := 1; try < updateTries; try++ {
			seen := map[time.Duration]bool{}
			for range 20 {
				start := time.Now()
				require.NoError(t, backOff(t.Context(), try))
				took := time.Since(start)
				require.Less(t, took, waitLimit(try))
				seen[took] = true
			}
			require.Greater(t, len(seen), 10)
			whole += waitLimit(try)
		}
		require.Less(t, whole, time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		<-ctx.Done()
		require.ErrorIs(t, backOff(ctx, updateTries), context.DeadlineExceeded)
	})
}

// TestUpdateConcurrently has real goroutines and the real waiting: each caller adds to a value of its own, which it must find as it left it.
func TestUpdateConcurrently(t *testing.T) {
	const rounds = 30
	store := newFakeStore(owned())
	s := newService(t, Config{Store: store, Access: AccessAnySignedIn})
	s.wait = backOff
	var wg sync.WaitGroup
	for i := range Limits {
		changes := make([]Change, rounds)
		for n := range changes {
			changes[n] = changeAt(t, Limits[i].Field, fmt.Sprint(n))
		}
		wg.Go(func() {
			for n, c := range changes {
				value := fmt.Sprint(n)
				got, err := s.Update(t.Context(), bob, someID, c, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if *got.values()[i] != value {
					t.Errorf("%s is lost from the answer", Limits[i].Field)
				}
				if now := store.stored()[someID]; *now.values()[i] != value {
					t.Errorf("%s is lost from the store", Limits[i].Field)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(1+rounds*len(Limits)), store.stored()[someID].Version)
}

// TestUpdateWithIfMatchHasOneWinner lets callers update the same version at once.
func TestUpdateWithIfMatchHasOneWinner(t *testing.T) {
	const callers, rounds = 8, 20
	store := newFakeStore(owned())
	s := newService(t, Config{Store: store, Access: AccessAnySignedIn})
	for round := range int64(rounds) {
		store.before = meeting("update", callers)
		errs := make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				title := fmt.Sprint(round, i)
				_, errs[i] = s.Update(t.Context(), bob, someID, Change{Title: &title}, &Match{Versions: []int64{round + 1}})
			})
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err == nil {
				require.Equal(t, -1, winner, "one wins")
				winner = i
				continue
			}
			var revision *RevisionError
			require.ErrorAs(t, err, &revision)
			require.Equal(t, round+2, revision.Current)
		}
		require.NotEqual(t, -1, winner)
		require.Equal(t, fmt.Sprint(round, winner), store.stored()[someID].Title)
	}
}
