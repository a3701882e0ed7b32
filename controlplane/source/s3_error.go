package source

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"adsidecar/internal/awsclient"
)

// explainAWS says what went wrong with a call by what is known to hold no secret: the status and the code of an answer, the cause of a
// broken connection. The SDK's own text quotes requests, the service's text names accounts and keys, and that of a credentials' process
// what it printed.
func explainAWS(err error) error {
	status, code := awsclient.Status(err), awsclient.Code(err)
	switch {
	case status == http.StatusMovedPermanently || code == "AuthorizationHeaderMalformed":
		return fmt.Errorf("status %d, code %.64q: the bucket is in another region", status, code)
	case awsclient.Throttled(err):
		return fmt.Errorf("throttled: status %d, code %.64q", status, code)
	case status != 0 && code != "":
		return fmt.Errorf("status %d, code %.64q", status, code)
	case status >= http.StatusBadRequest:
		return fmt.Errorf("status %d", status)
	}
	var sending *smithyhttp.RequestSendError
	if errors.As(err, &sending) {
		var request *url.Error
		if errors.As(sending.Err, &request) {
			return request.Err
		}
		return sending.Err
	}
	var network *net.OpError
	switch {
	case status != 0:
		return fmt.Errorf("status %d with an answer that cannot be read", status)
	case errors.As(err, &network):
		return fmt.Errorf("find AWS credentials: %w", network) // of the service that gives them
	}
	return errors.New("nothing was sent: no usable AWS credentials in the environment, the shared files or the role")
}
