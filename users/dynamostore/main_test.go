package dynamostore

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"adsidecar/e2e/stack"
	"adsidecar/internal/awsclient"
	"adsidecar/users/record"
	"adsidecar/users/storetest"
)

// moto is DynamoDB for all tests.
var moto stack.SharedMoto

func TestMain(m *testing.M) {
	code := m.Run()
	moto.Close()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// endpoint is moto's address. Tests of this package do not run in parallel.
func endpoint(t *testing.T) string {
	t.Helper()
	address, err := moto.Endpoint()
	require.NoError(t, err)
	return address
}

var tables int

// newStore is a store of new tables behind a proxy.
func newStore(t *testing.T) (*Store, *proxy) {
	t.Helper()
	p := newProxy(t, endpoint(t))
	tables++
	s := New(clientConfig(t, p.server.URL), fmt.Sprintf("users-%d", tables))
	require.NoError(t, s.Init(within(t)))
	return s, p
}

func clientConfig(t *testing.T, url string) aws.Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	c, err := awsclient.Load(t.Context(), "eu-west-1", url, zap.NewNop())
	require.NoError(t, err)
	retryer := c.Retryer
	c.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retryer(), 5*time.Millisecond) }
	t.Cleanup(func() {
		if client, ok := c.HTTPClient.(*http.Client); ok {
			client.CloseIdleConnections()
		}
	})
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) record.Store {
		s, _ := newStore(t)
		return s
	})
}
