package awsclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"
)

func answer(status int, body string) smithyhttp.ClientDoFunc {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(body)))}, nil
	}
}

func fails(err error) smithyhttp.ClientDoFunc {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestAttempts(t *testing.T) {
	good := credentials.NewStaticCredentialsProvider("key", "secret", "")
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
	for name, c := range map[string]struct {
		first       smithyhttp.ClientDoFunc // of the tries; all others succeed
		credentials aws.CredentialsProvider
		want        bool
	}{
		"an answer":                   {answer(200, `{}`), good, false},
		"a refusal":                   {answer(400, `{"__type":"x#ConditionalCheckFailedException"}`), good, false},
		"a throttled try":             {answer(400, `{"__type":"x#ThrottlingException"}`), good, false},
		"a failure of the service":    {answer(500, `{}`), good, true},
		"a failure of a proxy":        {answer(502, `<html>`), good, true},
		"an answer that is none":      {answer(200, `<html>`), good, true},
		"a connection that breaks":    {fails(io.ErrUnexpectedEOF), good, true},
		"a connection that is reset":  {fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), good, true},
		"no connection":               {fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), good, false},
		"no credentials":              {answer(200, `{}`), none, false},
		"a context that ends with it": {fails(context.Canceled), good, true},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			client := dynamodb.NewFromConfig(aws.Config{
				Region: "eu-west-1", Credentials: c.credentials,
				Retryer: func() aws.Retryer {
					return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
				},
				HTTPClient: smithyhttp.ClientDoFunc(func(r *http.Request) (*http.Response, error) {
					if tries++; tries > 1 {
						return answer(200, `{}`)(r)
					}
					res, err := c.first(r)
					if errors.Is(err, context.Canceled) {
						cancel()
					}
					return res, err
				}),
			})
			var a Attempts
			// Whatever becomes of the call.
			_, _ = client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("table"), Key: map[string]types.AttributeValue{}},
				dynamodb.WithAPIOptions(a.Watch))
			require.Equal(t, c.want, a.MaybeApplied)
		})
	}
}
