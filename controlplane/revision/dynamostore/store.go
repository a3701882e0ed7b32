// Package dynamostore keeps revisions in a DynamoDB table, for any number of processes.
//
// An item is a key with its value, its version, and writeId, a random name of the commit that wrote it. A commit of one value is a
// conditional write, one of several a transaction. Reads are consistent.
//
// The SDK repeats a call that got no answer, which may have been applied. Then the repetition finds its own values in the way, and knows
// them by the writeId. Where even that cannot tell, because somebody has overwritten all of them since, the answer is
// [revision.ErrUnavailable], never a guess.
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
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/controlplane/revision"
	"adsidecar/internal/dynamo"
)

// Attributes of the table.
const (
	attrKey     = "key"
	attrValue   = "value"
	attrVersion = "version"
	attrWriteID = "writeId"
)

const (
	// passingTries and the waits between them are for what may be gone a moment later: see [dynamo.Passing], and requests of which
	// DynamoDB has done only a part.
	passingTries = 8
	passingWait  = 25 * time.Millisecond // the longest first wait; each further one is twice as long
)

// Store is a [revision.Store] in DynamoDB. It is safe for concurrent use.
type Store struct {
	client *dynamodb.Client
	table  string
	newID  func() string // of a commit
}

var _ revision.Store = (*Store)(nil)

// New makes a store of the table, which must be there; see [Store.Init]. It sends nothing.
func New(c aws.Config, table string) *Store {
	return &Store{client: dynamodb.NewFromConfig(c), table: table, newID: cryptorand.Text}
}

// Init makes the table where it is missing, and waits until it can be used. See [dynamo.Ensure].
func (s *Store) Init(ctx context.Context) error {
	return dynamo.Ensure(ctx, s.client, dynamo.Table{Name: s.table, Key: attrKey, Protected: true})
}

// Read implements [revision.Store].
func (s *Store) Read(ctx context.Context, keys ...string) ([]revision.Entry, error) {
	if err := revision.CheckKeys(keys); err != nil {
		return nil, err
	}
	wanted := make([]dynamo.Item, len(keys))
	for i, key := range keys {
		wanted[i] = dynamo.Item{attrKey: dynamo.String(key)}
	}
	found := make(map[string]dynamo.Item, len(keys))
	err := again(ctx, func() (bool, error) {
		out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: wanted, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return false, err
		}
		for _, item := range out.Responses[s.table] {
			found[dynamo.ReadString(item[attrKey])] = item
		}
		wanted = out.UnprocessedKeys[s.table].Keys
		return len(wanted) == 0, nil
	})
	if err != nil {
		return nil, s.mapped(err)
	}
	entries := make([]revision.Entry, len(keys))
	for i, key := range keys {
		item, ok := found[key]
		if !ok {
			continue
		}
		if entries[i], err = readEntry(item); err != nil {
			return nil, fmt.Errorf("%w: read %s: %w", revision.ErrDamaged, key, err)
		}
	}
	return entries, nil
}

func readEntry(item dynamo.Item) (revision.Entry, error) {
	version, err := dynamo.ReadInt(item[attrVersion])
	if err != nil {
		return revision.Entry{}, fmt.Errorf("its version is %w", err)
	}
	value, ok := item[attrValue].(*types.AttributeValueMemberB)
	if version < 1 || !ok || len(value.Value) == 0 {
		return revision.Entry{}, errors.New("it has no version or no value")
	}
	return revision.Entry{Value: value.Value, Version: uint64(version)}, nil
}

// Remove implements [revision.Store].
func (s *Store) Remove(ctx context.Context, keys ...string) error {
	if err := revision.CheckKeys(keys); err != nil {
		return err
	}
	left := make([]types.WriteRequest, len(keys))
	for i, key := range keys {
		left[i].DeleteRequest = &types.DeleteRequest{Key: dynamo.Item{attrKey: dynamo.String(key)}}
	}
	return s.mapped(again(ctx, func() (bool, error) {
		out, err := s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.table: left}})
		if err != nil {
			return false, err
		}
		left = out.UnprocessedItems[s.table]
		return len(left) == 0, nil
	}))
}

// Ready is nil while the table can be read.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.Read(ctx, "ready")
	return err
}

var errPart = fmt.Errorf("%w: DynamoDB has done only a part", revision.ErrUnavailable)

// again calls fn until it is done, and again after an error that is passing.
func again(ctx context.Context, fn func() (done bool, err error)) error {
	wait := passingWait
	for try := 1; ; try++ {
		done, err := fn()
		if done || err != nil && !dynamo.Passing(err) {
			return err
		}
		if try == passingTries {
			if err == nil {
				err = errPart
			}
			return err
		}
		if err := dynamo.Pause(ctx, rand.N(wait)); err != nil {
			return err
		}
		wait *= 2
	}
}

// mapped adds revision.ErrUnavailable where a later try may succeed, as once somebody has given us a permission that is missing, and takes
// from the error what names accounts and roles.
func (s *Store) mapped(err error) error {
	if dynamo.Missing(err) {
		return fmt.Errorf("%w: there is no table %s: %w", revision.ErrUnavailable, s.table, dynamo.Explain(err))
	}
	if !errors.Is(err, revision.ErrUnavailable) && (dynamo.Unavailable(err) || dynamo.Denied(err)) {
		return fmt.Errorf("%w: %w", revision.ErrUnavailable, dynamo.Explain(err))
	}
	return dynamo.Explain(err)
}
