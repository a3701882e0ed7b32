package xds

import (
	"context"
	"fmt"
	"net"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// maxReceive bounds a message of an Envoy, in bytes: its first one has 60 kB, of which its list of extensions is nearly all. Decoding
// takes a multiple of it in memory, so the default of 4 MiB would be generous to whoever means harm.
const maxReceive = 1 << 20

// maxStreams bounds the streams of one connection. An Envoy has two, and a connection of its own; a proxy in between may bundle some.
const maxStreams = 128

var errStateOfTheWorld = status.Error(codes.Unimplemented,
	"state-of-the-world xDS is not served: set api_type DELTA_GRPC in the Envoy's ads_config")

// Serve answers Envoys on the listener, which it closes, until ctx ends or the listener fails. When it returns, all streams have
// ended. The error is nil when ctx ended.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	g := grpc.NewServer(s.options()...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, &service{server: s})
	if s.config.Register != nil {
		s.config.Register(g)
	}

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		g.Stop() // not GracefulStop: these streams never end by themselves
	}()
	err := g.Serve(listener)
	ended := ctx.Err() != nil
	cancel()
	<-stopped

	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range kindCount {
		s.stopTimer(k)
	}
	if ended {
		return nil
	}
	return fmt.Errorf("serve xds: %w", err)
}

// options of the gRPC server. What it may send is unbounded in practice by default (2 GiB, as is a protobuf message).
func (s *Server) options() []grpc.ServerOption {
	options := []grpc.ServerOption{
		// Envoy may ping every 15 s, also while nothing is on the stream; the default is to cut off a client that pings more often
		// than every 5 minutes.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 15 * time.Second, PermitWithoutStream: true}),
		// A host that vanished or hangs is found out by our own pings: the default is to ask after 2 hours.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.MaxRecvMsgSize(maxReceive),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.WaitForHandlers(true),
		grpc.ForceServerCodecV2(newSharingCodec()),
	}
	if s.config.Credentials != nil {
		options = append(options, grpc.Creds(s.config.Credentials))
	}
	return options
}

type service struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	server *Server
}

// DeltaAggregatedResources serves one Envoy until it goes.
func (s *service) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	address := ""
	if p, ok := peer.FromContext(stream.Context()); ok {
		address = p.Addr.String()
	}
	session := s.server.open(address)
	return delta.NewServer(stream.Context(), session, session).DeltaStreamHandler(stream, resource.AnyType)
}

// StreamAggregatedResources refuses: see the package comment.
func (s *service) StreamAggregatedResources(discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return errStateOfTheWorld
}
