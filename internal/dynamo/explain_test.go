package dynamo

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"
)

// answered is err as the SDK returns it for an answer with the status.
func answered(status int, err error) error {
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithy.OperationError{
		ServiceID: "DynamoDB", OperationName: "PutItem", Err: &smithyhttp.ResponseError{Response: response, Err: err},
	}
}

func TestWhatTheServiceSaysIsNotLogged(t *testing.T) {
	const text = "User: arn:aws:sts::123456789012:assumed-role/ads/i-0 is not authorized to perform: dynamodb:PutItem on resource: arn:x"
	cancelled := cancelled("None", "ConditionalCheckFailed")
	for name, tc := range map[string]struct {
		err    error
		want   string
		denied bool
	}{
		"no permission": {
			answered(400, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: text}),
			`DynamoDB PutItem: status 400, code "AccessDeniedException"`, true,
		},
		"a role that may not be taken": {
			answered(403, &smithy.GenericAPIError{Code: "AccessDenied", Message: text}), `DynamoDB PutItem: status 403, code "AccessDenied"`, true,
		},
		"a key that is none": {
			answered(400, &smithy.GenericAPIError{Code: "UnrecognizedClientException", Message: text}),
			`DynamoDB PutItem: status 400, code "UnrecognizedClientException"`, true,
		},
		"forbidden for a reason of its own": {
			answered(403, &smithy.GenericAPIError{Code: "X", Message: text}), `DynamoDB PutItem: status 403, code "X"`, true,
		},
		"a request that is refused": {
			fmt.Errorf("put: %w", answered(400, &smithy.GenericAPIError{Code: "ValidationException", Message: text})),
			`DynamoDB PutItem: status 400, code "ValidationException"`, false,
		},
		"a transaction": {answered(400, cancelled), `DynamoDB PutItem: status 400, code "TransactionCanceledException", reasons ["None" "ConditionalCheckFailed"]`, false},
		"no answer":     {errors.New("dial tcp: refused"), "dial tcp: refused", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := Explain(tc.err)
			require.Equal(t, tc.want, got.Error())
			require.NotContains(t, fmt.Sprintf("%+v", got), "arn:")
			require.ErrorIs(t, got, tc.err)
			require.Equal(t, tc.denied, Denied(got))
			require.Equal(t, Unavailable(tc.err), Unavailable(got))
		})
	}
	require.NoError(t, Explain(nil))
	var inside *types.TransactionCanceledException
	require.ErrorAs(t, Explain(answered(400, cancelled)), &inside)
}
