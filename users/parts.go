package main

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/awsclient"
	"adsidecar/internal/boltfile"
	"adsidecar/internal/cognito"
	"adsidecar/internal/program"
	"adsidecar/internal/token"
	"adsidecar/users/boltstore"
	"adsidecar/users/dynamostore"
	"adsidecar/users/record"
)

// openPool is the user pool that /authenticate signs in with.
func openPool(ctx context.Context, c *gateway.Cognito, log *zap.Logger) (*cognito.Pool, error) {
	secret, err := program.ReadSecret("users.cognito.client_secret_file", c.ClientSecretFile)
	if err != nil {
		return nil, err
	}
	aws, err := awsclient.Load(ctx, c.Region(), c.Endpoint, log)
	if err != nil {
		return nil, fmt.Errorf("users.cognito: %w", err)
	}
	pool, err := cognito.New(cognito.Config{AWS: aws, PoolID: c.PoolID(), ClientID: c.ClientID, ClientSecret: secret})
	if err != nil {
		return nil, fmt.Errorf("users.cognito: %w", err)
	}
	return pool, nil
}

// newVerifier accepts the tokens that Envoy accepts of this issuer.
func newVerifier(is *gateway.Issuer, metrics prometheus.Registerer, log *zap.Logger) (*token.Verifier, error) {
	ca := is.CAFile
	if ca == gateway.DefaultCAFile {
		ca = "" // that is Envoy's machine's; ours knows where its own are
	}
	v, err := token.New(token.Config{
		Issuer: is.Issuer, JWKSURL: is.JWKSURL, ClientIDs: is.ClientIDs, Uses: is.TokenUses, CAFile: ca, MaxLifetime: is.MaxTokenLifetime.D(),
		ReadInterval: is.JWKSCache.D(), Registerer: metrics, Subsystem: "users", Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("issuers: %s: %w", is.Issuer, err)
	}
	return v, nil
}

// openStore opens what keeps the records. What it returns besides closes it.
func openStore(ctx context.Context, s *gateway.Store, metrics prometheus.Registerer, log *zap.Logger) (record.Store, func() error, error) {
	if s.DynamoDB != nil {
		store, err := openDynamo(ctx, s.DynamoDB, log)
		return store, func() error { return nil }, err
	}
	store, err := boltstore.Open(s.File)
	if err != nil {
		return nil, nil, fmt.Errorf("users.store.file: %w", err)
	}
	fileMetrics(metrics, store)
	return store, store.Close, nil
}

// fileMetrics show what the store's file does.
func fileMetrics(metrics prometheus.Registerer, store *boltstore.Store) {
	counter := func(name, help string, value func(boltfile.Stats) uint64) {
		metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(store.Stats())) }))
	}
	counter("adsidecar_users_store_writes_total", "Writes that are on disk.", func(s boltfile.Stats) uint64 { return s.Writes })
	counter("adsidecar_users_store_commits_total", "Commits, each of one or more writes.", func(s boltfile.Stats) uint64 { return s.Commits })
	counter("adsidecar_users_store_write_errors_total", "Writes that the file did not take.", func(s boltfile.Stats) uint64 { return s.Failed })
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "adsidecar_users_store_bytes", Help: "How much of the store's file is in use, freed pages included.",
	}, func() float64 { return float64(store.Stats().Bytes) }))
}

func openDynamo(ctx context.Context, d *gateway.DynamoDBStore, log *zap.Logger) (*dynamostore.Store, error) {
	aws, err := awsclient.Load(ctx, d.Region, d.Endpoint, log)
	if err != nil {
		return nil, fmt.Errorf("users.store.dynamodb: %w", err)
	}
	return dynamostore.New(aws, d.Table), nil
}

// storeName is for the log.
func storeName(s *gateway.Store) string {
	if s.DynamoDB != nil {
		return "dynamodb:" + s.DynamoDB.Table
	}
	return "file:" + s.File
}
