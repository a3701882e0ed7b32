package record

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var noon = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

func TestCreate(t *testing.T) {
	store := newFakeStore()
	s := newService(t, Config{Store: store, NewID: inTurn("00000001")})
	r, err := s.Create(t.Context(), ann, john, "")
	require.NoError(t, err)
	require.Equal(t, Record{UserID: "00000001", Attributes: john, Owner: "ann", Version: 1}, r)
	require.Equal(t, map[string]Record{"00000001": r}, store.stored())
	require.Empty(t, store.keys)
	require.Equal(t, "Mr John has been added with userid: 00000001", r.Added())
}

func TestCreateByDefault(t *testing.T) {
	store := newFakeStore()
	s, err := New(Config{Store: store})
	require.NoError(t, err)
	before := time.Now()
	r, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)
	require.NoError(t, validateUserID(r.UserID))
	require.WithinRange(t, store.keys[KeyName("ann", "k")].Expires, before.Add(KeyLifetime), time.Now().Add(KeyLifetime+time.Second))
	_, err = s.Read(t.Context(), bob, r.UserID)
	require.ErrorIs(t, err, ErrNotFound, "access is the owner's")
}

func TestNewRefuses(t *testing.T) {
	_, err := New(Config{})
	require.EqualError(t, err, "a record service needs a store")
	_, err = New(Config{Store: newFakeStore(), Access: "all"})
	require.EqualError(t, err, `access "all" is neither owner nor any_signed_in`)
}

func TestCreateRefusesBeforeTheStoreIsAsked(t *testing.T) {
	tests := map[string]struct {
		a      Attributes
		caller Caller
		key    string
		want   string
		field  string
	}{
		"attributes out of bounds": {caller: ann, want: "title must have 1 to 32 characters", field: "title"},
		"a key with a space":       {a: john, caller: ann, key: "a b", want: "Idempotency-Key must have 1 to 255", field: "Idempotency-Key"},
		"both, attributes first":   {caller: ann, key: "a b", want: "Idempotency-Key must have 1 to 255", field: "title"},
		"a caller that is nobody":  {a: john, want: "the caller has no subject"},
		"an operator without name": {a: john, caller: Caller{Operator: true}, want: "the caller has no subject"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := newFakeStore()
			_, err := newService(t, Config{Store: store}).Create(t.Context(), tt.caller, tt.a, tt.key)
			require.ErrorContains(t, err, tt.want)
			require.Empty(t, store.calls)
			if tt.field != "" {
				var first *InvalidError
				require.ErrorAs(t, err, &first)
				require.Equal(t, tt.field, first.Field)
			}
		})
	}
}

func TestCreateCollisionTakesAnotherID(t *testing.T) {
	for name, key := range map[string]string{"without a key": "", "with one": "k"} {
		t.Run(name, func(t *testing.T) {
			store := newFakeStore(owned(), Record{UserID: "00000043", Owner: "bob", Version: 7})
			before := store.stored()
			s := newService(t, Config{Store: store, NewID: inTurn(someID, "00000043", someID, "00000044")})
			r, err := s.Create(t.Context(), bob, john, key)
			require.NoError(t, err)
			require.Equal(t, "00000044", r.UserID)
			after := store.stored()
			require.Equal(t, r, after["00000044"])
			delete(after, "00000044")
			require.Equal(t, before, after)
			if key != "" {
				require.Equal(t, "00000044", store.keys[KeyName("bob", key)].UserID)
			}
		})
	}
}

func TestCreateEndsWhereNoIDIsFree(t *testing.T) {
	store := newFakeStore(owned())
	before := store.stored()
	_, err := newService(t, Config{Store: store, NewID: inTurn(someID)}).Create(t.Context(), bob, john, "k")
	require.ErrorIs(t, err, ErrUnavailable)
	require.EqualError(t, err, "create record: the store is unavailable: no free user ID in 16 tries")
	require.Len(t, store.calls, createTries)
	require.Equal(t, before, store.stored())
	require.Empty(t, store.keys)
}

