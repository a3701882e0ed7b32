package dynamostore

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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
	"update": {"UpdateItem", func(ctx context.Context, s *Store) error {
		return s.Update(ctx, testRecord("John", 2), testRecord("John", 1))
	}},
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

// TestAMissingTableIsNamed: both are missing, then that of the keys alone.
func TestAMissingTableIsNamed(t *testing.T) {
	c := clientConfig(t, endpoint(t))
	nothing, keyless := New(c, "nothing"), New(c, "keyless")
	makeTable(t, keyless, "keyless", types.KeySchemaElement{AttributeName: aws.String("userId"), KeyType: types.KeyTypeHash})
	named := map[string]string{
		"create": "nothing", "create with a key": "nothing or nothing-idempotency", "update": "nothing", "read": "nothing",
		"key": "nothing-idempotency", "ready": "nothing",
	}
	for name, call := range calls {
		err := call.do(within(t), nothing)
		require.ErrorIs(t, err, record.ErrUnavailable, name)
		require.ErrorContains(t, err, "there is no table "+named[name]+"; `adsidecar-users init` makes it: ", name)
	}
	for name, table := range map[string]string{
		"create with a key": "keyless or keyless-idempotency", "key": "keyless-idempotency", "ready": "keyless-idempotency",
	} {
		err := calls[name].do(within(t), keyless)
		require.ErrorIs(t, err, record.ErrUnavailable, name)
		require.ErrorContains(t, err, "there is no table "+table+"; ", name)
	}
}

func TestReady(t *testing.T) {
	throttled := answers(http.StatusBadRequest, "ThrottlingException", "")
	ready := func(t *testing.T, s *Store, p *proxy, reads, writes int) {
		t.Helper()
		p.next("GetItem")
		p.next("PutItem")
		require.NoError(t, s.Ready(within(t)))
		require.Len(t, p.requests("GetItem"), reads)
		require.Len(t, p.requests("PutItem"), writes)
	}
	const both = 2 // tables
	t.Run("it reads each time, and tries to write once a minute", func(t *testing.T) {
		s, p := newStore(t)
		now := testNow
		s.now = func() time.Time { return now }
		ready(t, s, p, 1, both)
		ready(t, s, p, 1, 0)
		now = now.Add(provedFor - 1)
		ready(t, s, p, 1, 0)
		now = now.Add(1)
		ready(t, s, p, 1, both)
		now = now.Add(-time.Hour)
		ready(t, s, p, 1, both)
	})
	t.Run("a read that fails is seen at once", func(t *testing.T) {
		s, p := newStore(t)
		ready(t, s, p, 1, both)
		p.next("GetItem", times(8, refused)...)
		require.ErrorIs(t, s.Ready(within(t)), record.ErrUnavailable)
		p.reset()
		ready(t, s, p, 1, both)
		ready(t, s, p, 1, 0)
	})
	for name, w := range writes {
		t.Run("after a failed "+name+" it tries to write", func(t *testing.T) {
			s, p := newStore(t)
			w.prepare(t, s)
			ready(t, s, p, 1, both)
			p.next(w.operation, answers(http.StatusBadRequest, "AccessDeniedException", ""))
			require.ErrorContains(t, w.do(t, s), "AccessDenied")
			p.next("PutItem", answers(http.StatusBadRequest, "AccessDeniedException", ""))
			require.ErrorContains(t, s.Ready(within(t)), "AccessDenied")
			ready(t, s, p, 1, both)
			require.NoError(t, w.do(t, s))
			require.Error(t, w.do(t, s), "it is done")
			ready(t, s, p, 1, 0)
		})
	}
	for name, operation := range map[string]string{"read": "GetItem", "write": "PutItem"} {
		t.Run("a throttled "+name+" does not make it unready", func(t *testing.T) {
			s, p := newStore(t)
			now := testNow
			s.now = func() time.Time { return now }
			p.next(operation, times(4, throttled)...)
			require.ErrorIs(t, s.Ready(within(t)), record.ErrUnavailable, "nothing is known yet")
			ready(t, s, p, 1, both)
			now = now.Add(provedFor)
			for range 2 {
				p.next(operation, times(4, throttled)...)
				require.NoError(t, s.Ready(within(t)))
				require.Len(t, p.requests(operation), 4)
			}
			ready(t, s, p, 1, both)
		})
	}
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
