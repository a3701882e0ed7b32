package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/internal/awsclient"
	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

// errUnknown is for a write of which no answer came, and whose traces a later write has covered.
var errUnknown = fmt.Errorf("%w: it is unknown whether the write was applied", record.ErrUnavailable)

// Create implements [record.Store]. With a key it is a transaction; a single write, which costs half, is enough without.
func (s *Store) Create(ctx context.Context, r record.Record, key *record.Key, now time.Time) error {
	id := s.newID()
	item := recordItem(r)
	item[attrWriteID] = dynamo.String(id)
	var tries awsclient.Attempts
	err := s.try(ctx, func() error {
		if key == nil {
			return s.put(ctx, item, &tries)
		}
		return s.putBoth(ctx, item, *key, now, id, &tries)
	})
	var alone *types.ConditionalCheckFailedException
	var both *types.TransactionCanceledException
	switch {
	case errors.As(err, &alone):
		return taken(alone.Item, r, id, tries.MaybeApplied)
	case errors.As(err, &both) && len(both.CancellationReasons) == 2:
		keyReason, recordReason := both.CancellationReasons[0], both.CancellationReasons[1]
		if failed(keyReason) {
			if written(keyReason.Item, id) {
				return nil
			}
			return record.ErrKeyTaken
		}
		if failed(recordReason) && !dynamo.Passing(err) {
			return taken(recordReason.Item, r, id, tries.MaybeApplied)
		}
	}
	if key == nil {
		return mapped(err, s.records)
	}
	return mapped(err, s.records, s.keys)
}

func (s *Store) put(ctx context.Context, item dynamo.Item, tries *awsclient.Attempts) error {
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &s.records,
		Item:                                item,
		ConditionExpression:                 aws.String("attribute_not_exists(#id)"),
		ExpressionAttributeNames:            map[string]string{"#id": attrUserID},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, dynamodb.WithAPIOptions(tries.Watch))
	return err
}

func (s *Store) putBoth(ctx context.Context, item dynamo.Item, key record.Key, now time.Time, id string, tries *awsclient.Attempts) error {
	keyed := keyItem(key)
	keyed[attrWriteID] = dynamo.String(id)
	_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: &id,
		TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{
				TableName:                           &s.keys,
				Item:                                keyed,
				ConditionExpression:                 aws.String("attribute_not_exists(#key) OR #expires <= :now"),
				ExpressionAttributeNames:            map[string]string{"#key": attrKey, "#expires": attrExpires},
				ExpressionAttributeValues:           dynamo.Item{":now": dynamo.Int(now.Unix())},
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
			{Put: &types.Put{
				TableName:                           &s.records,
				Item:                                item,
				ConditionExpression:                 aws.String("attribute_not_exists(#id)"),
				ExpressionAttributeNames:            map[string]string{"#id": attrUserID},
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
		},
	}, dynamodb.WithAPIOptions(tries.Watch))
	return err
}

func failed(r types.CancellationReason) bool { return aws.ToString(r.Code) == dynamo.ConditionFailed }

func written(item dynamo.Item, id string) bool { return dynamo.ReadString(item[attrWriteID]) == id }

// taken judges the record that was in the way of a create. If a try of our own may have been applied, the record may be ours although
// somebody has updated it since: an owner is never changed, a writeId is.
func taken(there dynamo.Item, r record.Record, id string, maybeApplied bool) error {
	if written(there, id) {
		return nil
	}
	version, err := dynamo.ReadInt(there[attrVersion])
	if maybeApplied && (err != nil || version > r.Version) && dynamo.ReadString(there[attrOwner]) == r.Owner {
		return errUnknown
	}
	return record.ErrExists
}

// Update implements [record.Store].
func (s *Store) Update(ctx context.Context, r, from record.Record) error {
	id := s.newID()
	var tries awsclient.Attempts
	inside := true // the attributes of the address are set inside the map, whose other attributes stay
	for range passingTries {
		err := s.try(ctx, func() error {
			_, err := s.client.UpdateItem(ctx, s.update(r, from, id, inside), dynamodb.WithAPIOptions(tries.Watch))
			return err
		})
		var refused *types.ConditionalCheckFailedException
		if !errors.As(err, &refused) {
			return mapped(err, s.records)
		}
		there := refused.Item
		if len(there) == 0 {
			return record.ErrNotFound
		}
		if written(there, id) {
			return nil
		}
		version, err := dynamo.ReadInt(there[attrVersion])
		if err != nil {
			return fmt.Errorf("update the record %s: its version is %w", r.UserID, err)
		}
		if version != from.Version {
			// The write that led away from the version is known by its writeId while it is the last one.
			if tries.MaybeApplied && version > r.Version {
				return errUnknown
			}
			return record.ErrVersion
		}
		inside = dynamo.ReadMap(there[attrAddress]) != nil // it was the address that was other than we thought
	}
	return fmt.Errorf("%w: the record changes all the time", record.ErrUnavailable)
}

// update writes what differs between from and r if the item has the version of from and, where the address differs, an address as inside
// says. One that is no map is replaced: its client has given a value to a part of it, and there is nothing else that it could be a part of.
func (s *Store) update(r, from record.Record, id string, inside bool) *dynamodb.UpdateItemInput {
	e := expression{names: map[string]string{}, values: dynamo.Item{}}
	version := e.name(attrVersion)
	condition := version + " = " + e.value("from", dynamo.Int(from.Version))
	if from.Version == 0 { // a record that was there before has none
		condition = "attribute_exists(" + e.name(attrUserID) + ") AND (attribute_not_exists(" + version + ") OR " + condition +
			" OR attribute_type(" + version + ", " + e.value("null", dynamo.String("NULL")) + "))"
	}
	for name, v := range changed(attributesItem(from.Attributes), attributesItem(r.Attributes)) {
		e.set(e.name(name), name, v)
	}
	e.set(version, attrVersion, dynamo.Int(r.Version))
	e.set(e.name(attrWriteID), attrWriteID, dynamo.String(id))

	if parts := changed(addressItem(from.Address), addressItem(r.Address)); len(parts) > 0 {
		address := e.name(attrAddress)
		isMap := "attribute_type(" + address + ", " + e.value("map", dynamo.String("M")) + ")"
		if inside {
			condition += " AND " + isMap
			for name, v := range parts {
				e.set(address+"."+e.name(name), name, v)
			}
		} else {
			condition += " AND NOT " + isMap
			e.set(address, attrAddress, dynamo.Map(addressItem(r.Address)))
		}
	}
	return &dynamodb.UpdateItemInput{
		TableName:                           &s.records,
		Key:                                 dynamo.Item{attrUserID: dynamo.String(r.UserID)},
		UpdateExpression:                    aws.String("SET " + e.sets),
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// changed are the strings of to that are others in from.
func changed(from, to dynamo.Item) dynamo.Item {
	maps.DeleteFunc(to, func(name string, v types.AttributeValue) bool {
		return dynamo.ReadString(v) == dynamo.ReadString(from[name])
	})
	return to
}

// expression collects the placeholders of an update. Every name is one: DynamoDB reserves hundreds of words, "owner" and "state" too.
type expression struct {
	names  map[string]string
	values dynamo.Item
	sets   string
}

func (e *expression) name(attr string) string {
	e.names["#"+attr] = attr
	return "#" + attr
}

func (e *expression) value(name string, v types.AttributeValue) string {
	e.values[":"+name] = v
	return ":" + name
}

func (e *expression) set(path, name string, v types.AttributeValue) {
	if e.sets != "" {
		e.sets += ", "
	}
	e.sets += path + " = " + e.value(name, v)
}
