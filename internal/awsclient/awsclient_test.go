package awsclient

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestLoad(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-2")
	c, err := Load(t.Context(), "eu-west-1", "http://127.0.0.1:1", zap.NewNop())
	require.NoError(t, err)
	require.Equal(t, "eu-west-1", c.Region, "the argument goes before the environment")
	require.Equal(t, "http://127.0.0.1:1", *c.BaseEndpoint)
	require.Equal(t, tries, c.Retryer().MaxAttempts())
	credentials, err := c.Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "key", credentials.AccessKeyID)

	c, err = Load(t.Context(), "eu-west-1", "", zap.NewNop())
	require.NoError(t, err)
	require.Nil(t, c.BaseEndpoint)
}

// TestTheEndpointIsOurs: the configuration says where to go, not a variable that is there for another program.
func TestTheEndpointIsOurs(t *testing.T) {
	for name, variable := range map[string][2]string{
		"one for all services":       {"AWS_ENDPOINT_URL", "http://127.0.0.1:2"},
		"one for this service":       {"AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2"},
		"a wish to have none at all": {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(variable[0], variable[1])
			c, err := Load(t.Context(), "eu-west-1", "http://127.0.0.1:1", zap.NewNop())
			require.NoError(t, err)
			require.Equal(t, "http://127.0.0.1:1", *dynamodb.NewFromConfig(c).Options().BaseEndpoint)
		})
	}
}

func TestBackoffGrowsToASecond(t *testing.T) {
	for attempt, most := range map[int]time.Duration{0: 50 * time.Millisecond, 1: 100 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 1000: time.Second} {
		var longest time.Duration
		for range 1000 {
			wait, err := backoff(attempt, nil)
			require.NoError(t, err)
			longest = max(longest, wait)
		}
		require.Less(t, longest, most)
		require.Greater(t, longest, most/2, "with 1000 tries")
	}
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		err       error
		code      string
		throttled bool
	}{
		"throttling":                 {&smithy.GenericAPIError{Code: "ThrottlingException"}, "ThrottlingException", true},
		"throughput":                 {&smithy.GenericAPIError{Code: "ProvisionedThroughputExceededException"}, "ProvisionedThroughputExceededException", true},
		"too many requests, wrapped": {fmt.Errorf("sign in: %w", &smithy.GenericAPIError{Code: "TooManyRequestsException"}), "TooManyRequestsException", true},
		"another error of a service": {&smithy.GenericAPIError{Code: "ResourceNotFoundException"}, "ResourceNotFoundException", false},
		"no answer":                  {errors.New("connection refused"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.code, Code(tc.err))
			require.Equal(t, tc.throttled, Throttled(tc.err))
		})
	}
}