func TestCreateHandsOnFailuresOfTheStore(t *testing.T) {
	for name, want := range map[string]error{"that may pass": ErrUnavailable, "that do not": errBroken, "that make no sense": ErrKeyTaken} {
		t.Run(name, func(t *testing.T) {
			store := newFakeStore()
			store.before = failing("create", 1, fmt.Errorf("put item: %w", want))
			_, err := newService(t, Config{Store: store}).Create(t.Context(), ann, john, "")
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, "create record: put item: ")
			require.Empty(t, store.stored())
		})
	}
	t.Run("of its keys", func(t *testing.T) {
		store := newFakeStore()
		s := newService(t, Config{Store: store})
		_, err := s.Create(t.Context(), ann, john, "k")
		require.NoError(t, err)
		store.before = failing("key", 1, errBroken)
		_, err = s.Create(t.Context(), ann, john, "k")
		require.EqualError(t, err, "read idempotency key: the disk is broken")
		require.Len(t, store.stored(), 1)
	})
	t.Run("with the end of the request", func(t *testing.T) {
		store := newFakeStore()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newService(t, Config{Store: store}).Create(ctx, ann, john, "")
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestCreateReplays(t *testing.T) {
	other := john
	other.Address.State = "VIC"
	now := noon
	store := newFakeStore()
	s := newService(t, Config{Store: store, Now: func() time.Time { return now }})
	first, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)

	steps := []struct {
		name   string
		after  time.Duration
		caller Caller
		a      Attributes
		key    string
		want   error
		replay bool
	}{
		{name: "the same again", caller: ann, a: john, key: "k", replay: true},
		{name: "another body", caller: ann, a: other, key: "k", want: ErrIdempotencyConflict},
		{name: "another key", caller: ann, a: john, key: "k2"},
		{name: "another subject's key of that name", caller: bob, a: john, key: "k"},
		{name: "another body under another subject's key", caller: ops, a: other, key: "k"},
		{name: "no key", caller: ann, a: john},
		{name: "the same just before a day is over", after: 24*time.Hour - 1, caller: ann, a: john, key: "k", replay: true},
		{name: "another body just before a day is over", after: 24*time.Hour - 1, caller: ann, a: other, key: "k", want: ErrIdempotencyConflict},
		{name: "another body after a day", after: 24 * time.Hour, caller: ann, a: other, key: "k"},
	}
	records := 1
	for _, step := range steps {
		now = noon.Add(step.after)
		r, err := s.Create(t.Context(), step.caller, step.a, step.key)
		require.ErrorIs(t, err, step.want, step.name)
		switch {
		case step.replay:
			require.Equal(t, first, r, step.name)
		case step.want == nil:
			records++
			require.NotEqual(t, first.UserID, r.UserID, step.name)
		}
		require.Len(t, store.stored(), records, step.name)
	}
}

func TestCreateReplaysTheFirstAnswerAfterAnUpdate(t *testing.T) {
	s := newService(t, Config{Store: newFakeStore()})
	first, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)
	jane := "Jane"
	updated, err := s.Update(t.Context(), ann, first.UserID, Change{FirstName: &jane}, nil)
	require.NoError(t, err)
	require.Equal(t, int64(2), updated.Version)

	again, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)
	require.Equal(t, first, again)
	now, err := s.Read(t.Context(), ann, first.UserID)
	require.NoError(t, err)
	require.Equal(t, updated, now)
}

func TestCreateRepeatedAfterALostAnswerMakesNoSecondRecord(t *testing.T) {
	store := newFakeStore()
	store.after = failing("create", 1, ErrUnavailable)
	s := newService(t, Config{Store: store})
	_, err := s.Create(t.Context(), ann, john, "k")
	require.ErrorIs(t, err, ErrUnavailable)
	require.Len(t, store.stored(), 1)

	store.after = nil
	r, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)
	require.Equal(t, map[string]Record{r.UserID: r}, store.stored())
}

func TestCreateWhoseKeyIsPurgedWhileItLooks(t *testing.T) {
	store := newFakeStore()
	s := newService(t, Config{Store: store})
	first, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)
	store.before = func(_ context.Context, call string) error {
		if call == "key" {
			delete(store.keys, KeyName("ann", "k"))
		}
		return nil
	}
	second, err := s.Create(t.Context(), ann, john, "k")
	require.NoError(t, err)
	require.NotEqual(t, first.UserID, second.UserID)
	require.Equal(t, second.UserID, store.keys[KeyName("ann", "k")].UserID)
}

