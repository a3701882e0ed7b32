package storetest

import (
	"context"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/users/record"
)

var creates = suite{
	"a record is read back as it was created": func(t *testing.T, s record.Store) {
		requireNoRecord(t, s, "00012345")
		require.NoError(t, s.Create(ctx(t), john("00012345"), nil, now))
		requireRecord(t, s, john("00012345"))
		requireNoRecord(t, s, "12345000")
	},
	"a record without an owner and of version 0 is kept as such": func(t *testing.T, s record.Store) {
		r := john("00012345")
		r.Owner, r.Version = "", 0
		require.NoError(t, s.Create(ctx(t), r, nil, now))
		requireRecord(t, s, r)
	},
	"a taken user ID is refused and nothing changes": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		other := john("31327518")
		other.FirstName, other.Owner = "Jane", "another"
		requireOnly(t, s.Create(ctx(t), other, nil, now), record.ErrExists)
		requireRecord(t, s, john("31327518"))
	},
	"the same record again is a taken user ID, not a retry": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		requireOnly(t, s.Create(ctx(t), john("31327518"), nil, now), record.ErrExists)
	},
	"the user ID of a record that its owner has updated is taken": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		require.NoError(t, s.Update(ctx(t), jane("31327518", 2), john("31327518")))
		requireOnly(t, s.Create(ctx(t), john("31327518"), nil, now), record.ErrExists)
		requireRecord(t, s, jane("31327518", 2))
	},
	"a taken user ID leaves no key": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		key := keyFor("k", "31327518")
		requireOnly(t, s.Create(ctx(t), john("31327518"), key, now), record.ErrExists)
		requireNoKey(t, s, key.Name, now)
	},
	"whenever the context ends there is a record with its key, or neither": func(t *testing.T, s record.Store) {
		endAnywhere(t, func(c context.Context, n int) error {
			id := userID(n)
			key := keyFor(id, id)
			err := s.Create(c, john(id), key, now)
			// It may be applied while we look: what is there before and after the key was there with it.
			for {
				before := isThere(s.Read(ctx(t), id))
				keyed := isThere(s.Key(ctx(t), key.Name, now))
				if isThere(s.Read(ctx(t), id)) == before {
					require.Equal(t, before, keyed)
					require.True(t, before || err != nil, "it was acknowledged")
					return err
				}
			}
		})
	},
	"the store is ready": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Ready(ctx(t)))
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		require.NoError(t, s.Ready(ctx(t)))
		requireRecord(t, s, john("31327518"))
	},
}

var keys = suite{
	"a key is there with its record": func(t *testing.T, s record.Store) {
		key := keyFor("k", "31327518")
		requireNoKey(t, s, key.Name, now)
		require.NoError(t, s.Create(ctx(t), john("31327518"), key, now))
		requireRecord(t, s, john("31327518"))
		requireKey(t, s, *key, now)
		requireNoKey(t, s, keyFor("l", "").Name, now)
	},
	"a taken key is refused and leaves no record": func(t *testing.T, s record.Store) {
		first := keyFor("k", "31327518")
		require.NoError(t, s.Create(ctx(t), john("31327518"), first, now))
		requireOnly(t, s.Create(ctx(t), john("31327519"), keyFor("k", "31327519"), now), record.ErrKeyTaken)
		requireNoRecord(t, s, "31327519")
		requireKey(t, s, *first, now)
	},
	"a taken key goes before a taken user ID": func(t *testing.T, s record.Store) {
		key := keyFor("k", "31327518")
		require.NoError(t, s.Create(ctx(t), john("31327518"), key, now))
		requireOnly(t, s.Create(ctx(t), john("31327518"), key, now), record.ErrKeyTaken)
	},
	"a key is valid until it expires, and then not any more": func(t *testing.T, s record.Store) {
		key := keyFor("k", "31327518")
		require.NoError(t, s.Create(ctx(t), john("31327518"), key, now))
		requireKey(t, s, *key, key.Expires.Add(-time.Nanosecond))
		requireNoKey(t, s, key.Name, key.Expires)
		requireNoKey(t, s, key.Name, key.Expires.Add(time.Hour))
	},
	"an expired key is replaced": func(t *testing.T, s record.Store) {
		first := keyFor("k", "31327518")
		require.NoError(t, s.Create(ctx(t), john("31327518"), first, now))
		second := keyFor("k", "31327519")
		second.Expires = first.Expires.Add(24 * time.Hour)
		requireOnly(t, s.Create(ctx(t), john("31327519"), second, first.Expires.Add(-time.Nanosecond)), record.ErrKeyTaken)
		require.NoError(t, s.Create(ctx(t), john("31327519"), second, first.Expires))
		requireKey(t, s, *second, first.Expires)
		requireRecord(t, s, john("31327518"))
		requireRecord(t, s, john("31327519"))
	},
	"an expired key is not replaced by a create that fails": func(t *testing.T, s record.Store) {
		first := keyFor("k", "31327518")
		require.NoError(t, s.Create(ctx(t), john("31327518"), first, now))
		second := keyFor("k", "31327518")
		second.Expires = first.Expires.Add(24 * time.Hour)
		requireOnly(t, s.Create(ctx(t), john("31327518"), second, first.Expires), record.ErrExists)
		requireNoKey(t, s, first.Name, first.Expires)
	},
	"keys that have not expired survive those that have": func(t *testing.T, s record.Store) {
		short, long := keyFor("s", "10000000"), keyFor("l", "10000001")
		short.Expires = now.Add(time.Hour).Truncate(time.Second)
		require.NoError(t, s.Create(ctx(t), john("10000000"), short, now))
		require.NoError(t, s.Create(ctx(t), john("10000001"), long, now))
		later := now.Add(2 * time.Hour)
		third := keyFor("t", "10000002")
		require.NoError(t, s.Create(ctx(t), john("10000002"), third, later))
		requireNoKey(t, s, short.Name, later)
		requireKey(t, s, *long, later)
		requireKey(t, s, *third, later)
		requireOnly(t, s.Create(ctx(t), john("10000003"), keyFor("l", "10000003"), later), record.ErrKeyTaken)
	},
}
