package dynamo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"adsidecar/internal/awsclient"
)

// Explain is err with a text that may be logged: of what an AWS service answered only the operation, the status and the codes. The
// service's own text names accounts, roles and tables. Any other error is as it was, and errors.As finds in each what was in it.
func Explain(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	var b strings.Builder
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		fmt.Fprintf(&b, "%s %s: ", operation.Service(), operation.Operation())
	}
	fmt.Fprintf(&b, "status %d, code %.64q", awsclient.Status(err), api.ErrorCode())
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		codes := make([]string, len(cancelled.CancellationReasons))
		for i, r := range cancelled.CancellationReasons {
			codes[i] = aws.ToString(r.Code)
		}
		fmt.Fprintf(&b, ", reasons %.64q", codes)
	}
	return &explainedError{b.String(), err}
}

// explainedError is an error in other words.
type explainedError struct {
	text  string
	cause error
}

// Error implements error.
func (e *explainedError) Error() string { return e.text }

// Unwrap is for errors.Is and errors.As; its text is not to be shown.
func (e *explainedError) Unwrap() error { return e.cause }
