package dynamo

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Codes of reasons why a transaction was cancelled.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
const (
	ConditionFailed = "ConditionalCheckFailed"
	conflict        = "TransactionConflict"
)

// throttles are the reasons of a cancelled transaction that pass. As codes of an error they are among the SDK's.
var throttles = []string{"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}

// expired are codes of credentials that a later call has renewed.
var expired = []string{"ExpiredTokenException", "ExpiredToken"}

// Unavailable reports whether a later try may succeed: DynamoDB was not reached, did not answer in time, answered with a failure of its
// own or asked for fewer requests, or there were no credentials for it at the moment. The end of the caller's context counts as well.
func Unavailable(err error) bool {
	if err == nil {
		return false
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return !permanent(err)
	}
	code := api.ErrorCode()
	if retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary ||
		slices.Contains(expired, code) || Conflict(err) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		return slices.ContainsFunc(cancelled.CancellationReasons, func(r types.CancellationReason) bool {
			return slices.Contains(throttles, aws.ToString(r.Code))
		})
	}
	return api.ErrorFault() == smithy.FaultServer || status(err) >= http.StatusInternalServerError
}

// permanent is for errors of the SDK that no answer led to: only a request that cannot be made stays what it is.
func permanent(err error) bool {
	var invalid *smithy.InvalidParamsError
	var unmade *smithy.SerializationError
	return errors.As(err, &invalid) || errors.As(err, &unmade)
}

// Conflict reports whether another transaction was writing the same item, so that nothing was written: try again.
func Conflict(err error) bool {
	var refused *types.TransactionConflictException
	if errors.As(err, &refused) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	return errors.As(err, &cancelled) && slices.ContainsFunc(cancelled.CancellationReasons, func(r types.CancellationReason) bool {
		return aws.ToString(r.Code) == conflict
	})
}

func status(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// Tries watches the tries of one call, which the SDK repeats by itself. It is not safe for concurrent use.
type Tries struct {
	// Unsure is set once a try ended without DynamoDB's word on it, so that it may have been applied: a later try that finds its
	// condition broken may have been broken by the call itself.
	Unsure bool
}

// Watch is the option of a call that is watched.
func (t *Tries) Watch(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Tries", t.try), "Retry", middleware.After)
	})
}

func (t *Tries) try(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	out, meta, err := next.HandleFinalize(ctx, in)
	if s := status(err); err != nil && (s < http.StatusBadRequest || s >= http.StatusInternalServerError) {
		t.Unsure = true // no answer, a failure, or a success that could not be read
	}
	return out, meta, err
}
