package dynamo

import (
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"adsidecar/internal/awsclient"
)

// ConditionFailed is the code of a reason why a transaction was cancelled: an item's condition did not hold.
const ConditionFailed = "ConditionalCheckFailed"

// passing are the codes of the reasons that may be gone a moment later.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
var passing = []string{"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"}

// expired are codes of credentials that were too old by the service's clock. A later call has newer ones, if anybody renews them.
var expired = []string{"ExpiredTokenException", "ExpiredToken"}

// denied are codes of what the service does not let us do.
var denied = []string{
	"AccessDenied", "AccessDeniedException", "IncompleteSignature", "IncompleteSignatureException", "InvalidClientTokenId",
	"InvalidSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "SignatureDoesNotMatch",
	"UnrecognizedClientException",
}

// Unavailable reports whether a later try may succeed: DynamoDB was not reached, did not answer in time, answered with a failure of its
// own or asked for fewer requests, another transaction was in the way, or there were no valid credentials at the moment. The end of the
// caller's context counts as well.
func Unavailable(err error) bool {
	if err == nil {
		return false
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return !permanent(err)
	}
	return Passing(err) || awsclient.Throttled(err) || slices.Contains(expired, api.ErrorCode()) ||
		api.ErrorFault() == smithy.FaultServer || awsclient.Status(err) >= http.StatusInternalServerError
}

// Denied reports whether a call was refused for want of permission, or of right credentials: it is refused again until somebody mends
// that, for which no restart is needed.
func Denied(err error) bool {
	return slices.Contains(denied, awsclient.Code(err)) || awsclient.Status(err) == http.StatusForbidden
}

// Missing reports whether a table that a call names is not there.
func Missing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// permanent is for errors of the SDK that no answer led to: only a request that cannot be made stays what it is.
func permanent(err error) bool {
	var invalid *smithy.InvalidParamsError
	var unmade *smithy.SerializationError
	return errors.As(err, &invalid) || errors.As(err, &unmade)
}

// Passing reports whether a write was refused, wholly, for what may be gone a moment later: another transaction was writing the same
// item, or a part of the transaction was throttled. The SDK repeats neither: to it, a cancelled transaction is final.
func Passing(err error) bool {
	var refused *types.TransactionConflictException
	if errors.As(err, &refused) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	return errors.As(err, &cancelled) && slices.ContainsFunc(cancelled.CancellationReasons, func(r types.CancellationReason) bool {
		return slices.Contains(passing, aws.ToString(r.Code))
	})
}
