package cognito

import (
	"context"
	"errors"
	"net"
	"net/http"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// tries watches the tries that the SDK makes of one call. The SDK tells of them only where the call succeeds in the end.
type tries struct {
	// lost: a try may have taken effect without telling so.
	lost bool
}

// watch is an option of one call.
func (t *tries) watch(o *cip.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("WatchTries", t.handle), "Retry", middleware.After)
	})
}

func (t *tries) handle(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleFinalize(ctx, in)
	if err != nil && mayHaveTakenEffect(err) {
		t.lost = true
	}
	return out, metadata, err
}

func mayHaveTakenEffect(err error) bool {
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return false // never sent
	}
	if status := httpStatus(err); status != 0 {
		return status >= http.StatusInternalServerError || status < http.StatusBadRequest
	}
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent)
}

// httpStatus is the status of the answer; 0 where there was none.
func httpStatus(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}
