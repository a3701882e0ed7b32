package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/revision/boltstore"
	"adsidecar/controlplane/revision/dynamostore"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/awsclient"
	"adsidecar/internal/boltfile"
)

// openOperators opens what keeps the operators' changes. What it returns besides closes the store.
func openOperators(ctx context.Context, c *gateway.Campaigns, metrics prometheus.Registerer, log *zap.Logger) (*revision.Service, func() error, error) {
	store, end, err := operatorsStore(ctx, c, log)
	if err != nil {
		return nil, nil, err
	}
	if file, ok := store.(*boltstore.Store); ok && metrics != nil {
		operatorsMetrics(metrics, file)
	}
	service, err := revision.New(revision.Config{Store: store, Logger: log})
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	if metrics != nil {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "adsidecar_operators_last_read_timestamp_seconds", Help: "Unix time at which the operators' store was last read; 0: never.",
		}, func() float64 { return unixSeconds(service.Following().ReadAt) }))
	}
	return service, end, nil
}

func operatorsStore(ctx context.Context, c *gateway.Campaigns, log *zap.Logger) (revision.Store, func() error, error) {
	if d := c.Operators.DynamoDB; d != nil {
		store, err := operatorsTable(ctx, d, log)
		return store, func() error { return nil }, err
	}
	store, err := boltstore.Open(c.OperatorsFile())
	if err != nil {
		key := "campaigns.operators.file"
		if c.Operators.File == "" {
			key = "campaigns.state_dir"
		}
		return nil, nil, fmt.Errorf("%s: %w", key, err)
	}
	return store, store.Close, nil
}

func operatorsTable(ctx context.Context, d *gateway.OperatorsDynamoDB, log *zap.Logger) (*dynamostore.Store, error) {
	aws, err := awsclient.Load(ctx, d.Region, d.Endpoint, log)
	if err != nil {
		return nil, fmt.Errorf("campaigns.operators.dynamodb: %w", err)
	}
	return dynamostore.New(aws, d.Table), nil
}

// unixSeconds is 0 for the zero time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}

// operatorsMetrics show what the store's file does.
func operatorsMetrics(metrics prometheus.Registerer, store *boltstore.Store) {
	counter := func(name, help string, value func(boltfile.Stats) uint64) {
		metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(store.Stats())) }))
	}
	counter("adsidecar_operators_store_writes_total", "Writes that are on disk.", func(s boltfile.Stats) uint64 { return s.Writes })
	counter("adsidecar_operators_store_commits_total", "Commits, each of one or more writes.", func(s boltfile.Stats) uint64 { return s.Commits })
	counter("adsidecar_operators_store_write_errors_total", "Writes that the file did not take.", func(s boltfile.Stats) uint64 { return s.Failed })
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "adsidecar_operators_store_bytes", Help: "How much of the store's file is in use, freed pages included.",
	}, func() float64 { return float64(store.Stats().Bytes) }))
}

// underOperators lays the operators' changes over a document, for commands that run beside the control plane or without one. Where the
// changes cannot be read, which is so for a file while the control plane has it, the error says so.
func underOperators(ctx context.Context, c *gateway.Campaigns, doc *campaign.Document) (*campaign.Effective, error) {
	rows, err := operatorsRows(ctx, c)
	if err != nil {
		return nil, err
	}
	return new(campaign.Overlay).Apply(doc, rows.Campaigns()), nil
}

func operatorsRows(ctx context.Context, c *gateway.Campaigns) (_ revision.Rows, err error) {
	if file := c.OperatorsFile(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return revision.Rows{}, nil // serve makes it: nobody has said anything
		}
	}
	service, end, err := openOperators(ctx, c, nil, zap.NewNop())
	if err != nil {
		return revision.Rows{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := service.Follow(ctx); err != nil {
		return revision.Rows{}, fmt.Errorf("campaigns.operators: %w", err)
	}
	return service.State().Rows, nil
}
