package dynamostore

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/revision/storetest"
	"adsidecar/e2e/stack"
	"adsidecar/internal/awsclient"
)

// moto is DynamoDB for all tests.
var moto stack.SharedMoto

func TestMain(m *testing.M) {
	// A request to moto takes milliseconds, and a run of the model has hundreds; the command line can ask for more.
	if err := flag.Set("rapid.checks", "10"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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

// newStore is a store of a new table, behind a wire.
func newStore(t *testing.T) (*Store, *wire) {
	t.Helper()
	tables++
	w := &wire{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}, faults: map[string][]fault{}}
	t.Cleanup(w.client.CloseIdleConnections)
	s := New(clientConfig(t, w), fmt.Sprintf("revisions-%d", tables))
	require.NoError(t, s.Init(within(t)))
	return s, w
}

func clientConfig(t *testing.T, w *wire) aws.Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	c, err := awsclient.Load(t.Context(), "eu-west-1", endpoint(t), zap.NewNop())
	require.NoError(t, err)
	retryer := c.Retryer
	c.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retryer(), 5*time.Millisecond) }
	c.HTTPClient = w
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) revision.Store {
		s, _ := newStore(t)
		return s
	})
}

func TestAHundredThousandChanges(t *testing.T) {
	s, _ := newStore(t)
	storetest.HundredThousand(t, s, 2*time.Minute)
}

// fault is what a wire does with a request.
type fault func(send func() (*http.Response, error)) (*http.Response, error)

// wire is between the SDK and moto, and fails as it is told to.
//
// It sends one request at a time: moto neither isolates its transactions, whose rollback puts whole tables back, nor checks a condition and
// writes in one step. DynamoDB does both.
type wire struct {
	client  *http.Client
	sending sync.Mutex

	mu     sync.Mutex
	faults map[string][]fault // by operation, for the requests to come
	sent   []string           // operations
}

// next gives the coming requests of an operation these faults, one each.
func (w *wire) next(operation string, faults ...fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[operation] = append(w.faults[operation], faults...)
}

// Do implements the SDK's HTTP client.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	f := pass
	w.mu.Lock()
	w.sent = append(w.sent, operation)
	if waiting := w.faults[operation]; len(waiting) > 0 {
		f, w.faults[operation] = waiting[0], waiting[1:]
	}
	w.mu.Unlock()
	return f(func() (*http.Response, error) {
		w.sending.Lock()
		defer w.sending.Unlock()
		answer, err := w.client.Do(r)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(answer.Body)
		answer.Body = io.NopCloser(bytes.NewReader(content))
		return answer, err
	})
}

// pass is no fault.
func pass(send func() (*http.Response, error)) (*http.Response, error) { return send() }

var errBroken = errors.New("the connection broke")

// lost applies the request, and the answer does not arrive.
func lost(send func() (*http.Response, error)) (*http.Response, error) {
	answer, err := send()
	if err == nil {
		err = errors.Join(errBroken, answer.Body.Close())
	}
	return nil, err
}

// lostAnd is lost, and then does something before the SDK tries again.
func lostAnd(do func()) fault {
	return func(send func() (*http.Response, error)) (*http.Response, error) {
		_, err := lost(send)
		do()
		return nil, err
	}
}

// refused sends nothing.
func refused(func() (*http.Response, error)) (*http.Response, error) { return nil, errBroken }

// answers gives this without applying anything.
func answers(status int, body string) fault {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// fails answers with an error of DynamoDB. more is further JSON of the body.
func fails(code, more string) fault {
	return answers(http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":"on purpose"`+more+`}`)
}

func times(n int, f fault) []fault {
	all := make([]fault, n)
	for i := range all {
		all[i] = f
	}
	return all
}
