package dynamostore

import (
	"fmt"
	"time"

	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

// Attributes of the table of records.
const (
	attrUserID       = "userId"
	attrTitle        = "title"
	attrFirstName    = "firstName"
	attrLastName     = "lastName"
	attrMobileNumber = "mobileNumber"
	attrAddress      = "address"
	attrPostcode     = "postcode"
	attrSuburb       = "suburb"
	attrState        = "state"
	attrFullAddress  = "fullAddress"
	attrOwner        = "owner"
	attrVersion      = "version"
)

// Attributes of the table of idempotency keys. It has userId as well: of the record that was created with the key.
const (
	attrKey     = "key"
	attrRequest = "request"
	attrExpires = "expires" // Unix seconds: DynamoDB removes the item after it
)

// attrWriteID is the random name of the last write of an item, of either table.
const attrWriteID = "writeId"

func recordItem(r record.Record) dynamo.Item {
	item := attributesItem(r.Attributes)
	item[attrUserID] = dynamo.String(r.UserID)
	item[attrAddress] = dynamo.Map(addressItem(r.Address))
	item[attrOwner] = dynamo.String(r.Owner)
	item[attrVersion] = dynamo.Int(r.Version)
	return item
}

// attributesItem is without the address.
func attributesItem(a record.Attributes) dynamo.Item {
	return dynamo.Item{
		attrTitle:        dynamo.String(a.Title),
		attrFirstName:    dynamo.String(a.FirstName),
		attrLastName:     dynamo.String(a.LastName),
		attrMobileNumber: dynamo.String(a.MobileNumber),
	}
}

func addressItem(a record.Address) dynamo.Item {
	return dynamo.Item{
		attrPostcode:    dynamo.String(a.Postcode),
		attrSuburb:      dynamo.String(a.Suburb),
		attrState:       dynamo.String(a.State),
		attrFullAddress: dynamo.String(a.FullAddress),
	}
}

// readRecord reads leniently what others wrote: whatever is missing or of another type is "", and without a version it is 0.
func readRecord(userID string, item dynamo.Item) (record.Record, error) {
	owner := dynamo.ReadString(item[attrOwner])
	version, err := dynamo.ReadInt(item[attrVersion])
	if err != nil {
		return record.Record{UserID: userID, Owner: owner}, fmt.Errorf("%w: the version is %w", record.ErrDamaged, err)
	}
	address := dynamo.ReadMap(item[attrAddress])
	return record.Record{
		UserID: userID,
		Attributes: record.Attributes{
			Title:        dynamo.ReadString(item[attrTitle]),
			FirstName:    dynamo.ReadString(item[attrFirstName]),
			LastName:     dynamo.ReadString(item[attrLastName]),
			MobileNumber: dynamo.ReadString(item[attrMobileNumber]),
			Address: record.Address{
				Postcode:    dynamo.ReadString(address[attrPostcode]),
				Suburb:      dynamo.ReadString(address[attrSuburb]),
				State:       dynamo.ReadString(address[attrState]),
				FullAddress: dynamo.ReadString(address[attrFullAddress]),
			},
		},
		Owner:   owner,
		Version: version,
	}, nil
}

func keyItem(k record.Key) dynamo.Item {
	return dynamo.Item{
		attrKey:     dynamo.String(k.Name),
		attrRequest: dynamo.String(k.Request),
		attrUserID:  dynamo.String(k.UserID),
		attrExpires: dynamo.Int(k.Expires.Unix()),
	}
}

func readKey(name string, item dynamo.Item) (record.Key, error) {
	expires, err := dynamo.ReadInt(item[attrExpires])
	if err != nil {
		return record.Key{}, fmt.Errorf("the expiry is %w", err)
	}
	return record.Key{
		Name:    name,
		Request: dynamo.ReadString(item[attrRequest]),
		UserID:  dynamo.ReadString(item[attrUserID]),
		Expires: time.Unix(expires, 0).UTC(),
	}, nil
}
