package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// userClients is how many clients write at once.
const userClients = 16

// TestUsersUnderLoad: whatever clients do at the same time, nothing that was acknowledged is lost.
func TestUsersUnderLoad(t *testing.T) {
	s := usersReady(t, stack.Options{Users: &stack.UsersOptions{}, Concurrency: 2})
	u := signUp(t, s, "load")
	conns := u.connect(t, userClients)
	records := 0

	t.Run("10,000 creates make 10,000 records", func(t *testing.T) {
		const each = 10_000 / userClients
		mark := func(i, n int) string { return fmt.Sprintf("%d-%d", i, n) }
		var ids [userClients][]string
		began := time.Now()
		atOnce(t, userClients, func(i int) error {
			for n := range each {
				made, err := conns[i].create(profileOf(mark(i, n)), "")
				if err != nil {
					return err
				}
				ids[i] = append(ids[i], made.UserID)
			}
			return nil
		})
		created := time.Since(began)
		all := slices.Sorted(slices.Values(slices.Concat(ids[:]...)))
		records += len(all)
		require.Equal(t, 10_000, len(slices.Compact(all)), "user IDs are unique") //nolint:testifylint // Len would print them all

		began = time.Now()
		atOnce(t, userClients, func(i int) error {
			other := (i + 1) % userClients // not the connection that created them
			for n, id := range ids[i] {
				got, version, err := conns[other].read(id)
				if err != nil {
					return err
				}
				if got != profileOf(mark(i, n)) || version != 1 {
					return fmt.Errorf("record %s of %s has version %d and is %+v", id, mark(i, n), version, got)
				}
			}
			return nil
		})
		t.Logf("%.0f creates/s, %.0f reads/s", 10_000/created.Seconds(), 10_000/time.Since(began).Seconds())
	})

	t.Run("of updates from one version exactly one succeeds", func(t *testing.T) {
		made, err := conns[0].create(profileOf("first"), "")
		require.NoError(t, err)
		records++
		const rounds = 60
		for round := range rounds {
			from, winner := int64(round+1), -1
			var lost [userClients]error
			atOnce(t, userClients, func(i int) error {
				want := profileOf(fmt.Sprintf("%d-%d", round, i))
				var got profile
				var version int64
				got, version, lost[i] = conns[i].update(made.UserID, want, etagOf(from))
				if lost[i] == nil && (got != want || version != from+1) {
					return fmt.Errorf("answered version %d and %+v", version, got)
				}
				return nil
			})
			for i, err := range lost {
				if err == nil {
					require.Equal(t, -1, winner, "two updates from version %d succeeded", from)
					winner = i
					continue
				}
				var r *otherAnswer
				require.ErrorAs(t, err, &r)
				require.Equal(t, http.StatusPreconditionFailed, r.Status, r)
				require.Equal(t, "revision_conflict", r.Code(), r)
				require.Equal(t, etagOf(from+1), r.Header.Get("ETag"), "the present version")
			}
			require.NotEqual(t, -1, winner, "no update from version %d succeeded", from)
			got, version, err := conns[round%userClients].read(made.UserID)
			require.NoError(t, err)
			require.Equal(t, from+1, version)
			require.Equal(t, profileOf(fmt.Sprintf("%d-%d", round, winner)), got)
		}
	})

	t.Run("updates without a condition are all kept, each with a version of its own", func(t *testing.T) {
		made, err := conns[0].create(profileOf("first"), "")
		require.NoError(t, err)
		records++
		type update struct {
			version int64
			field   int
			value   string
			answer  profile
		}
		const each = 25
		var updates [userClients][]update
		var again [userClients]int
		began := time.Now()
		atOnce(t, userClients, func(i int) error {
			for n := 0; n < each; {
				u := update{field: i % len(profileFields), value: fmt.Sprintf("%d-%d", i, n)} // a field has two writers
				var err error
				u.answer, u.version, err = conns[i].set(made.UserID, u.field, u.value)
				if err == nil {
					updates[i] = append(updates[i], u)
					n++
					continue
				}
				var r *otherAnswer
				if !errors.As(err, &r) || r.Code() != "store_unavailable" || saysUnavailable(err) != nil {
					return err
				}
				if again[i]++; again[i] > each { // too many others were faster: nothing was written
					return fmt.Errorf("after %d tries: %w", again[i], err)
				}
			}
			return nil
		})
		took, tries := time.Since(began), 0
		for _, n := range again {
			tries += n
		}
		all := slices.Concat(updates[:]...)
		t.Logf("%.0f updates/s of one record, %d of %d were refused as contended", float64(len(all))/took.Seconds(), tries, len(all)+tries)

		// In the order of their versions, every answer is the one before and one value: so none was written over another's.
		slices.SortFunc(all, func(a, b update) int { return int(a.version - b.version) })
		record := profileOf("first")
		for i, u := range all {
			require.EqualValues(t, i+2, u.version)
			*profileFields[u.field](&record) = u.value
			require.Equal(t, record, u.answer, "version %d", u.version)
		}
		got, version, err := conns[0].read(made.UserID)
		require.NoError(t, err)
		require.EqualValues(t, len(all)+1, version)
		require.Equal(t, record, got)
	})

	t.Run("the file has these records and no other", func(t *testing.T) {
		require.NoError(t, s.Users().Stop())
		kept := recordsOfFile(t, s)
		require.Equal(t, records, len(kept)) //nolint:testifylint // as above
		for id, r := range kept {
			require.Equal(t, u.sub, r.Owner, id)
		}
	})
}
