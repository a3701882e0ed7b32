package boltstore

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"adsidecar/internal/boltfile"
	"adsidecar/users/record"
)

// raw changes the file behind the store's back.
func raw(t *testing.T, s *Store, fn func(tx *bbolt.Tx) error) {
	t.Helper()
	require.NoError(t, s.file.Update(t.Context(), fn))
}

func count(t *testing.T, s *Store, bucket []byte) (n int) {
	t.Helper()
	require.NoError(t, s.file.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(bucket).Stats().KeyN
		return nil
	}))
	return n
}

func TestRecordsAreThereAfterTheStoreIsOpenedAgain(t *testing.T) {
	path := testFile(t)
	s, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, s.Create(t.Context(), testRecord(1), testKey(1, testNow.Add(time.Hour)), testNow))
	require.NoError(t, s.Close())
	s = openStore(t, path)
	got, err := s.Read(t.Context(), testRecord(1).UserID)
	require.NoError(t, err)
	require.Equal(t, testRecord(1), got)
	_, err = s.Key(t.Context(), "key 1", testNow)
	require.NoError(t, err)
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	s, err := Open(testFile(t))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = s.Read(t.Context(), "00000001")
	require.ErrorIs(t, err, record.ErrUnavailable)
	_, err = s.Key(t.Context(), "key", testNow)
	require.ErrorIs(t, err, record.ErrUnavailable)
	require.ErrorIs(t, s.Create(t.Context(), testRecord(1), nil, testNow), record.ErrUnavailable)
	require.ErrorIs(t, s.Update(t.Context(), testRecord(1), testRecord(1)), record.ErrUnavailable)
	require.ErrorIs(t, s.Ready(t.Context()), record.ErrUnavailable)
}

func TestExpiredKeysGoWithLaterCreates(t *testing.T) {
	s := openStore(t, testFile(t))
	const backlog = 3 * prunedEach
	for n := range backlog {
		expires := testNow.Add(time.Duration(n+1) * time.Second)
		require.NoError(t, s.Create(t.Context(), testRecord(n), testKey(n, expires), testNow))
	}
	require.Equal(t, backlog, count(t, s, keyBucket), "none has expired")

	later := testNow.Add(time.Hour)
	for round := 1; round <= 3; round++ {
		require.NoError(t, s.Create(t.Context(), testRecord(backlog+round), nil, later))
		require.Equal(t, backlog-round*prunedEach, count(t, s, keyBucket), "a few each")
		require.Equal(t, count(t, s, keyBucket), count(t, s, expiryBucket))
	}
	require.NoError(t, s.Create(t.Context(), testRecord(999), testKey(999, later.Add(time.Hour)), later))
	_, err := s.Key(t.Context(), "key 999", later)
	require.NoError(t, err)
}

func TestTheIndexHasOneEntryForEachKey(t *testing.T) {
	s := openStore(t, testFile(t))
	at := testNow
	for n := range 5 { // the same key again and again
		expires := at.Add(time.Hour)
		require.NoError(t, s.Create(t.Context(), testRecord(n), &record.Key{Name: "key", UserID: testRecord(n).UserID, Expires: expires}, at))
		require.Equal(t, 1, count(t, s, expiryBucket))
		require.Equal(t, 1, count(t, s, keyBucket))
		at = expires
	}
	_, err := s.Key(t.Context(), "key", at.Add(-time.Nanosecond))
	require.NoError(t, err)
}

func TestKeysExpireInTheOrderOfTime(t *testing.T) {
	years := []int{1, 1960, 1969, 1970, 2026, 9999}
	for i, year := range years[1:] {
		earlier, later := time.Date(years[i], 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		require.Less(t, string(expiryKey(earlier, "z")), string(expiryKey(later, "a")))
		require.Equal(t, later.Unix(), expirySecond(expiryKey(later, "a")))
	}
}

func TestValuesAreReadable(t *testing.T) {
	s := openStore(t, testFile(t))
	r := testRecord(1)
	r.FirstName = `Zoë <"&> 🎈`
	require.NoError(t, s.Create(t.Context(), r, nil, testNow))
	require.NoError(t, s.file.View(func(tx *bbolt.Tx) error {
		require.Equal(t, `{"title":"","firstName":"Zoë <\"&> 🎈","lastName":"","mobileNumber":"",`+
			`"address":{"postcode":"","suburb":"","state":"NSW","fullAddress":""},"owner":"sub","version":1}`,
			string(tx.Bucket(recordBucket).Get([]byte(r.UserID))))
		return nil
	}))
}

func TestFieldsOfALaterVersionStay(t *testing.T) {
	s := openStore(t, testFile(t))
	raw(t, s, func(tx *bbolt.Tx) error {
		return tx.Bucket(recordBucket).Put([]byte("00000001"),
			[]byte(`{"firstName":"a","points":12345678901234567890,"address":{"state":"NSW","country":{"code":"AU"}},"version":1,"owner":"sub"}`))
	})
	from, err := s.Read(t.Context(), "00000001")
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), record.Record{UserID: "00000001", Version: 2}, from))
	require.NoError(t, s.file.View(func(tx *bbolt.Tx) error {
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(tx.Bucket(recordBucket).Get([]byte("00000001")), &got))
		require.Equal(t, "12345678901234567890", string(got["points"]))
		require.Contains(t, string(got["address"]), `"country":{"code":"AU"}`)
		require.Contains(t, string(got["address"]), `"state":""`)
		require.Equal(t, `"sub"`, string(got["owner"]))
		return nil
	}))
}

func TestADamagedValueIsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	s := openStore(t, testFile(t))
	for name, value := range map[string]string{
		"no JSON": `secret`, "another type": `{"firstName":["secret"]}`, "a cut value": `{"firstName":"secret`, "two fields of a name": `{"secret":1,"secret":2}`,
		"a version of text": `{"version":"secret"}`, "bytes": "{\"firstName\":\"secret\xff\"}", "an array": `["secret"]`,
	} {
		t.Run(name, func(t *testing.T) {
			raw(t, s, func(tx *bbolt.Tx) error {
				return tx.Bucket(recordBucket).Put([]byte("00000001"), []byte(value))
			})
			_, err := s.Read(t.Context(), "00000001")
			require.ErrorIs(t, err, errValue)
			require.ErrorContains(t, err, "read the record 00000001")
			require.NotContains(t, err.Error(), "secret")
			require.NotErrorIs(t, err, record.ErrUnavailable)
			require.ErrorIs(t, s.Update(t.Context(), testRecord(1), testRecord(1)), errValue)
			require.ErrorIs(t, s.Create(t.Context(), testRecord(1), nil, testNow), record.ErrExists, "never written over")
		})
	}
}

func TestOfADamagedRecordTheOwnerIsKnown(t *testing.T) {
	s := openStore(t, testFile(t))
	for value, owner := range map[string]string{
		`{"version":"x","owner":"sub"}`: "sub", `{"title":[],"points":1,"owner":"sub","version":1}`: "sub", `{"version":1.5}`: "",
	} {
		raw(t, s, func(tx *bbolt.Tx) error { return tx.Bucket(recordBucket).Put([]byte("00000001"), []byte(value)) })
		got, err := s.Read(t.Context(), "00000001")
		require.ErrorIs(t, err, record.ErrDamaged)
		require.Equal(t, record.Record{UserID: "00000001", Owner: owner}, got)
	}
	raw(t, s, func(tx *bbolt.Tx) error {
		return tx.Bucket(recordBucket).Put([]byte("00000001"), []byte(`{"owner":"sub"`))
	})
	got, err := s.Read(t.Context(), "00000001")
	require.ErrorIs(t, err, errValue)
	require.NotErrorIs(t, err, record.ErrDamaged)
	require.Zero(t, got)
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	s := openStore(t, testFile(t))
	r := testRecord(1)
	r.FirstName = "secret\xff"
	err := s.Create(t.Context(), r, nil, testNow)
	require.ErrorContains(t, err, "not UTF-8")
	require.NotContains(t, err.Error(), "secret")
	_, err = s.Read(t.Context(), r.UserID)
	require.ErrorIs(t, err, record.ErrNotFound)
}

func TestAFileOfSomethingElseIsRefused(t *testing.T) {
	path := testFile(t)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("users: []\n", 1000)), 0o600))
	_, err := Open(path)
	require.ErrorIs(t, err, boltfile.ErrForeign)
	require.ErrorContains(t, err, path)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"firstName":"a","points":1,"address":{"state":"NSW","country":"AU"},"owner":"sub","version":1}`))
	f.Add([]byte(`{"request":"a","userId":"b","expires":"2026-03-04T05:06:07Z"}`))
	f.Add([]byte(`{"address":null,"version":9223372036854775807}`))
	f.Add([]byte(`null`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if stored, err := decode[storedRecord](value); err == nil {
			encoded, err := encode(stored)
			require.NoError(t, err)
			again, err := decode[storedRecord](encoded)
			require.NoError(t, err)
			require.Equal(t, stored.record("00000001"), again.record("00000001"))
			require.Equal(t, len(stored.Unknown) == 0, len(again.Unknown) == 0)
			require.Equal(t, len(stored.Address.Unknown) == 0, len(again.Address.Unknown) == 0)
		}
		if stored, err := decode[storedKey](value); err == nil {
			encoded, err := encode(stored)
			require.NoError(t, err)
			again, err := decode[storedKey](encoded)
			require.NoError(t, err)
			require.True(t, stored.Expires.Equal(again.Expires))
		}
	})
}
