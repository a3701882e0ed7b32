package dynamostore

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/users/record"
)

var calls = map[string]struct {
	operation string
	do        func(ctx context.Context, s *Store) error
}{
	"create": {"PutItem", func(ctx context.Context, s *Store) error { return s.Create(ctx, testRecord("John", 1), nil, testNow) }},
	"create with a key": {"TransactWriteItems", func(ctx context.Context, s *Store) error {
		return s.Create(ctx, testRecord("John", 1), testKey(), testNow)
	}},
	"update": {"UpdateItem", func(ctx context.Context, s *Store) error { return s.Update(ctx, testRecord("John", 2), 1) }},
	"read": {"GetItem", func(ctx context.Context, s *Store) error {
		_, err := s.Read(ctx, "31327518")
		return err
	}},
	"key": {"GetItem", func(ctx context.Context, s *Store) error {
		_, err := s.Key(ctx, "key", testNow)
		return err
	}},
	"ready": {"PutItem", func(ctx context.Context, s *Store) error { return s.Ready(ctx) }},
}

func TestFailuresThatPassAreUnavailable(t *testing.T) {
	const all = 8 // more than the SDK's tries
	faults := map[string]fault{
		"500":                 answers(http.StatusInternalServerError, "InternalServerError", ""),
		"503 of a proxy":      answers(http.StatusServiceUnavailable, "", ""),
		"throttling":          answers(http.StatusBadRequest, "ThrottlingException", ""),
		"no capacity":         answers(http.StatusBadRequest, "ProvisionedThroughputExceededException", ""),
		"expired credentials": answers(http.StatusBadRequest, "ExpiredTokenException", ""),
		"a throttled transaction": answers(http.StatusBadRequest, "TransactionCanceledException",
			`,"CancellationReasons":[{"Code":"None"},{"Code":"ThrottlingError"}]`),
		"no answer": refused,
	}
	s, p := newStore(t)
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			p.next("PutItem", times(all, f)...)
			p.next("UpdateItem", times(all, f)...)
			p.next("TransactWriteItems", times(all, f)...)
			p.next("GetItem", times(all, f)...)
			for _, call := range []string{"create", "create with a key", "update", "read"} {
				require.ErrorIs(t, calls[call].do(within(t), s), record.ErrUnavailable, call)
			}
			p.reset()
		})
	}
	_, err := s.Read(within(t), "31327518")
	require.ErrorIs(t, err, record.ErrNotFound, "nothing was applied")
}

func TestADeadlineIsKept(t *testing.T) {
	s, p := newStore(t)
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			p.next(call.operation, times(8, func(http.ResponseWriter, func() *http.Response) {
				<-release
				panic(http.ErrAbortHandler)
			})...)
			defer p.reset()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			begin := time.Now()
			err := call.do(ctx, s)
			require.ErrorIs(t, err, record.ErrUnavailable)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Less(t, time.Since(begin), 5*time.Second)
		})
	}
}

func TestFailuresThatStayAreNotUnavailable(t *testing.T) {
	s, p := newStore(t)
	for name, code := range map[string]string{
		"a forbidden call":  "AccessDeniedException",
		"an unknown key":    "UnrecognizedClientException",
		"a missing table":   "ResourceNotFoundException",
		"a refused request": "ValidationException",
	} {
		t.Run(name, func(t *testing.T) {
			for name, call := range calls {
				p.next(call.operation, answers(http.StatusBadRequest, code, ""))
				err := call.do(within(t), s)
				require.ErrorContains(t, err, code, name)
				require.NotErrorIs(t, err, record.ErrUnavailable, name)
				require.NotErrorIs(t, err, record.ErrNotFound, name)
				require.Len(t, p.requests(call.operation), 1, name)
				p.reset()
			}
		})
	}
}

func TestReady(t *testing.T) {
	t.Run("a success counts for a second", func(t *testing.T) {
		s, p := newStore(t)
		now := testNow
		s.now = func() time.Time { return now }
		p.next("PutItem")
		require.NoError(t, s.Ready(within(t)))
		require.Len(t, p.requests("PutItem"), 2, "one for each table")
		require.NoError(t, s.Ready(within(t)))
		require.Len(t, p.requests("PutItem"), 2)
		now = now.Add(readyAge)
		require.NoError(t, s.Ready(within(t)))
		require.Len(t, p.requests("PutItem"), 4)
	})
	t.Run("it changes nothing", func(t *testing.T) {
		s, _ := newStore(t)
		require.NoError(t, s.Ready(within(t)))
		_, err := s.Read(within(t), readyID)
		require.ErrorIs(t, err, record.ErrNotFound)
	})
	t.Run("a failure does not count", func(t *testing.T) {
		s, p := newStore(t)
		p.next("PutItem", answers(http.StatusBadRequest, "AccessDeniedException", ""))
		require.ErrorContains(t, s.Ready(within(t)), "AccessDenied")
		require.NoError(t, s.Ready(within(t)))
	})
	t.Run("without tables it is not ready", func(t *testing.T) {
		s := New(clientConfig(t, endpoint(t)), "nothing")
		require.ErrorContains(t, s.Ready(within(t)), "ResourceNotFound")
	})
}
