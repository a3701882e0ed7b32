package main

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/source"
	"adsidecar/envoy/gateway"
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

// document reads a campaign document once: from the file (- is stdin) if one is given, else from the configured source. The name says
// where it came from.
func document(ctx context.Context, c *gateway.Config, file string, stdin io.Reader) (snapshot campaign.Snapshot, name string, err error) {
	limit := int64(c.Campaigns.MaxDocumentMiB) << 20
	switch {
	case file == "-":
		data, err := io.ReadAll(io.LimitReader(stdin, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("larger than %d bytes", limit)
		}
		return campaign.Snapshot{Data: data}, "stdin", err
	case file != "":
		f, err := source.NewFile(source.FileConfig{Path: file, MaxBytes: limit})
		if err != nil {
			return campaign.Snapshot{}, file, err
		}
		snapshot, err := f.Poll(ctx)
		return snapshot, file, err
	}
	src, _, err := openSource(&c.Campaigns, zap.NewNop())
	if err != nil {
		return campaign.Snapshot{}, "", err
	}
	_, name = src.Describe()
	snapshot, err = src.Poll(ctx)
	return snapshot, name, err
}
