package record

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccess(t *testing.T) {
	nobody := Caller{}
	tests := map[string]struct {
		access Access
		caller Caller
		owner  string
		seen   bool
	}{
		"owner: one's own":                         {AccessOwner, ann, "ann", true},
		"owner: somebody else's":                   {AccessOwner, bob, "ann", false},
		"owner: by a name in other letters":        {AccessOwner, Caller{Subject: "Ann"}, "ann", false},
		"owner: by an operator":                    {AccessOwner, ops, "ann", true},
		"owner: an operator's own":                 {AccessOwner, ops, "kim", true},
		"owner: an operator's, by a user":          {AccessOwner, ann, "kim", false},
		"owner: nobody's, by a user":               {AccessOwner, ann, "", false},
		"owner: nobody's, by an operator":          {AccessOwner, ops, "", true},
		"owner: nobody's, by nobody":               {AccessOwner, nobody, "", false},
		"owner: a user's, by nobody":               {AccessOwner, nobody, "ann", false},
		"any signed in: one's own":                 {AccessAnySignedIn, ann, "ann", true},
		"any signed in: somebody else's":           {AccessAnySignedIn, bob, "ann", true},
		"any signed in: by an operator":            {AccessAnySignedIn, ops, "ann", true},
		"any signed in: nobody's, by a user":       {AccessAnySignedIn, ann, "", true},
		"any signed in: nobody's, by an operator":  {AccessAnySignedIn, ops, "", true},
		"any signed in: a user's, by nobody":       {AccessAnySignedIn, nobody, "ann", false},
		"any signed in: nobody's, by nobody":       {AccessAnySignedIn, nobody, "", false},
		"the default: one's own":                   {"", ann, "ann", true},
		"the default: somebody else's, by a user":  {"", bob, "ann", false},
		"the default: nobody's, seen by operators": {"", ops, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			legacy := tt.owner == ""
			r := owned()
			r.Owner = tt.owner
			if legacy {
				r.Version, r.Title = 0, "" // the original set no limits
			}
			store := newFakeStore(r)
			s := newService(t, Config{Store: store, Access: tt.access})
			vic := "VIC"
			change := Change{Address: &AddressChange{State: &vic}}

			read, err := s.Read(t.Context(), tt.caller, someID)
			if !tt.seen {
				require.Equal(t, ErrNotFound, err)
				require.Zero(t, read)
				for _, match := range []*Match{nil, {Any: true}, {Versions: []int64{r.Version}}, {Versions: []int64{9}}} {
					_, err = s.Update(t.Context(), tt.caller, someID, change, match)
					require.Equal(t, ErrNotFound, err)
				}
				require.Equal(t, map[string]Record{someID: r}, store.stored())
				return
			}
			require.NoError(t, err)
			require.Equal(t, r, read)
			updated, err := s.Update(t.Context(), tt.caller, someID, change, nil)
			require.NoError(t, err)
			r.Address.State = "VIC"
			r.Version++
			require.Equal(t, r, updated, "whoever updates it does not become its owner")
			require.Equal(t, map[string]Record{someID: r}, store.stored())
		})
	}
}

// TestForeignAndMissingRecordsLookTheSame compares all that a caller could tell them by: the error, and what the store was asked.
func TestForeignAndMissingRecordsLookTheSame(t *testing.T) {
	ask := func(store *fakeStore) (errs []error, calls []string) {
		// A store may say more than that there is nothing: no caller gets to see it.
		s := newService(t, Config{Store: wordy{store}})
		_, read := s.Read(t.Context(), bob, someID)
		_, update := s.Update(t.Context(), bob, someID, Change{}, nil)
		_, matched := s.Update(t.Context(), bob, someID, Change{}, &Match{Versions: []int64{1}})
		return []error{read, update, matched}, store.calls
	}
	missing, missingCalls := ask(newFakeStore())
	foreign, foreignCalls := ask(newFakeStore(owned()))
	require.Equal(t, []error{ErrNotFound, ErrNotFound, ErrNotFound}, missing)
	require.Equal(t, missing, foreign)
	require.Equal(t, []string{"read", "read", "read"}, missingCalls)
	require.Equal(t, missingCalls, foreignCalls)
}

// damaged is a fake store whose records cannot be read but for their owner.
type damaged struct{ *fakeStore }

func (d damaged) Read(ctx context.Context, userID string) (Record, error) {
	r, err := d.fakeStore.Read(ctx, userID)
	if err != nil {
		return r, err
	}
	return Record{UserID: userID, Owner: r.Owner}, fmt.Errorf("get %s: %w", userID, ErrDamaged)
}

func TestADamagedRecordIsAFailureForThoseAloneWhoMaySeeIt(t *testing.T) {
	at := func(version int64) Store {
		r := owned()
		r.Version = version
		return newFakeStore(r)
	}
	for name, store := range map[string]Store{
		"that cannot be read": damaged{newFakeStore(owned())}, "of a negative version": at(-1), "of the lowest version": at(math.MinInt64),
		"of the last version": at(math.MaxInt64),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, Config{Store: store})
			for _, caller := range []Caller{ann, ops, bob, {}} {
				want := ErrDamaged
				if caller == bob || caller == (Caller{}) {
					want = ErrNotFound
				}
				r, err := s.Read(t.Context(), caller, someID)
				require.ErrorIs(t, err, want)
				require.Zero(t, r)
				for _, match := range []*Match{nil, {Any: true}, {Versions: []int64{math.MaxInt64, -1}}, {}} {
					_, err = s.Update(t.Context(), caller, someID, Change{}, match)
					require.ErrorIs(t, err, want)
				}
			}
		})
	}
}

// wordy is a fake store that wraps its errors.
type wordy struct{ *fakeStore }

func (w wordy) Read(ctx context.Context, userID string) (Record, error) {
	r, err := w.fakeStore.Read(ctx, userID)
	if err != nil {
		err = fmt.Errorf("get %s: %w", userID, err)
	}
	return r, err
}

func TestReadRefusesABadUserIDBeforeTheStoreIsAsked(t *testing.T) {
	store := newFakeStore()
	s := newService(t, Config{Store: store})
	_, err := s.Read(t.Context(), ann, "1234567")
	require.Equal(t, map[string]string{"userId": badUserID}, invalid(err))
	require.Empty(t, store.calls)
}

func TestReadHandsOnFailuresOfTheStore(t *testing.T) {
	store := newFakeStore(owned())
	store.before = failing("read", 1, ErrUnavailable)
	s := newService(t, Config{Store: store})
	_, err := s.Read(t.Context(), ann, someID)
	require.EqualError(t, err, "read record: the store is unavailable")
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = s.Read(t.Context(), bob, someID)
	require.ErrorIs(t, err, ErrUnavailable, "not found is said only of what was looked for")
}

func TestReady(t *testing.T) {
	store := newFakeStore()
	s := newService(t, Config{Store: store})
	require.NoError(t, s.Ready(t.Context()))
	store.before = failing("ready", 1, ErrUnavailable)
	require.ErrorIs(t, s.Ready(t.Context()), ErrUnavailable)
}
