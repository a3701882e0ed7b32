package counters

import (
	"errors"
	"io"
	"sync"
	"time"

	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/service/metrics/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxIDBytes bounds node ids, as the gateway's configuration does, and cluster names.
const maxIDBytes = 255

// Config of a Service. The zero value is usable.
type Config struct {
	// Logger; nil: nothing is logged.
	Logger *zap.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// A Service is Envoy's metrics service. Its methods are safe for concurrent use.
type Service struct {
	metricsv3.UnimplementedMetricsServiceServer

	log   *zap.Logger
	now   func() time.Time
	since time.Time

	mu    sync.Mutex
	fleet fleet
}

var _ metricsv3.MetricsServiceServer = (*Service)(nil)

// New returns a Service that has heard of no Envoy. The error is that of registering the metrics.
func New(c Config) (*Service, error) {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	since := c.Now()
	s := &Service{
		log: c.Logger, now: c.Now, since: since,
		fleet: fleet{nodes: make(map[string]*node), floor: since, limit: maxNodes},
	}
	if c.Registerer != nil {
		if err := c.Registerer.Register(collector{s}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Register adds the service to a gRPC server that is not serving yet.
func (s *Service) Register(r grpc.ServiceRegistrar) { metricsv3.RegisterMetricsServiceServer(r, s) }

// StreamMetrics takes the reports of one Envoy until it goes. It ends a stream that does not keep to the protocol or its limits.
func (s *Service) StreamMetrics(stream metricsv3.MetricsService_StreamMetricsServer) error {
	m, err := stream.Recv()
	if err != nil {
		return ended(err)
	}
	id, cluster := m.GetIdentifier().GetNode().GetId(), m.GetIdentifier().GetNode().GetCluster()
	switch {
	case id == "":
		return s.refuse("", status.Error(codes.InvalidArgument, "the first message has no identifier.node.id"))
	case len(id) > maxIDBytes || len(cluster) > maxIDBytes:
		return s.refuse("", status.Errorf(codes.InvalidArgument, "identifier.node: id or cluster longer than %d bytes", maxIDBytes))
	}
	e, err := s.join(id, cluster)
	if err != nil {
		return s.refuse(id, status.Error(codes.ResourceExhausted, err.Error()))
	}
	defer s.leave(e)
	for {
		if err := e.report.read(m); err != nil {
			return s.refuse(id, status.Error(codes.InvalidArgument, err.Error()))
		}
		s.count(e)
		if m, err = stream.Recv(); err != nil {
			return ended(err)
		}
	}
}

// A session is one stream: of one process, since a connection does not outlive it.
type session struct {
	node    *node
	process *process // nil before the first complete report
	report  report
}

func (s *Service) join(id, cluster string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.fleet.join(id, cluster, s.now())
	if err != nil {
		return nil, err
	}
	return &session{node: n}, nil
}

func (s *Service) leave(e *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.node.streams--
	e.node.left = s.now()
}

// count takes over the session's report once it is complete.
func (s *Service) count(e *session) {
	if !e.report.complete() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if e.process == nil {
		e.process = e.node.process(&e.report, now)
	}
	s.fleet.add(e.node, e.process, &e.report, now)
	e.report.known[uptime] = false // what stays is overwritten by the next report; an Envoy takes no metric back
}

func (s *Service) refuse(id string, err error) error {
	s.log.Warn("stream of an Envoy's metrics refused", zap.String("node", id), zap.Error(err))
	return err
}

// ended is the result of a stream whose Recv failed: the Envoy has gone, or what it sent was no message, which gRPC has said already.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
