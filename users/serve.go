package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
	"adsidecar/internal/token"
	"adsidecar/internal/web"
	"adsidecar/users/api"
	"adsidecar/users/record"
)

// drain is how long requests under way may take at the end: no less than the API gives each.
const drain = 12 * time.Second

func serveCommand(load func() (*gateway.Config, error)) *cobra.Command {
	var endpoints []string
	var level *string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer /authenticate, /create, /read and /update.",
		Long: "Answer /authenticate, /create, /read and /update at users.address, in HTTP/1 and HTTP/2 without TLS, for Envoys.\n" +
			"Logs are JSON on stderr. SIGTERM and Ctrl-C end it once the requests under way are answered.\n" +
			"There are also /healthz, /readyz and /metrics, which Envoy does not pass on.",
		Example: "  adsidecar-users serve --config gateway.yaml\n" +
			"  adsidecar-users serve --config gateway.yaml --serve read,update",
		Args: program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("serve") && len(endpoints) == 0 {
				return program.Misused(errors.New("--serve is empty: leave it out to answer all endpoints"))
			}
			chosen, err := chosenEndpoints(endpoints)
			if err != nil {
				return err
			}
			c, err := load()
			if err != nil {
				return err
			}
			logs, err := program.NewLogs(*level, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer zap.RedirectStdLog(logs.Log.Named("std"))()
			return serve(cmd.Context(), c, chosen, logs.Log)
		},
	}
	cmd.Flags().StringSliceVar(&endpoints, "serve", nil, "Endpoints to answer, of authenticate, create, read, update (default all).")
	level = program.LogLevelFlag(cmd)
	return cmd
}

// chosenEndpoints are those of the flag, each once; all for none.
func chosenEndpoints(names []string) ([]api.Endpoint, error) {
	if len(names) == 0 {
		return api.Endpoints, nil
	}
	var chosen []api.Endpoint
	for _, name := range names {
		e := api.Endpoint(strings.TrimSpace(name))
		if !slices.Contains(api.Endpoints, e) {
			return nil, program.Misused(fmt.Errorf("--serve: %q is none of authenticate, create, read, update", name))
		}
		if !slices.Contains(chosen, e) {
			chosen = append(chosen, e)
		}
	}
	return chosen, nil
}

// serve runs until ctx ends, or a part fails that the others cannot do without. Whatever can be wrong from the start (the address, the
// store's file, the client's secret) is found before anything runs; a user pool or a database that is away is not: readiness tells.
func serve(ctx context.Context, c *gateway.Config, endpoints []api.Endpoint, log *zap.Logger) (err error) {
	started := time.Now()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	config := api.Config{
		Serve: endpoints, OperatorsGroup: c.Users.OperatorsGroup,
		Registerer: metrics, Gatherer: metrics, Logger: log.Named("api"),
	}
	var verifier *token.Verifier // nil if no endpoint takes a token

	if slices.Contains(endpoints, api.Authenticate) {
		pool, err := openPool(ctx, &c.Users.Cognito, log.Named("cognito"))
		if err != nil {
			return err
		}
		config.Accounts, config.Pool = pool, pool.Ready
	}
	if slices.ContainsFunc(endpoints, func(e api.Endpoint) bool { return e != api.Authenticate }) {
		if verifier, err = newVerifier(c.UsersIssuer(), metrics, log.Named("token")); err != nil {
			return err
		}
		store, closeStore, failed := openStore(ctx, &c.Users.Store, metrics, log.Named("store"))
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, closeStore()) }() // of serve itself
		records, err := record.New(record.Config{Store: store, Access: record.Access(c.Users.Access)})
		if err != nil {
			return err
		}
		config.Records, config.Tokens, config.Store, config.Keys = records, verifier, records.Ready, verifier.Ready
	}
	handler, err := api.New(config)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Users.Address)
	if err != nil {
		return fmt.Errorf("users.address: %w", err)
	}
	log.Info("user service starts", zap.String("address", c.Users.Address), zap.Any("endpoints", endpoints),
		zap.String("access", string(c.Users.Access)), zap.String("store", storeName(&c.Users.Store)), zap.Int("process", os.Getpid()))
	if c.Users.Insecure {
		log.Warn("plaintext beyond loopback, as configured (users.insecure): whoever reads along sees tokens and passwords", zap.String("address", c.Users.Address))
	}
	group, ctx := errgroup.WithContext(ctx)
	if verifier != nil {
		group.Go(func() error { return program.Part("token keys", verifier.Run(ctx)) })
	}
	server := &web.Server{Handler: handler, Logger: log.Named("http"), HTTP2: true, Drain: drain}
	group.Go(func() error { return program.Part("http", server.Serve(ctx, l)) })
	if err := group.Wait(); err != nil {
		log.Error("user service ends", zap.Error(err))
		return err
	}
	log.Info("user service ends", zap.Duration("after", time.Since(started)))
	return nil
}
