package storetest

import (
	"errors"
	"fmt"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/users/record"
)

// by makes each racer's record tell who wrote it.
func by(r record.Record, racer int) record.Record {
	r.FirstName = fmt.Sprintf("racer %d", racer)
	return r
}

var races = suite{
	"one of many creates of a user ID wins, and only its key is there": func(t *testing.T, s record.Store) {
		c := ctx(t)
		key := func(racer int) *record.Key { return keyFor(fmt.Sprintf("key-%02d", racer), "31327518") }
		results := race(func(racer int) error { return s.Create(c, by(john("31327518"), racer), key(racer), now) })
		winner := requireOneWinner(t, results, record.ErrExists)
		requireRecord(t, s, by(john("31327518"), winner))
		for racer := range racers {
			if racer == winner {
				requireKey(t, s, *key(racer), now)
			} else {
				requireNoKey(t, s, key(racer).Name, now)
			}
		}
	},
	"one of many creates of a user ID without a key wins": func(t *testing.T, s record.Store) {
		c := ctx(t)
		results := race(func(racer int) error { return s.Create(c, by(john("31327518"), racer), nil, now) })
		winner := requireOneWinner(t, results, record.ErrExists)
		requireRecord(t, s, by(john("31327518"), winner))
	},
	"one of many creates with a key wins, and only its record is there": func(t *testing.T, s record.Store) {
		c := ctx(t)
		results := race(func(racer int) error { return s.Create(c, john(userID(racer)), keyFor("k", userID(racer)), now) })
		winner := requireOneWinner(t, results, record.ErrKeyTaken)
		requireKey(t, s, *keyFor("k", userID(winner)), now)
		for racer := range racers {
			if racer == winner {
				requireRecord(t, s, john(userID(racer)))
			} else {
				requireNoRecord(t, s, userID(racer))
			}
		}
	},
	"one of many creates with an expired key wins": func(t *testing.T, s record.Store) {
		first := keyFor("k", "99999999")
		require.NoError(t, s.Create(ctx(t), john("99999999"), first, now))
		c := ctx(t)
		renewed := func(racer int) *record.Key {
			k := keyFor("k", userID(racer))
			k.Expires = first.Expires.AddDate(0, 0, 1)
			return k
		}
		results := race(func(racer int) error { return s.Create(c, john(userID(racer)), renewed(racer), first.Expires) })
		winner := requireOneWinner(t, results, record.ErrKeyTaken)
		requireKey(t, s, *renewed(winner), first.Expires)
	},
	"creates of different records all succeed": func(t *testing.T, s record.Store) {
		c := ctx(t)
		for _, err := range race(func(racer int) error {
			return s.Create(c, john(userID(racer)), keyFor(userID(racer), userID(racer)), now)
		}) {
			require.NoError(t, err)
		}
		for racer := range racers {
			requireRecord(t, s, john(userID(racer)))
			requireKey(t, s, *keyFor(userID(racer), userID(racer)), now)
		}
	},
	"one of many updates from a version wins": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		c := ctx(t)
		for version := int64(1); version <= 3; version++ {
			results := race(func(racer int) error {
				return s.Update(c, by(jane("31327518", version+1), racer), at(john("31327518"), version))
			})
			winner := requireOneWinner(t, results, record.ErrVersion)
			requireRecord(t, s, by(jane("31327518", version+1), winner))
		}
	},
	"one of many equal updates from a version wins": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		c := ctx(t)
		requireOneWinner(t, race(func(int) error { return s.Update(c, jane("31327518", 2), john("31327518")) }), record.ErrVersion)
		requireRecord(t, s, jane("31327518", 2))
	},
	"no update is lost, and every read sees the writes before it": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		const each = 3
		c := ctx(t)
		for _, err := range race(func(int) error {
			for seen, done := int64(0), 0; done < each; {
				r, err := s.Read(c, "31327518")
				if err != nil {
					return err
				}
				if r.Version < seen {
					return fmt.Errorf("version %d after %d", r.Version, seen)
				}
				seen = r.Version
				next := jane("31327518", r.Version+1)
				switch err := s.Update(c, next, r); {
				case err == nil:
					seen = next.Version
					done++
				case !errors.Is(err, record.ErrVersion):
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		requireRecord(t, s, jane("31327518", 1+racers*each))
	},
}
