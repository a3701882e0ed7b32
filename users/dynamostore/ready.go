package dynamostore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/internal/awsclient"
	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

const (
	// readyID is the key of an item that is not there, in either table: no user ID, and no hash.
	readyID = "ready"
	// provedFor is how long a probe proves that the tables can be written, while no write has failed since.
	provedFor = time.Minute
)

// Ready implements [record.Store]. Each call is a consistent read of one item that is not there (one read unit); after a failure, the
// store's own or a write's, and otherwise at most once a minute, also a write to each table whose condition cannot hold (one write unit
// each). They take the way of real ones, permissions and capacity included, and change nothing. A throttled check does not make a ready
// store unready: it answers, and traffic that goes elsewhere meets the same tables.
func (s *Store) Ready(ctx context.Context) error {
	err := s.check(ctx)
	if awsclient.Throttled(err) && s.ready.Load() {
		return nil
	}
	s.ready.Store(err == nil)
	return err
}

func (s *Store) check(ctx context.Context) error {
	_, err := s.get(ctx, s.records, attrUserID, readyID)
	if errors.Is(err, record.ErrNotFound) {
		err = nil
		if age := s.now().UnixNano() - s.proved.Load(); age < 0 || age >= int64(provedFor) {
			err = s.probe(ctx)
		}
	}
	if err != nil {
		s.proved.Store(0)
	}
	return err
}

// probe proves that both tables can be written.
func (s *Store) probe(ctx context.Context) error {
	began := s.now()
	for table, key := range map[string]string{s.records: attrUserID, s.keys: attrKey} {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                &table,
			Item:                     dynamo.Item{key: dynamo.String(readyID)},
			ConditionExpression:      aws.String("attribute_exists(#key)"),
			ExpressionAttributeNames: map[string]string{"#key": key},
		})
		var refused *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &refused) {
			return mapped(err, table)
		}
	}
	s.proved.Store(began.UnixNano())
	return nil
}
