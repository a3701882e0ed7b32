// Package awsclient makes the configuration of AWS clients: where the endpoint and the credentials come from, how often a call is tried
// again, how long it may take, and what its tries and errors tell ([Attempts]). DynamoDB and Cognito share it.
package awsclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"go.uber.org/zap"
)

const (
	// tries and maxBackoff bound a call together with the context that every caller gives it.
	tries        = 4
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second

	connectTimeout  = 2 * time.Second
	responseTimeout = 5 * time.Second
	idleTimeout     = 30 * time.Second // AWS closes idle connections after a minute or more: ours go first
	connections     = 64
)

// Load makes the configuration for a region. Credentials come from the SDK's own chain: environment, shared files, container or
// instance role; they are looked up with the first call. endpoint replaces AWS's own where it is not empty. The SDK's warnings go to log.
func Load(ctx context.Context, region, endpoint string, log *zap.Logger) (aws.Config, error) {
	// The SDK's own client, because it knows AWS_CA_BUNDLE.
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = connectTimeout
			t.ResponseHeaderTimeout = responseTimeout
			t.IdleConnTimeout = idleTimeout
			t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
		})
	options := []func(*config.LoadOptions) error{
		config.WithRegion(region),
		config.WithHTTPClient(client),
		config.WithLogger(logger(log)),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.Backoff = tries, retry.BackoffDelayerFunc(backoff)
			})
		}),
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("configure AWS: %w", err)
	}
	if endpoint != "" {
		c.BaseEndpoint = &endpoint
		// Here each client would look for an endpoint of its service (AWS_ENDPOINT_URL_DYNAMODB), which goes before ours.
		c.ConfigSources = nil
	}
	return c, nil
}

// logger takes the SDK's lines to log. By itself it would write them to stderr, in between a program's lines of JSON.
func logger(log *zap.Logger) logging.Logger {
	return logging.LoggerFunc(func(level logging.Classification, format string, args ...any) {
		say := log.Debug
		if level == logging.Warn {
			say = log.Warn
		}
		say("AWS SDK", zap.String("text", fmt.Sprintf(format, args...)))
	})
}

// backoff is the wait before a further try, from the first on: a random part of a time that doubles. The SDK's own, bounded by a second,
// is always a second.
func backoff(attempt int, _ error) (time.Duration, error) {
	longest := min(firstBackoff<<min(attempt, 10), maxBackoff)
	return rand.N(longest), nil
}

// Code is the service's name of an error, such as "ThrottlingException"; "" where the service was not reached.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Throttled reports whether the service asked for fewer requests.
func Throttled(err error) bool {
	return retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}
