package dynamostore

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
	"adsidecar/e2e/stack"
	"adsidecar/internal/dynamo"
)

func put(key, value string, version uint64) revision.Put {
	return revision.Put{Key: key, Value: []byte(value), Version: version}
}

var commits = map[string][]revision.Put{
	"PutItem":            {put("a", "1", 0)},
	"TransactWriteItems": {put("a", "1", 0), put("b", "1", 0)},
}

func value(t *testing.T, s *Store, key string) string {
	t.Helper()
	entries, err := s.Read(within(t), key)
	require.NoError(t, err)
	return fmt.Sprintf("%d %s", entries[0].Version, entries[0].Value)
}

func TestACommitWhoseAnswerIsLostIsNotTakenForAnothers(t *testing.T) {
	applied500 := func(send func() (*http.Response, error)) (*http.Response, error) {
		_, _ = lost(send)
		return answers(http.StatusInternalServerError, `{}`)(nil)
	}
	for name, f := range map[string]fault{"the connection breaks": lost, "the answer is 500": applied500} {
		for operation, puts := range commits {
			t.Run(operation+", "+name, func(t *testing.T) {
				s, w := newStore(t)
				w.next(operation, f, f)
				require.NoError(t, s.Commit(within(t), puts...))
				require.Equal(t, "1 1", value(t, s, "a"))
				require.ErrorIs(t, s.Commit(within(t), puts...), revision.ErrConflict)
			})
		}
	}
}

func TestACommitWhoseAnswerIsLostAndThatIsOverwritten(t *testing.T) {
	overwrite := func(s *Store, from uint64, keys ...string) func() {
		return func() {
			for _, key := range keys {
				_ = s.Commit(context.Background(), put(key, "of another", from)) // seen by what is there after it
			}
		}
	}
	t.Run("all of it: nobody can tell", func(t *testing.T) {
		s, w := newStore(t)
		other := New(clientConfig(t, &wire{client: w.client, faults: map[string][]fault{}}), s.table)
		w.next("PutItem", lostAnd(overwrite(other, 1, "a")))
		err := s.Commit(within(t), put("a", "1", 0))
		require.ErrorIs(t, err, revision.ErrUnavailable)
		require.NotErrorIs(t, err, revision.ErrConflict)
		require.Equal(t, "2 of another", value(t, s, "a"))
	})
	t.Run("but a part, which tells that it was applied", func(t *testing.T) {
		s, w := newStore(t)
		other := New(clientConfig(t, &wire{client: w.client, faults: map[string][]fault{}}), s.table)
		w.next("TransactWriteItems", lostAnd(overwrite(other, 1, "a")))
		require.NoError(t, s.Commit(within(t), put("a", "1", 0), put("b", "1", 0)))
		require.Equal(t, "2 of another", value(t, s, "a"))
		require.Equal(t, "1 1", value(t, s, "b"))
	})
	t.Run("or rather was never sent: another has written the version that it would have made", func(t *testing.T) {
		s, w := newStore(t)
		other := New(clientConfig(t, &wire{client: w.client, faults: map[string][]fault{}}), s.table)
		w.next("PutItem", func(func() (*http.Response, error)) (*http.Response, error) {
			overwrite(other, 0, "a")()
			return nil, errBroken
		})
		require.ErrorIs(t, s.Commit(within(t), put("a", "1", 0)), revision.ErrConflict)
		require.Equal(t, "1 of another", value(t, s, "a"))
	})
}

func TestFailuresThatPassAreUnavailable(t *testing.T) {
	s, w := newStore(t)
	for name, f := range map[string]fault{
		"500": answers(http.StatusInternalServerError, `{}`), "throttling": fails("ThrottlingException", ""), "no answer": refused,
	} {
		for operation, do := range map[string]func() error{
			"PutItem":            func() error { return s.Commit(within(t), commits["PutItem"]...) },
			"TransactWriteItems": func() error { return s.Commit(within(t), commits["TransactWriteItems"]...) },
			"BatchGetItem":       func() error { return s.Ready(within(t)) },
			"BatchWriteItem":     func() error { return s.Remove(within(t), "a") },
		} {
			w.next(operation, times(4, f)...) // the SDK's tries
			err := do()
			require.ErrorIs(t, err, revision.ErrUnavailable, "%s, %s", operation, name)
			require.NotErrorIs(t, err, revision.ErrConflict)
		}
	}
	require.Equal(t, "0 ", value(t, s, "a"), "nothing was applied")
	require.NoError(t, s.Ready(within(t)))
}

// TestWhatIsForbiddenIsUnavailable until somebody allows it; the service's text names the role.
func TestWhatIsForbiddenIsUnavailable(t *testing.T) {
	s, w := newStore(t)
	for operation, do := range map[string]func() error{
		"PutItem":            func() error { return s.Commit(within(t), commits["PutItem"]...) },
		"TransactWriteItems": func() error { return s.Commit(within(t), commits["TransactWriteItems"]...) },
		"BatchGetItem":       func() error { return s.Ready(within(t)) },
		"BatchWriteItem":     func() error { return s.Remove(within(t), "a") },
	} {
		w.next(operation, fails("AccessDeniedException", ""))
		err := do()
		require.ErrorIs(t, err, revision.ErrUnavailable, operation)
		require.EqualError(t, err, "the store is unavailable: DynamoDB "+operation+`: status 400, code "AccessDeniedException"`)
	}
	w.next("PutItem", fails("ValidationException", ""))
	err := s.Commit(within(t), commits["PutItem"]...)
	require.NotErrorIs(t, err, revision.ErrUnavailable)
	require.EqualError(t, err, `DynamoDB PutItem: status 400, code "ValidationException"`)
}

