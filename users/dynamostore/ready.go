package dynamostore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

// readyAge is how long a success is believed: anybody may ask for the health of the service.
const readyAge = time.Second

// readyID is the key of an item that is not there, in either table: no user ID, and no hash.
const readyID = "ready"

type readiness struct {
	turn chan struct{} // one check at a time
	last time.Time     // of the last success
}

// Ready implements [record.Store]: a read, and a write to each table whose condition cannot hold. They take the way of real ones,
// permissions and capacity included, and change nothing. A success counts for a second.
func (s *Store) Ready(ctx context.Context) error {
	select {
	case s.ready.turn <- struct{}{}:
		defer func() { <-s.ready.turn }()
	case <-ctx.Done():
		return mapped(ctx.Err())
	}
	if age := s.now().Sub(s.ready.last); age >= 0 && age < readyAge {
		return nil
	}
	if _, err := s.get(ctx, s.records, attrUserID, readyID); !errors.Is(err, record.ErrNotFound) {
		return err
	}
	for table, key := range map[string]string{s.records: attrUserID, s.keys: attrKey} {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                &table,
			Item:                     dynamo.Item{key: dynamo.String(readyID)},
			ConditionExpression:      aws.String("attribute_exists(#key)"),
			ExpressionAttributeNames: map[string]string{"#key": key},
		})
		var refused *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &refused) {
			return mapped(err)
		}
	}
	s.ready.last = s.now()
	return nil
}
