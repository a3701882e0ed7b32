package source

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"adsidecar/controlplane/campaign"
	"adsidecar/internal/awsclient"
)

// S3Config configures an S3 source.
type S3Config struct {
	// AWS says where and as whom: region, endpoint, credentials, tries.
	AWS aws.Config

	// Bucket and Key name the object. The key is taken as it is, without an escape.
	Bucket, Key string

	// PathStyle puts the bucket into the path instead of the host name, for servers that are not AWS's.
	PathStyle bool

	// Timeout bounds a whole poll, with all its tries, up to the last byte. 0 means DefaultTimeout.
	Timeout time.Duration

	// MaxBytes bounds the document after decompression. 0 means DefaultMaxBytes.
	MaxBytes int64

	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// S3 polls an object of an S3 bucket. A conditional request saves the transfer of an unchanged one. An object that is stored with the
// Content-Encoding gzip is decompressed.
//
// Poll, Position and Resume belong to one goroutine at a time; the other methods may be called at any time.
type S3 struct {
	client   *s3.Client
	bucket   string
	key      string
	identity string
	timeout  time.Duration
	maxBytes int64
	now      func() time.Time

	last content
	tag  string // the ETag of last
}

// NewS3 returns a source for cfg. It sends nothing.
func NewS3(cfg S3Config) (*S3, error) {
	var missing error
	if cfg.Bucket == "" || cfg.Key == "" {
		missing = errors.New("bucket and key: both are needed")
	}
	if err := errors.Join(missing, checkLimits(cfg.Timeout, cfg.MaxBytes)); err != nil {
		return nil, err
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	client := s3.NewFromConfig(cfg.AWS, func(o *s3.Options) {
		o.UsePathStyle = cfg.PathStyle
		o.AppID = userAgent
		// Objects that were put without a checksum are normal; the SDK would log a line for each poll.
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	s := &S3{
		client: client, bucket: cfg.Bucket, key: cfg.Key,
		timeout: cmp.Or(cfg.Timeout, DefaultTimeout), maxBytes: cmp.Or(cfg.MaxBytes, DefaultMaxBytes), now: now,
	}
	// A bucket's name is its own among all of AWS, whatever the region, but not among all servers.
	s.identity = "s3 " + aws.ToString(cfg.AWS.BaseEndpoint) + " " + s.location()
	return s, nil
}

// Poll reads the document. It returns campaign.ErrNotModified if the document is the one that Poll returned last (or that Resume named), an
// error that wraps *TooLargeError if it is too large, and otherwise an error that names the object and what happened. A failed poll does
// not change what "last" means.
func (s *S3) Poll(ctx context.Context) (campaign.Snapshot, error) {
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	snapshot, err := s.poll(bounded)
	if err == nil || errors.Is(err, campaign.ErrNotModified) {
		return snapshot, err
	}
	if bounded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("timed out after %s", s.timeout)
	}
	return campaign.Snapshot{}, fmt.Errorf("get %s: %w", s.location(), err)
}

func (s *S3) poll(ctx context.Context) (campaign.Snapshot, error) {
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &s.key}
	if s.tag != "" {
		in.IfNoneMatch = &s.tag
	}
	object, err := s.client.GetObject(ctx, in)
	if err != nil {
		if s.tag != "" && awsclient.Status(err) == http.StatusNotModified {
			return campaign.Snapshot{}, campaign.ErrNotModified
		}
		return campaign.Snapshot{}, explainAWS(err)
	}
	defer discard(object.Body)
	length := int64(-1)
	if object.ContentLength != nil {
		length = *object.ContentLength
	}
	data, err := answer{body: object.Body, encoding: aws.ToString(object.ContentEncoding), length: length}.read(s.maxBytes)
	if err != nil {
		return campaign.Snapshot{}, err
	}
	if s.tag = aws.ToString(object.ETag); len(s.tag) > maxTagBytes {
		s.tag = ""
	}
	return s.last.handOut(data, aws.ToTime(object.LastModified), s.now())
}

// Changed returns nil: S3 does not tell.
func (s *S3) Changed() <-chan struct{} { return nil }

// Describe returns "s3" and s3://bucket/key.
func (s *S3) Describe() (kind, location string) { return "s3", s.location() }

func (s *S3) location() string { return "s3://" + s.bucket + "/" + s.key }

// Identity tells this source from others across restarts.
func (s *S3) Identity() string { return s.identity }

// Position returns an opaque text for Resume. It belongs to the document that Poll returned last.
func (s *S3) Position() string {
	text, err := json.Marshal(validators{ETag: s.tag})
	if err != nil {
		return "" // a string always encodes
	}
	return string(text)
}

// Resume makes data, which an earlier process polled from the same source and accepted, the last document; position is what Position
// returned then. A position that cannot be read costs one full read.
func (s *S3) Resume(last campaign.Snapshot, position string) {
	s.last.set(last.Data)
	s.tag = parseValidators(position).ETag
}
