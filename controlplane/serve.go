package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/credentials"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/admin"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/xds"
	"adsidecar/envoy"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/hostname"
	"adsidecar/internal/program"
	"adsidecar/internal/web"
)

func serveCommand(load func() (*gateway.Config, error)) *cobra.Command {
	var level *string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Poll the campaign source, compile the index and push it to every Envoy.",
		Long: "Poll the campaign source, compile the index and push it to every Envoy. Logs are JSON on stderr.\n" +
			"SIGTERM and Ctrl-C end it; the Envoys go on with what they have. A changed configuration is read at a restart:\n" +
			"requests go on; where listener or routes changed, Envoy drains connections opened before within ten minutes,\n" +
			"WebSockets and gRPC streams with them. SIGHUP polls the source now, and offers a document again whose index Envoys rejected.",
		Args: program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			c, err := load()
			if err != nil {
				return err
			}
			logs, err := program.NewLogs(*level, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer zap.RedirectStdLog(logs.Log.Named("std"))() // net/http complains there about servers that break the protocol
			return serve(cmd.Context(), c, hangup, logs)
		},
	}
	level = program.LogLevelFlag(cmd)
	return cmd
}

// serve runs until ctx ends, or a part fails that the others cannot do without. Whatever can be wrong from the start (addresses,
// certificates, the state directory) is found before anything runs. A value from hangup is the operator's retry.
func serve(ctx context.Context, c *gateway.Config, hangup <-chan os.Signal, logs program.Logs) (err error) {
	log, started := logs.Log, time.Now()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())

	reported, err := counters.New(counters.Config{Logger: log.Named("counters"), Registerer: metrics})
	if err != nil {
		return err
	}
	fleet, err := newFleet(c, reported, metrics, log)
	if err != nil {
		return err
	}
	src, watch, err := openSource(&c.Campaigns, log.Named("source"))
	if err != nil {
		return err
	}
	guard, verifier, err := newGuard(ctx, &c.Admin, metrics, logs.Named("admin"))
	if err != nil {
		return err
	}
	operators, closeOperators, err := openOperators(ctx, &c.Campaigns, metrics, log.Named("operators"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOperators()) }()
	loop, err := publish.New(publish.Config{
		Source:          src,
		Sink:            sink{gateway: c, fleet: fleet},
		Interval:        c.Campaigns.PollInterval.D(),
		MaxIndexBytes:   c.Campaigns.MaxIndexMiB << 20,
		Operators:       operators,
		MaxRemovedShare: &c.Guards.MaxRemovedShare,
		StateDir:        c.Campaigns.StateDir,
		Logger:          log.Named("publish"),
		Registerer:      metrics,
	})
	if err != nil {
		return err
	}

	answers := admin.Config{
		Status:   func() any { return newStatus(started, loop, fleet, reported) },
		Ready:    func() error { return ready(loop) },
		Gatherer: metrics,
		Logger:   log.Named("admin"),

		Passwords: c.Admin.Cognito != nil,
	}
	group, ctx := errgroup.WithContext(ctx)
	public, protected, err := answer(ctx, c, answers, loop, operators, fleet, reported, logs)
	if err != nil {
		return err
	}

	xdsListener, err := listen(ctx, "xds.address", c.XDS.Address)
	if err != nil {
		return err
	}
	adminListener, err := listenAdmin(ctx, &c.Admin)
	if err != nil {
		return errors.Join(err, xdsListener.Close())
	}
	var metricsListener net.Listener
	if c.Admin.MetricsAddress != "" {
		if metricsListener, err = listen(ctx, "admin.metrics_address", c.Admin.MetricsAddress); err != nil {
			return errors.Join(err, xdsListener.Close(), adminListener.Close())
		}
	}
	log.Info("control plane starts", zap.String("xds", c.XDS.Address), zap.Bool("xds_tls", c.XDS.TLS != nil),
		zap.String("admin", c.Admin.Address), zap.Duration("poll_interval", c.Campaigns.PollInterval.D()))
	if c.XDS.Insecure {
		log.Warn("xds without TLS beyond loopback, as configured (xds.insecure): anyone who reaches it can read the campaigns",
			zap.String("address", c.XDS.Address))
	}
	if c.Admin.Insecure {
		log.Warn("admin without TLS, as configured (admin.insecure): passwords and tokens can be read on the way", zap.String("address", c.Admin.Address))
	}
	if c.Admin.MetricsAddress != "" && !loopback(c.Admin.MetricsAddress) {
		log.Warn("metrics without TLS and credentials beyond loopback, as configured (admin.metrics_address)", zap.String("address", c.Admin.MetricsAddress))
	}

	server := &web.Server{Handler: guard.Handler(public, protected), Logger: log.Named("admin")}
	group.Go(func() error { return program.Part("xds", fleet.Serve(ctx, xdsListener)) })
	group.Go(func() error { return program.Part("admin", server.Serve(ctx, adminListener)) })
	if metricsListener != nil {
		server := &web.Server{Handler: access.MetricsOnly(admin.Metrics(answers)), Logger: log.Named("metrics")}
		group.Go(func() error { return program.Part("metrics", server.Serve(ctx, metricsListener)) })
	}
	if verifier != nil {
		group.Go(func() error { return program.Part("keys of admin.cognito", verifier.Run(ctx)) })
	}
	group.Go(func() error { return program.Part("operators", operators.Run(ctx)) })
	group.Go(func() error { return program.Part("publish", loop.Run(ctx)) })
	group.Go(func() error { return retries(ctx, hangup, fleet, loop, log) })
	if watch != nil {
		group.Go(func() error { return program.Part("watch the campaign file", watch.Run(ctx)) })
	}
	err = group.Wait()
	if err != nil {
		log.Error("control plane ends", zap.Error(err))
		return err
	}
	log.Info("control plane ends", zap.Duration("after", time.Since(started)))
	return nil
}

