package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

func cancelled(codes ...string) error {
	e := &types.TransactionCanceledException{}
	for _, c := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
	}
	return fmt.Errorf("call: %w", e)
}

func TestErrorsThatPass(t *testing.T) {
	for name, test := range map[string]struct {
		err                  error
		unavailable, passing bool
	}{
		"no error":                     {nil, false, false},
		"no connection":                {&net.OpError{Op: "dial", Err: errors.New("refused")}, true, false},
		"a deadline":                   {context.DeadlineExceeded, true, false},
		"a server's fault":             {&types.InternalServerError{}, true, false},
		"a fault by its kind":          {&smithy.GenericAPIError{Code: "X", Fault: smithy.FaultServer}, true, false},
		"throttling":                   {&smithy.GenericAPIError{Code: "ThrottlingException"}, true, false},
		"capacity":                     {&types.ProvisionedThroughputExceededException{}, true, false},
		"expired credentials":          {&smithy.GenericAPIError{Code: "ExpiredTokenException"}, true, false},
		"a transaction's throttling":   {cancelled("None", "ThrottlingError"), true, true},
		"a transaction's capacity":     {cancelled("ProvisionedThroughputExceeded", "None"), true, true},
		"a condition and a conflict":   {cancelled("ConditionalCheckFailed", "TransactionConflict"), true, true},
		"a transaction's conflict":     {cancelled("TransactionConflict", "None"), true, true},
		"another transaction":          {&types.TransactionConflictException{}, true, true},
		"a failed condition":           {&types.ConditionalCheckFailedException{}, false, false},
		"a transaction's condition":    {cancelled("None", "ConditionalCheckFailed"), false, false},
		"a transaction without reason": {cancelled(), false, false},
		"a missing table":              {&types.ResourceNotFoundException{}, false, false},
		"no permission":                {&smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}, false, false},
		"a request that is none":       {&smithy.SerializationError{Err: errors.New("x")}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.unavailable, Unavailable(test.err))
			require.Equal(t, test.passing, Passing(test.err))
			require.Equal(t, name == "a missing table", Missing(test.err))
			require.Equal(t, name == "no permission", Denied(test.err))
		})
	}
}

func TestAttributesAreReadLeniently(t *testing.T) {
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	null := &types.AttributeValueMemberNULL{Value: true}
	for name, test := range map[string]struct {
		value  types.AttributeValue
		text   string
		number int64
		bad    bool
	}{
		"missing":            {nil, "", 0, false},
		"NULL":               {null, "", 0, false},
		"a text":             {String("x"), "x", 0, true},
		"a number":           {Int(-7), "-7", -7, false},
		"a fraction":         {number("1.5"), "1.5", 0, true},
		"a number too large": {number("9223372036854775808"), "9223372036854775808", 0, true},
		"a map":              {Map(Item{"a": String("b")}), "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.text, ReadString(test.value))
			n, err := ReadInt(test.value)
			require.Equal(t, test.bad, err != nil)
			require.Equal(t, test.number, n)
		})
	}
	require.Nil(t, ReadMap(null))
	require.Equal(t, Item{"a": String("b")}, ReadMap(Map(Item{"a": String("b")})))
}
