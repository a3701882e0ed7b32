package source

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"adsidecar/e2e/stack"
	"adsidecar/internal/awsclient"
)

// moto is S3 for all tests. Tests of this package that use it do not run in parallel.
var moto stack.SharedMoto

func motoEndpoint(t *testing.T) string {
	t.Helper()
	address, err := moto.Endpoint()
	require.NoError(t, err)
	return address
}

// credentials are what no error may show.
const accessKey, secretKey = "AKIAEXAMPLEKEY", "example-secret-key"

func s3Config(t *testing.T, endpoint string) aws.Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	c, err := awsclient.Load(t.Context(), "eu-west-1", endpoint, zap.NewNop())
	require.NoError(t, err)
	retryer := c.Retryer
	c.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retryer(), 5*time.Millisecond) }
	t.Cleanup(func() {
		if client, ok := c.HTTPClient.(interface{ CloseIdleConnections() }); ok {
			client.CloseIdleConnections()
		}
	})
	return c
}

// bucket is a new bucket with a gate in front of it.
type bucket struct {
	name   string
	client *s3.Client
	config aws.Config
	// gate answers instead of moto where it returns true.
	gate     atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	statuses chan int
}

var buckets int

func newBucket(t *testing.T) *bucket {
	t.Helper()
	target, err := url.Parse(motoEndpoint(t))
	require.NoError(t, err)
	buckets++
	b := &bucket{name: fmt.Sprintf("campaigns-%d", buckets), statuses: make(chan int, 1000)}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport: transport,
		ModifyResponse: func(r *http.Response) error {
			b.statuses <- r.StatusCode
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gate := b.gate.Load(); gate != nil && (*gate)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	b.config = s3Config(t, server.URL)
	b.client = s3.NewFromConfig(b.config, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    &b.name,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuWest1},
	})
	require.NoError(t, err)
	return b
}

func (b *bucket) put(t *testing.T, text, encoding string) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: &b.name, Key: aws.String("ads/now.json"), Body: strings.NewReader(text)}
	if encoding != "" {
		in.ContentEncoding = &encoding
	}
	_, err := b.client.PutObject(t.Context(), in)
	require.NoError(t, err)
}

// answers makes a gate that answers each request with this handler; nil: moto answers.
func (b *bucket) answers(handler http.HandlerFunc) {
	if handler == nil {
		b.gate.Store(nil)
		return
	}
	gate := func(w http.ResponseWriter, r *http.Request) bool {
		handler(w, r)
		return true
	}
	b.gate.Store(&gate)
}

// source is a source of the object, changed by with.
func (b *bucket) source(t *testing.T, with func(*S3Config)) *S3 {
	t.Helper()
	cfg := S3Config{AWS: b.config, Bucket: b.name, Key: "ads/now.json", PathStyle: true}
	if with != nil {
		with(&cfg)
	}
	s, err := NewS3(cfg)
	require.NoError(t, err)
	return s
}

// status is that of moto's next answer.
func (b *bucket) status(t *testing.T) int {
	t.Helper()
	select {
	case s := <-b.statuses:
		return s
	case <-time.After(patience):
		require.FailNow(t, "no answer was given")
		return 0
	}
}

// drain forgets the answers so far.
func (b *bucket) drain() {
	for len(b.statuses) > 0 {
		<-b.statuses
	}
}

// failure is an answer of S3 that tells of an error.
func failure(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>the key %s of arn:aws:iam::123456789012:user/x</Message>"+
			"<AWSAccessKeyId>%s</AWSAccessKeyId></Error>", code, accessKey, accessKey) // the client may have gone
	}
}
