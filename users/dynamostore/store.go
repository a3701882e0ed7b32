// Package dynamostore keeps user records in DynamoDB, for any number of processes.
//
// The table has the attributes that it had before this service (userId, title, firstName, lastName, mobileNumber, address), and three of
// its own: owner, version, and writeId, a random name of the last write. Attributes of others are left alone, and records that were there
// before are read whatever they lack. A second table, with "-idempotency" appended to the name, has the idempotency keys; DynamoDB
// removes expired ones some time later, so each use checks the time itself.
//
// The SDK repeats a call that got no answer, which may have been applied. Then the repetition finds its own record in the way, and knows
// it by the writeId. DynamoDB's token of a transaction does the same for ten minutes, but not for single writes, and not in every
// implementation of its API. Where even the writeId cannot tell, the answer is [record.ErrUnavailable], never a guess.
package dynamostore

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

// KeysSuffix is appended to the table's name for the table of idempotency keys.
const KeysSuffix = "-idempotency"

const (
	// passingTries and the waits between them are for writes that [dynamo.Passing] says to try again.
	passingTries = 6
	passingWait  = 25 * time.Millisecond // the longest first wait; each further one is twice as long
)

// Store is a [record.Store] in DynamoDB. It is safe for concurrent use.
type Store struct {
	client        *dynamodb.Client
	records, keys string // tables

	newID func() string // of a write
	now   func() time.Time

	// proved is when a probe last showed that both tables can be written, in Unix nanoseconds; 0 after a write that failed.
	proved atomic.Int64
	// ready is what Ready said last.
	ready atomic.Bool
}

var _ record.Store = (*Store)(nil)

// New makes a store of the tables, which must be there; see [Store.Init]. It sends nothing.
func New(c aws.Config, table string) *Store {
	return &Store{
		client:  dynamodb.NewFromConfig(c),
		records: table,
		keys:    table + KeysSuffix,
		newID:   cryptorand.Text,
		now:     time.Now,
	}
}

// Init makes both tables where they are missing, and waits until they can be used. See [dynamo.Ensure].
func (s *Store) Init(ctx context.Context) error {
	if err := dynamo.Ensure(ctx, s.client, dynamo.Table{Name: s.records, Key: attrUserID, Protected: true}); err != nil {
		return err
	}
	return dynamo.Ensure(ctx, s.client, dynamo.Table{Name: s.keys, Key: attrKey, Expires: attrExpires})
}

// Read implements [record.Store].
func (s *Store) Read(ctx context.Context, userID string) (record.Record, error) {
	item, err := s.get(ctx, s.records, attrUserID, userID)
	if err != nil {
		return record.Record{}, err
	}
	r, err := readRecord(userID, item)
	if err != nil {
		return r, fmt.Errorf("read the record %s: %w", userID, err)
	}
	return r, nil
}

// Key implements [record.Store].
func (s *Store) Key(ctx context.Context, name string, now time.Time) (record.Key, error) {
	item, err := s.get(ctx, s.keys, attrKey, name)
	if err != nil {
		return record.Key{}, err
	}
	key, err := readKey(name, item)
	if err != nil {
		return record.Key{}, fmt.Errorf("read an idempotency key: %w", err)
	}
	if key.Expired(now) {
		return record.Key{}, record.ErrNotFound
	}
	return key, nil
}

func (s *Store) get(ctx context.Context, table, attr, key string) (dynamo.Item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &table, Key: dynamo.Item{attr: dynamo.String(key)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, mapped(err, table)
	}
	if len(out.Item) == 0 {
		return nil, record.ErrNotFound
	}
	return out.Item, nil
}

// try does a write, again while what is in its way is passing. A failure makes Ready ask whether there are more to come.
func (s *Store) try(ctx context.Context, write func() error) error {
	err := retryPassing(ctx, write)
	var refused *types.ConditionalCheckFailedException
	var cancelled *types.TransactionCanceledException
	if err != nil && !errors.As(err, &refused) && !errors.As(err, &cancelled) {
		s.proved.Store(0)
	}
	return err
}

func retryPassing(ctx context.Context, write func() error) error {
	wait := passingWait
	for try := 1; ; try++ {
		err := write()
		if try == passingTries || !dynamo.Passing(err) {
			return err
		}
		if err := dynamo.Pause(ctx, rand.N(wait)); err != nil {
			return err
		}
		wait *= 2
	}
}

// mapped adds record.ErrUnavailable where a later try may succeed, and takes from the error what names accounts and roles. tables are
// those that the call names.
func mapped(err error, tables ...string) error {
	if dynamo.Missing(err) {
		return fmt.Errorf("%w: there is no table %s; `adsidecar-users init` makes it: %w",
			record.ErrUnavailable, strings.Join(tables, " or "), dynamo.Explain(err))
	}
	if dynamo.Unavailable(err) {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, dynamo.Explain(err))
	}
	return dynamo.Explain(err)
}
