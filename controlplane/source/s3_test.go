package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

// brokenCredentials fail with a text that holds what they found.
type brokenCredentials struct{}

func (brokenCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("parse failed of process output: " + secretKey)
}

func TestS3ReadsWhatChangesAndNothingElse(t *testing.T) {
	b := newBucket(t)
	b.put(t, document, "")
	began := time.Now()
	s := b.source(t, nil)
	kind, location := s.Describe()
	require.Equal(t, "s3", kind)
	require.Equal(t, "s3://"+b.name+"/ads/now.json", location)
	require.Nil(t, s.Changed())

	b.drain()
	snapshot, err := s.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, document, string(snapshot.Data))
	require.Equal(t, time.UTC, snapshot.SourceTime.Location())
	require.WithinDuration(t, began, snapshot.SourceTime, time.Minute)
	require.Equal(t, http.StatusOK, b.status(t))

	pollUnchanged(t, s)
	require.Equal(t, http.StatusNotModified, b.status(t), "asked with the ETag")

	b.put(t, `{"ads":[1]}`, "")
	require.Equal(t, `{"ads":[1]}`, pollText(t, s))
	pollUnchanged(t, s)

	// As in a rollback.
	b.put(t, document, "")
	require.Equal(t, document, pollText(t, s))
}

func TestS3SourceTimeIsLastModified(t *testing.T) {
	b := newBucket(t)
	b.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", "Mon, 04 Jan 2027 10:11:12 GMT")
		send(t, w, document)
	})
	now := newClock()
	s := b.source(t, func(c *S3Config) { c.Now = now.now })
	snapshot, err := s.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.Date(2027, 1, 4, 10, 11, 12, 0, time.UTC), snapshot.SourceTime)
	pollUnchanged(t, s) // read in full, as there was no ETag
}

func TestS3ObjectThatIsGoneAndBack(t *testing.T) {
	b := newBucket(t)
	b.put(t, document, "")
	s := b.source(t, nil)
	require.Equal(t, document, pollText(t, s))

	key := "ads/now.json"
	_, err := b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	require.NoError(t, err)
	require.EqualError(t, pollError(t, s), "get s3://"+b.name+`/ads/now.json: status 404, code "NoSuchKey"`)
	b.put(t, document, "")
	pollUnchanged(t, s) // a failure does not change what is the last document
}

func TestS3WrongBucket(t *testing.T) {
	b := newBucket(t)
	s := b.source(t, func(c *S3Config) { c.Bucket = "none-of-ours" })
	require.EqualError(t, pollError(t, s), `get s3://none-of-ours/ads/now.json: status 404, code "NoSuchBucket"`)
}

func TestS3ErrorsTellStatusAndCodeAndNoMore(t *testing.T) {
	b := newBucket(t)
	tests := map[string]struct {
		handler http.HandlerFunc
		want    string
		tries   int32
	}{
		"forbidden":                {failure(403, "AccessDenied"), `status 403, code "AccessDenied"`, 1},
		"an unknown key":           {failure(403, "InvalidAccessKeyId"), `status 403, code "InvalidAccessKeyId"`, 1},
		"another region":           {failure(301, "PermanentRedirect"), `status 301, code "PermanentRedirect": the bucket is in another region`, 1},
		"another region, to newer": {failure(400, "AuthorizationHeaderMalformed"), `status 400, code "AuthorizationHeaderMalformed": the bucket is in another region`, 1},
		"throttled":                {failure(503, "SlowDown"), `throttled: status 503, code "SlowDown"`, 4},
		"out of order":             {failure(500, "InternalError"), `status 500, code "InternalError"`, 4},
		"a code with a line end":   {failure(403, "Access\nDenied"), `status 403, code "Access\nDenied"`, 1},
		"a code without an end":    {failure(403, strings.Repeat("x", 10_000)), `status 403, code "` + strings.Repeat("x", 64) + `"`, 1},
		"a 304 that was not asked": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int32
			b.answers(func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				tt.handler(w, r)
			})
			err := pollError(t, b.source(t, nil))
			if tt.want != "" {
				require.EqualError(t, err, "get s3://"+b.name+"/ads/now.json: "+tt.want)
			}
			for _, secret := range []string{accessKey, secretKey, "arn:aws", "Signature"} {
				require.NotContains(t, err.Error(), secret)
			}
			require.Equal(t, tt.tries, tries.Load())
		})
	}
}

func TestS3ThrottledForAMomentIsTriedAgain(t *testing.T) {
	b := newBucket(t)
	b.put(t, document, "")
	var tries atomic.Int32
	gate := func(w http.ResponseWriter, r *http.Request) bool {
		if tries.Add(1) > 2 {
			return false
		}
		failure(503, "SlowDown")(w, r)
		return true
	}
	b.gate.Store(&gate)
	require.Equal(t, document, pollText(t, b.source(t, nil)))
	require.EqualValues(t, 3, tries.Load())
}

