package awsclient

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Attempts watches the tries that the SDK makes of a call by itself, and tells of only where the call succeeds in the end. Several calls
// may be watched one after another; it is not safe for concurrent use.
type Attempts struct {
	// MaybeApplied is set once a try may have taken effect although the service did not say so: it sent no answer, a failure of its
	// own, or an answer that could not be read. A later try that finds its way barred may be barred by that one.
	MaybeApplied bool
}

// Watch is for the WithAPIOptions of a service, as an option of the call.
func (a *Attempts) Watch(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("WatchAttempts", a.handle), "Retry", middleware.After)
}

func (a *Attempts) handle(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleFinalize(ctx, in)
	if err != nil && maybeApplied(err) {
		a.MaybeApplied = true
	}
	return out, metadata, err
}

func maybeApplied(err error) bool {
	if status := Status(err); status != 0 {
		return status < http.StatusBadRequest || status >= http.StatusInternalServerError
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return false // never sent
	}
	// Other errors come before the sending: of the credentials, for example.
	var sending *smithyhttp.RequestSendError
	var ended *smithy.CanceledError
	return errors.As(err, &sending) || errors.As(err, &ended)
}

// Status is the HTTP status of the answer that an error is about; 0 where there was none.
func Status(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}