func TestWhatIsInTheWayForAMomentIsTriedAgain(t *testing.T) {
	s, w := newStore(t)
	w.next("PutItem", fails("TransactionConflictException", ""))
	w.next("TransactWriteItems", fails("TransactionCanceledException", `,"CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]`))
	require.NoError(t, s.Commit(within(t), put("x", "1", 0)))
	require.NoError(t, s.Commit(within(t), commits["TransactWriteItems"]...))

	part := answers(http.StatusOK, `{"Responses":{},"UnprocessedKeys":{"`+s.table+`":{"ConsistentRead":true,"Keys":[{"key":{"S":"a"}}]}}}`)
	w.next("BatchGetItem", part, part)
	require.Equal(t, "1 1", value(t, s, "a"))
	part = answers(http.StatusOK, `{"UnprocessedItems":{"`+s.table+`":[{"DeleteRequest":{"Key":{"key":{"S":"a"}}}}]}}`)
	w.next("BatchWriteItem", part)
	require.NoError(t, s.Remove(within(t), "a"))
	require.Equal(t, "0 ", value(t, s, "a"))

	w.next("BatchWriteItem", times(passingTries, part)...)
	require.ErrorIs(t, s.Remove(within(t), "a"), revision.ErrUnavailable)
}

func TestAMissingTableIsNamed(t *testing.T) {
	s, _ := newStore(t)
	s.table = "nothing"
	require.ErrorContains(t, s.Ready(within(t)), "there is no table nothing")
	require.ErrorIs(t, s.Commit(within(t), put("a", "1", 0)), revision.ErrUnavailable)
}

func TestADeadlineIsKept(t *testing.T) {
	s, w := newStore(t)
	ctx, cancel := context.WithCancel(within(t))
	w.next("PutItem", func(func() (*http.Response, error)) (*http.Response, error) {
		cancel()
		return nil, ctx.Err()
	})
	require.ErrorIs(t, s.Commit(ctx, put("a", "1", 0)), context.Canceled)
}

func TestDamagedItemsAreNamed(t *testing.T) {
	whole := func() dynamo.Item { return (&Store{}).put(put("head", "x", 2), "id").Item }
	for name, damage := range map[string]func(dynamo.Item){
		"no version":          func(i dynamo.Item) { delete(i, attrVersion) },
		"a text for version":  func(i dynamo.Item) { i[attrVersion] = dynamo.String("x") },
		"no value":            func(i dynamo.Item) { delete(i, attrValue) },
		"a text for value":    func(i dynamo.Item) { i[attrValue] = dynamo.String("x") },
		"a version below one": func(i dynamo.Item) { i[attrVersion] = dynamo.Int(-1) },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t)
			item := whole()
			damage(item)
			_, err := s.client.PutItem(within(t), &dynamodb.PutItemInput{TableName: &s.table, Item: item})
			require.NoError(t, err)
			_, err = s.Read(within(t), "other", "head")
			require.ErrorIs(t, err, revision.ErrDamaged)
			require.ErrorContains(t, err, "read head")
		})
	}
	t.Run("in the way of a commit", func(t *testing.T) {
		s, _ := newStore(t)
		item := whole()
		item[attrVersion] = &types.AttributeValueMemberN{Value: "1.5"}
		_, err := s.client.PutItem(within(t), &dynamodb.PutItemInput{TableName: &s.table, Item: item})
		require.NoError(t, err)
		require.ErrorIs(t, s.Commit(within(t), put("head", "x", 0)), revision.ErrDamaged)
	})
}

func TestTwoReplicasConvergeWithinAPollInterval(t *testing.T) {
	s, w := newStore(t)
	other := New(clientConfig(t, w), s.table)
	services := make([]*revision.Service, 2)
	const interval = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for i, store := range []*Store{s, other} {
		var err error
		services[i], err = revision.New(revision.Config{Store: store, Interval: interval})
		require.NoError(t, err)
		go func() { done <- services[i].Run(ctx) }()
	}
	for n := range 5 {
		from, to := services[n%2], services[1-n%2]
		r, err := from.Apply(within(t), revision.ChangeSet{Who: "ann", Kind: revision.Edit, Edits: []revision.RowEdit{
			{ID: fmt.Sprint("campaign-", n), After: &revision.Row{Campaign: []byte("{}")}},
		}})
		require.NoError(t, err)
		watch := stack.StartStopwatch()
		for {
			state, changed := to.Watch()
			if state.Rows.Revision() == r.Number {
				require.Equal(t, n+1, state.Rows.Len())
				break
			}
			select {
			case <-changed:
			case <-time.After(time.Minute):
				require.FailNow(t, "it did not converge")
			}
		}
		require.Less(t, watch.Took(), interval+2*time.Second, "the interval, and room for the emulator")
	}
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, <-done)
}