// loopback reports whether only this machine reaches an address.
func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	return hostname.Loopback(host)
}

// retries lifts every quarantine and polls, each time the operator asks for it, until ctx ends.
func retries(ctx context.Context, hangup <-chan os.Signal, fleet *xds.Server, loop *publish.Loop, log *zap.Logger) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			log.Info("retry: the source is polled now", zap.Strings("out_of_quarantine", fleet.RetryAll()))
			loop.PollNow()
		}
	}
}

// ready is an error while a new Envoy would get no index.
func ready(loop *publish.Loop) error {
	if loop.Ready() {
		return nil
	}
	return errors.New("no index is published yet")
}

func listen(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// newFleet is the xDS server with the gateway's listener and clusters on offer. The Envoys report to it, too.
func newFleet(c *gateway.Config, reported *counters.Service, metrics prometheus.Registerer, log *zap.Logger) (*xds.Server, error) {
	var creds credentials.TransportCredentials
	if c.XDS.TLS != nil {
		var err error
		if creds, err = mutualTLS(c.XDS.TLS); err != nil {
			return nil, fmt.Errorf("xds.tls: %w", err)
		}
	}
	fleet, err := xds.New(xds.Config{
		Logger:       log.Named("xds"),
		Registerer:   metrics,
		Credentials:  creds,
		VerdictGrace: c.XDS.VerdictGrace.D(),
		Register:     reported.Register,
	})
	if err != nil {
		return nil, err
	}
	return fleet, fleet.SetGateway(envoy.Listeners(c, nil), envoy.Clusters(c))
}

// sink takes compiled indexes to the Envoys.
type sink struct {
	gateway *gateway.Config
	fleet   *xds.Server
}

var _ publish.Sink = sink{}

// Published implements publish.Sink.
func (s sink) Published() string { return s.fleet.IndexVersion() }

// Acknowledged implements publish.Sink.
func (s sink) Acknowledged(version string) bool { return s.fleet.IndexAcknowledged(version) }

// Publish implements publish.Sink. It encodes nothing for a version that is quarantined.
func (s sink) Publish(index *compile.Result) error {
	err := s.fleet.CheckIndex(index.Version)
	if err == nil {
		err = s.fleet.Publish(xds.Index{
			Version:    index.Version,
			Name:       envoy.FilterName,
			Resource:   envoy.AdsResource(s.gateway, index.Bytes),
			SourceTime: index.SourceTime,
		})
	}
	if errors.Is(err, xds.ErrQuarantined) {
		return fmt.Errorf("%w: %w", publish.ErrQuarantined, err)
	}
	return err
}