func TestS3LimitsTheDocument(t *testing.T) {
	b := newBucket(t)
	limited := func(c *S3Config) { c.MaxBytes = 20 }
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(bytes.Repeat([]byte(" "), 1<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())

	b.put(t, strings.Repeat(" ", 20), "")
	require.Len(t, pollText(t, b.source(t, limited)), 20)
	b.put(t, strings.Repeat(" ", 21), "")
	requireTooLarge(t, pollError(t, b.source(t, limited)))
	b.put(t, zipped.String(), "gzip")
	requireTooLarge(t, pollError(t, b.source(t, limited)))
	require.Len(t, pollText(t, b.source(t, nil)), 1<<20)

	// An endless one, without a length.
	b.answers(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	requireTooLarge(t, pollError(t, b.source(t, limited)))
}

func requireTooLarge(t *testing.T, err error) {
	t.Helper()
	var tooLarge *TooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.EqualValues(t, 20, tooLarge.Limit)
}

func TestS3BodyThatIsNotWhole(t *testing.T) {
	b := newBucket(t)
	b.put(t, document, "")
	s := b.source(t, nil)
	for name, handler := range map[string]http.HandlerFunc{
		"it is cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Header().Set("ETag", `"cut"`)
			send(t, w, document)
		},
		"its checksum is another's": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
			w.Header().Set("ETag", `"wrong"`)
			send(t, w, document)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.answers(handler)
			require.ErrorContains(t, pollError(t, s), "get s3://"+b.name+"/ads/now.json: read body after ")
			b.answers(nil)
			b.put(t, document+strings.Repeat(" ", len(name)), "")
			require.Contains(t, pollText(t, s), document)
		})
	}
}

func TestS3EndsInTime(t *testing.T) {
	b := newBucket(t)
	for name, handler := range map[string]http.HandlerFunc{
		"no answer comes": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"the body does not end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			send(t, w, document)
			_ = http.NewResponseController(w).Flush() // the client may have gone
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.answers(handler)
			s := b.source(t, func(c *S3Config) { c.Timeout = 100 * time.Millisecond })
			require.EqualError(t, pollError(t, s), "get s3://"+b.name+"/ads/now.json: timed out after 100ms")
		})
	}
}

func TestS3WithoutAServerOrCredentials(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		s, err := NewS3(S3Config{AWS: s3Config(t, "http://127.0.0.1:1"), Bucket: "campaigns", Key: "k", PathStyle: true})
		require.NoError(t, err)
		require.EqualError(t, pollError(t, s), "get s3://campaigns/k: dial tcp 127.0.0.1:1: connect: connection refused")
	})
	t.Run("there are no credentials", func(t *testing.T) {
		cfg := s3Config(t, "http://127.0.0.1:1")
		cfg.Credentials = brokenCredentials{}
		s, err := NewS3(S3Config{AWS: cfg, Bucket: "campaigns", Key: "k", PathStyle: true})
		require.NoError(t, err)
		require.EqualError(t, pollError(t, s),
			"get s3://campaigns/k: nothing was sent: no usable AWS credentials in the environment, the shared files or the role")
	})
}

func TestS3Resume(t *testing.T) {
	b := newBucket(t)
	b.put(t, document, "")
	first := b.source(t, nil)
	snapshot, err := first.Poll(t.Context())
	require.NoError(t, err)

	t.Run("goes on where the other stopped", func(t *testing.T) {
		second := b.source(t, nil)
		require.Equal(t, first.Identity(), second.Identity())
		second.Resume(snapshot, first.Position())
		b.drain()
		pollUnchanged(t, second)
		require.Equal(t, http.StatusNotModified, b.status(t))
		require.Equal(t, first.Position(), second.Position())
	})
	for name, position := range map[string]string{
		"no position":    "",
		"not JSON":       "{",
		"a header in it": `{"etag":"a\r\nX-Injected: 1"}`,
	} {
		t.Run(name+" costs a full read", func(t *testing.T) {
			s := b.source(t, nil)
			s.Resume(snapshot, position)
			b.drain()
			pollUnchanged(t, s)
			require.Equal(t, http.StatusOK, b.status(t))
		})
	}
	t.Run("another object, bucket or server is another source", func(t *testing.T) {
		for name, with := range map[string]func(*S3Config){
			"object": func(c *S3Config) { c.Key = "other" },
			"bucket": func(c *S3Config) { c.Bucket = "other" },
			"server": func(c *S3Config) { c.AWS.BaseEndpoint = nil },
		} {
			require.NotEqual(t, first.Identity(), b.source(t, with).Identity(), name)
		}
	})
}

func TestS3Config(t *testing.T) {
	_, err := NewS3(S3Config{Timeout: -1, MaxBytes: -1})
	require.EqualError(t, err, "bucket and key: both are needed\ntimeout: -1ns is negative\nmax bytes: -1 is negative")
}

func TestS3EndsWithItsCaller(t *testing.T) {
	b := newBucket(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gate := func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	}
	b.gate.Store(&gate)
	_, err := b.source(t, nil).Poll(ctx)
	require.Error(t, err)
	require.NotErrorIs(t, err, campaign.ErrNotModified)
	require.NotContains(t, err.Error(), "timed out")
}
