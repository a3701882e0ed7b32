package dynamostore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/controlplane/revision"
	"adsidecar/internal/awsclient"
	"adsidecar/internal/dynamo"
)

// errUnknown is for a commit of which no answer came, and whose traces later ones have covered.
var errUnknown = fmt.Errorf("%w: it is unknown whether the commit was applied", revision.ErrUnavailable)

// Commit implements [revision.Store].
func (s *Store) Commit(ctx context.Context, puts ...revision.Put) error {
	if err := revision.CheckPuts(puts); err != nil {
		return err
	}
	id := s.newID()
	all := make([]types.Put, len(puts))
	for i, p := range puts {
		all[i] = s.put(p, id)
	}
	var tries awsclient.Attempts
	err := again(ctx, func() (bool, error) {
		if err := s.write(ctx, all, id, &tries); err != nil {
			return false, err
		}
		return true, nil
	})
	there, refused := inTheWay(err, puts)
	if !refused {
		return s.mapped(err)
	}
	return judge(puts, there, id, tries.MaybeApplied)
}

func (s *Store) put(p revision.Put, id string) types.Put {
	put := types.Put{
		TableName: &s.table,
		Item: dynamo.Item{
			attrKey:     dynamo.String(p.Key),
			attrValue:   &types.AttributeValueMemberB{Value: p.Value},
			attrVersion: dynamo.Int(int64(p.Version + 1)),
			attrWriteID: dynamo.String(id),
		},
		ConditionExpression:                 aws.String("#version = :version"),
		ExpressionAttributeNames:            map[string]string{"#version": attrVersion},
		ExpressionAttributeValues:           dynamo.Item{":version": dynamo.Int(int64(p.Version))},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if p.Version == 0 {
		put.ConditionExpression = aws.String("attribute_not_exists(#key)")
		put.ExpressionAttributeNames = map[string]string{"#key": attrKey}
		put.ExpressionAttributeValues = nil
	}
	return put
}

func (s *Store) write(ctx context.Context, puts []types.Put, id string, tries *awsclient.Attempts) error {
	if len(puts) == 1 { // costs half of a transaction
		p := puts[0]
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: p.TableName, Item: p.Item,
			ConditionExpression:                 p.ConditionExpression,
			ExpressionAttributeNames:            p.ExpressionAttributeNames,
			ExpressionAttributeValues:           p.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: p.ReturnValuesOnConditionCheckFailure,
		}, dynamodb.WithAPIOptions(tries.Watch))
		return err
	}
	items := make([]types.TransactWriteItem, len(puts))
	for i := range puts {
		items[i].Put = &puts[i]
	}
	_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: &id, TransactItems: items,
	}, dynamodb.WithAPIOptions(tries.Watch))
	return err
}

// inTheWay returns what was found under each key whose condition did not hold, nil under others.
func inTheWay(err error, puts []revision.Put) (there []dynamo.Item, refused bool) {
	var alone *types.ConditionalCheckFailedException
	if errors.As(err, &alone) {
		return []dynamo.Item{present(alone.Item)}, true
	}
	var together *types.TransactionCanceledException
	if !errors.As(err, &together) || len(together.CancellationReasons) != len(puts) {
		return nil, false
	}
	there = make([]dynamo.Item, len(puts))
	for i, r := range together.CancellationReasons {
		if aws.ToString(r.Code) == dynamo.ConditionFailed {
			there[i], refused = present(r.Item), true
		}
	}
	return there, refused
}

// present is not nil.
func present(item dynamo.Item) dynamo.Item {
	if item == nil {
		return dynamo.Item{}
	}
	return item
}

// judge says what a refusal means. If a try of our own may have been applied, what is in the way may be ours; or it was written over ours,
// unless it is the first write after the version that we asked for.
func judge(puts []revision.Put, there []dynamo.Item, id string, maybeApplied bool) error {
	verdict := errUnknown
	for i, item := range there {
		if item == nil {
			continue
		}
		if dynamo.ReadString(item[attrWriteID]) == id {
			return nil
		}
		version, err := dynamo.ReadInt(item[attrVersion])
		if err != nil {
			return fmt.Errorf("%w: commit %s: the version there is %w", revision.ErrDamaged, puts[i].Key, err)
		}
		if uint64(version) <= puts[i].Version+1 {
			verdict = revision.ErrConflict
		}
	}
	if !maybeApplied {
		return revision.ErrConflict
	}
	return verdict
}