func TestCreateConcurrentlyWithOneKey(t *testing.T) {
	const callers = 64
	store := newFakeStore()
	store.before = meeting("create", callers)
	s := newService(t, Config{Store: store})
	got := make([]Record, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			got[i], errs[i] = s.Create(t.Context(), ann, john, "k")
		})
	}
	wg.Wait()
	for i := range callers {
		require.NoError(t, errs[i])
		require.Equal(t, got[0], got[i])
	}
	require.Equal(t, map[string]Record{got[0].UserID: got[0]}, store.stored())
	require.Len(t, store.keys, 1)
}

func TestCreateConcurrentlyInFewIDs(t *testing.T) {
	const callers, each = 8, 25
	store := newFakeStore()
	s := newService(t, Config{Store: store, NewID: func() string { return fmt.Sprintf("%08d", random(callers*each)) }})
	got := make([][]Record, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := 0; n < each; {
				a := john
				a.LastName = fmt.Sprintf("Doe %d/%d", i, n)
				if r, err := s.Create(t.Context(), ann, a, ""); err == nil {
					got[i] = append(got[i], r)
					n++
				}
			}
		})
	}
	wg.Wait()
	want := map[string]Record{}
	for _, records := range got {
		for _, r := range records {
			want[r.UserID] = r
		}
	}
	require.Len(t, want, callers*each, "an ID was given twice")
	require.Equal(t, want, store.stored())
}

// TestCreateFollowsTheModel compares with what a reader of the rules would expect: IDs that collide, keys that meet, a clock that moves,
// answers that get lost.
func TestCreateFollowsTheModel(t *testing.T) {
	type used struct {
		title, userID string
		at            time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		now, id := noon, 0
		store := newFakeStore()
		ids := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 60).Draw(t, "ids")
		s := newService(t, Config{
			Store: store, Now: func() time.Time { return now },
			NewID: func() string { id++; return fmt.Sprintf("%08d", ids[id%len(ids)]) },
		})
		keys, records := map[string]used{}, map[string]Record{}
		for range rapid.IntRange(1, 20).Draw(t, "creates") {
			now = now.Add(time.Duration(rapid.IntRange(0, 16).Draw(t, "hours")) * time.Hour)
			caller := rapid.SampledFrom([]Caller{ann, bob}).Draw(t, "caller")
			key := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "key")
			a := john
			a.Title = rapid.SampledFrom([]string{"Mr", "Ms"}).Draw(t, "title")
			lost := rapid.IntRange(0, 9).Draw(t, "lost") == 0
			store.after = nil
			if lost {
				store.after = failing("create", 1, ErrUnavailable)
			}

			r, err := s.Create(context.Background(), caller, a, key)

			name := caller.Subject + " " + key
			earlier, known := keys[name]
			known = known && key != "" && now.Sub(earlier.at) < 24*time.Hour
			switch {
			case known && earlier.title != a.Title:
				require.ErrorIs(t, err, ErrIdempotencyConflict)
			case known:
				require.NoError(t, err)
				require.Equal(t, earlier.userID, r.UserID)
				require.Equal(t, int64(1), r.Version)
				require.True(t, strings.HasPrefix(r.Added(), a.Title+" John "))
			case err != nil: // lost on the way, or no ID was free
				require.ErrorIs(t, err, ErrUnavailable)
				for userID, stored := range store.stored() {
					if _, ok := records[userID]; !ok {
						require.True(t, lost)
						records[userID] = stored
						keys[name] = used{title: a.Title, userID: userID, at: now}
					}
				}
			default:
				require.False(t, lost)
				require.NotContains(t, records, r.UserID, "an ID was given twice")
				records[r.UserID] = Record{UserID: r.UserID, Attributes: a, Owner: caller.Subject, Version: 1}
				keys[name] = used{title: a.Title, userID: r.UserID, at: now}
			}
			require.Equal(t, records, store.stored())
		}
	})
}
