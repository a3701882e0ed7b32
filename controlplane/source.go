package main

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/source"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/awsclient"
)

// watcher is a source that watches for changes between polls.
type watcher interface {
	Run(ctx context.Context) error
}

// openSource is the configured source of campaign documents. The watcher is nil for a source that is only polled.
func openSource(c *gateway.Campaigns, log *zap.Logger) (publish.Source, watcher, error) {
	limit := int64(c.MaxDocumentMiB) << 20
	if c.File != "" {
		f, err := source.NewFile(source.FileConfig{Path: c.File, MaxBytes: limit, Logger: log})
		if err != nil {
			return nil, nil, fmt.Errorf("campaigns.file: %w", err)
		}
		return f, f, nil
	}
	if bucket, key, ok := c.S3Object(); ok {
		// It sends nothing yet, so there is nothing to end.
		aws, err := awsclient.Load(context.Background(), c.S3.Region, c.S3.Endpoint, log)
		if err != nil {
			return nil, nil, fmt.Errorf("campaigns.s3: %w", err)
		}
		s, err := source.NewS3(source.S3Config{
			AWS: aws, Bucket: bucket, Key: key, PathStyle: c.S3.PathStyle, Timeout: c.Timeout.D(), MaxBytes: limit,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("campaigns.url: %w", err)
		}
		return s, nil, nil
	}
	cfg := source.HTTPConfig{URL: c.URL, Timeout: c.Timeout.D(), MaxBytes: limit, CAFile: c.CAFile}
	if c.Header != nil {
		cfg.HeaderName, cfg.HeaderFile = c.Header.Name, c.Header.ValueFile
	}
	h, err := source.NewHTTP(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("campaigns.url: %w", err)
	}
	return h, nil, nil
}
