package dynamostore

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/users/record"
)

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func testRecord(name string, version int64) record.Record {
	return record.Record{
		UserID: "31327518", Owner: "sub", Version: version,
		Attributes: record.Attributes{FirstName: name, Address: record.Address{State: "NSW"}},
	}
}

func testKey() *record.Key {
	return &record.Key{Name: "key", Request: "hash", UserID: "31327518", Expires: testNow.Add(time.Hour)}
}

// write is one of the writes that a store can do.
type write struct {
	operation string
	prepare   func(t *testing.T, s *Store)
	do        func(t *testing.T, s *Store) error
	want      record.Record
}

var writes = map[string]write{
	"create": {
		operation: "PutItem", prepare: func(*testing.T, *Store) {}, want: testRecord("John", 1),
		do: func(t *testing.T, s *Store) error { return s.Create(within(t), testRecord("John", 1), nil, testNow) },
	},
	"create with a key": {
		operation: "TransactWriteItems", prepare: func(*testing.T, *Store) {}, want: testRecord("John", 1),
		do: func(t *testing.T, s *Store) error {
			return s.Create(within(t), testRecord("John", 1), testKey(), testNow)
		},
	},
	"update": {
		operation: "UpdateItem", want: testRecord("Jane", 2),
		prepare: func(t *testing.T, s *Store) {
			require.NoError(t, s.Create(within(t), testRecord("John", 1), nil, testNow))
		},
		do: func(t *testing.T, s *Store) error {
			return s.Update(within(t), testRecord("Jane", 2), testRecord("John", 1))
		},
	},
}

func TestAWriteWhoseAnswerIsLostIsNotTakenForAnothers(t *testing.T) {
	for faultName, f := range map[string]fault{"the connection breaks": lost, "the answer is 500": applied500} {
		for name, w := range writes {
			t.Run(name+", "+faultName, func(t *testing.T) {
				s, p := newStore(t)
				w.prepare(t, s)
				p.next(w.operation, f, f)
				require.NoError(t, w.do(t, s))
				require.Len(t, p.requests(w.operation), 3)
				got, err := s.Read(within(t), "31327518")
				require.NoError(t, err)
				require.Equal(t, w.want, got)
			})
		}
	}
}

func TestTriesOfATransactionHaveOneToken(t *testing.T) {
	s, p := newStore(t)
	conflict := answers(http.StatusBadRequest, "TransactionCanceledException", `,"CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]`)
	p.next("TransactWriteItems", refused, conflict)
	require.NoError(t, s.Create(within(t), testRecord("John", 1), testKey(), testNow))
	tokens := map[string]bool{}
	for _, body := range p.requests("TransactWriteItems") {
		var request struct{ ClientRequestToken string }
		require.NoError(t, json.Unmarshal([]byte(body), &request))
		require.NotEmpty(t, request.ClientRequestToken)
		tokens[request.ClientRequestToken] = true
	}
	require.Len(t, p.requests("TransactWriteItems"), 3)
	require.Len(t, tokens, 1)
}

// TestSomebodyElseWritesBetweenTheTries: where the trace of the first try is covered, the answer is no guess.
func TestSomebodyElseWritesBetweenTheTries(t *testing.T) {
	update := func(t *testing.T, s *Store) {
		r, err := s.Read(within(t), "31327518")
		require.NoError(t, err)
		require.NoError(t, s.Update(within(t), testRecord("somebody", r.Version+1), r))
	}
	create := func(t *testing.T, s *Store) {
		require.NoError(t, s.Create(within(t), testRecord("somebody", 1), nil, testNow))
	}
	tests := map[string]struct {
		write write
		fault fault
		other func(t *testing.T, s *Store)
		want  error
	}{
		"a create was applied and the record updated":          {writes["create"], lost, update, record.ErrUnavailable},
		"a create was not applied and the user ID taken":       {writes["create"], refused, create, record.ErrExists},
		"a keyed create was applied and the record updated":    {writes["create with a key"], lost, update, nil},
		"a keyed create was not applied and the user ID taken": {writes["create with a key"], refused, create, record.ErrExists},
		"an update was applied and the record updated again":   {writes["update"], lost, update, record.ErrUnavailable},
		"an update was not applied and the record updated":     {writes["update"], refused, update, record.ErrVersion},
		"an update was throttled, so not applied, and two came after": {
			writes["update"], answers(http.StatusBadRequest, "ThrottlingException", ""),
			func(t *testing.T, s *Store) { update(t, s); update(t, s) }, record.ErrVersion,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, p := newStore(t)
			test.write.prepare(t, s)
			other := New(clientConfig(t, endpoint(t)), s.records)
			p.next(test.write.operation, func(w http.ResponseWriter, forward func() *http.Response) {
				defer test.other(t, other) // after the try, before the SDK knows its end
				test.fault(w, forward)
			})
			err := test.write.do(t, s)
			if test.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, test.want)
			}
			require.Len(t, p.requests(test.write.operation), 2)
		})
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	cancelled := func(reasons string) fault {
		return answers(http.StatusBadRequest, "TransactionCanceledException", `,"CancellationReasons":[`+reasons+`]`)
	}
	conflict := answers(http.StatusBadRequest, "TransactionConflictException", "")
	for name, c := range map[string]struct {
		write write
		fault fault
	}{
		"create":            {writes["create"], conflict},
		"update":            {writes["update"], conflict},
		"create with a key": {writes["create with a key"], cancelled(`{"Code":"None"},{"Code":"TransactionConflict"}`)},
		"a throttled table": {writes["create with a key"], cancelled(`{"Code":"None"},{"Code":"ThrottlingError"}`)},
		"no capacity":       {writes["create with a key"], cancelled(`{"Code":"ProvisionedThroughputExceeded"},{"Code":"None"}`)},
		"a user ID that was taken while the key was being written": {
			writes["create with a key"], cancelled(`{"Code":"TransactionConflict"},{"Code":"ConditionalCheckFailed"}`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := newStore(t)
			w := c.write
			w.prepare(t, s)
			p.next(w.operation, times(passingTries, c.fault)...)
			require.ErrorIs(t, w.do(t, s), record.ErrUnavailable)
			require.Len(t, p.requests(w.operation), passingTries)
			p.next(w.operation, times(passingTries-1, c.fault)...)
			require.NoError(t, w.do(t, s))
			require.Len(t, p.requests(w.operation), passingTries)
		})
	}
}
