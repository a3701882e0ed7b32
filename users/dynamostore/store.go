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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

// KeysSuffix is appended to the table's name for the table of idempotency keys.
const KeysSuffix = "-idempotency"

const (
	// conflictTries and the waits between them are for items that another transaction is writing.
	conflictTries = 6
	conflictWait  = 25 * time.Millisecond // the longest first wait; each further one is twice as long
)

// Store is a [record.Store] in DynamoDB. It is safe for concurrent use.
type Store struct {
	client        *dynamodb.Client
	records, keys string // tables

	newID func() string // of a write
	now   func() time.Time
	ready readiness
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
		ready:   readiness{turn: make(chan struct{}, 1)},
	}
}

// Init makes both tables where they are missing, and waits until they can be used. See [dynamo.Ensure].
func (s *Store) Init(ctx context.Context) error {
	return errors.Join(
		dynamo.Ensure(ctx, s.client, dynamo.Table{Name: s.records, Key: attrUserID, Precious: true}),
		dynamo.Ensure(ctx, s.client, dynamo.Table{Name: s.keys, Key: attrKey, Expires: attrExpires}),
	)
}

// Read implements [record.Store].
func (s *Store) Read(ctx context.Context, userID string) (record.Record, error) {
	item, err := s.get(ctx, s.records, attrUserID, userID)
	if err != nil {
		return record.Record{}, err
	}
	r, err := readRecord(userID, item)
	if err != nil {
		return record.Record{}, fmt.Errorf("read the record %s: %w", userID, err)
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
	if !now.Before(key.Expires) {
		return record.Key{}, record.ErrNotFound
	}
	return key, nil
}

func (s *Store) get(ctx context.Context, table, attr, key string) (dynamo.Item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &table, Key: dynamo.Item{attr: dynamo.String(key)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, mapped(err)
	}
	if len(out.Item) == 0 {
		return nil, record.ErrNotFound
	}
	return out.Item, nil
}

// settled calls write until no other transaction is in its way.
func settled(ctx context.Context, write func() error) error {
	wait := conflictWait
	for try := 1; ; try++ {
		err := write()
		if err == nil || try == conflictTries || !dynamo.Conflict(err) {
			return err
		}
		if err := pause(ctx, rand.N(wait)); err != nil {
			return err
		}
		wait *= 2
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mapped adds record.ErrUnavailable where a later try may succeed.
func mapped(err error) error {
	if dynamo.Unavailable(err) {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	return err
}
