package dynamo

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var errNumber = errors.New("not a whole number")

// Item is an item's attributes by name.
type Item = map[string]types.AttributeValue

// String is a string attribute.
func String(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Int is a number attribute.
func Int(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Map is a map attribute.
func Map(m Item) types.AttributeValue { return &types.AttributeValueMemberM{Value: m} }

// ReadString reads a string; of a number its digits. Everything else, a missing attribute and NULL included, is "".
func ReadString(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	default:
		return ""
	}
}

// ReadInt reads a whole number; a missing attribute and NULL are 0. The error does not quote the value.
func ReadInt(v types.AttributeValue) (int64, error) {
	switch v := v.(type) {
	case nil, *types.AttributeValueMemberNULL:
		return 0, nil
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			return 0, errNumber
		}
		return n, nil
	default:
		return 0, fmt.Errorf("%w but a %T", errNumber, v)
	}
}

// ReadMap reads a map; everything else is nil.
func ReadMap(v types.AttributeValue) Item {
	if m, ok := v.(*types.AttributeValueMemberM); ok {
		return m.Value
	}
	return nil
}
