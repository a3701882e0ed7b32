package xds

import (
	"errors"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
)

// Config of a Server. The zero value is usable.
type Config struct {
	// Logger; nil: nothing is logged.
	Logger *zap.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
	// Credentials of the gRPC server; nil: plaintext.
	Credentials credentials.TransportCredentials
	// VerdictGrace is how long after the first rejection of a version the Envoys that have not answered it may still acknowledge it;
	// 0: 10 s. It should be longer than the slowest Envoy takes to load an index.
	VerdictGrace time.Duration
	// KeepDisconnected is how many disconnected Envoys status lists at most, the latest; 0: 1,000.
	KeepDisconnected int
	// KeepDisconnectedFor is how long status lists a disconnected Envoy; 0: 1 h.
	KeepDisconnectedFor time.Duration
}

// An Index is one version of the campaign index, ready for the filter.
type Index struct {
	// Version is the hash of the content: equal versions are the same index.
	Version string
	// Resource carries the index to the filter. It is not kept.
	Resource *corev3.TypedExtensionConfig
	// SourceTime is when the campaigns were last changed at their source; it is shown in status.
	SourceTime time.Time
}

// A Server hands out listeners, clusters and the index, and keeps account of the Envoys. Its methods are safe for concurrent use and
// never wait for an Envoy.
type Server struct {
	log     *zap.Logger
	config  Config
	metrics *metrics

	// Seams of the tests, set before Serve.
	now   func() time.Time
	after func(time.Duration, func()) (stop func())

	mu       sync.Mutex // guards all below, and the sessions
	verdicts [kindCount]*verdict
	timers   [kindCount]func() // stops the timer of the grace time; nil: none was started
	fleet    fleet
}

// New returns a Server with nothing on offer. The error is that of registering the metrics.
func New(c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.VerdictGrace == 0 {
		c.VerdictGrace = 10 * time.Second
	}
	if c.KeepDisconnected == 0 {
		c.KeepDisconnected = 1000
	}
	if c.KeepDisconnectedFor == 0 {
		c.KeepDisconnectedFor = time.Hour
	}
	s := &Server{
		log:    c.Logger,
		config: c,
		now:    time.Now,
		after: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		},
		fleet: fleet{connected: make(map[uint64]*session), keep: c.KeepDisconnected, keepFor: c.KeepDisconnectedFor},
	}
	for k := range s.verdicts {
		s.verdicts[k] = &verdict{grace: c.VerdictGrace}
	}
	var err error
	s.metrics, err = newMetrics(c.Registerer, s)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Publish offers the index to all Envoys. A version that is on offer already is a no-op. The error wraps ErrQuarantined if the version
// was rolled back before; any other means that the index cannot be encoded. On an error what is on offer stays.
func (s *Server) Publish(index Index) error {
	if index.Version == "" {
		return errors.New("publish an index: no version")
	}
	s.mu.Lock()
	same, err := s.verdicts[ecds].offers(index.Version), s.verdicts[ecds].check(index.Version)
	s.mu.Unlock()
	if same || err != nil {
		return err
	}
	// Outside the lock: an index may have hundreds of megabytes.
	o, err := newOffer(ecds, index.Version, []*corev3.TypedExtensionConfig{index.Resource})
	if err != nil {
		return err
	}
	o.sourceTime = index.SourceTime
	return s.put(ecds, o)
}

// IndexVersion is the version of the index that an Envoy which connects now is given. Empty: none, as there was no index yet or all that
// were published have been rolled back.
func (s *Server) IndexVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.verdicts[ecds].offered; o != nil {
		return o.version
	}
	return ""
}

// SetGateway offers these listeners and clusters to all Envoys; each type that is unchanged is a no-op. The error wraps ErrQuarantined
// if one of the two was rolled back before: the other is offered all the same, as the types are judged apart. Any other error means
// that a resource cannot be encoded, has no name or is given twice; then nothing is changed.
func (s *Server) SetGateway(listeners []*listenerv3.Listener, clusters []*clusterv3.Cluster) error {
	l, lerr := newOffer(lds, "", listeners)
	c, cerr := newOffer(cds, "", clusters)
	if err := errors.Join(lerr, cerr); err != nil {
		return err
	}
	// Clusters first: an Envoy rejects a listener with a route to a cluster that it does not know.
	return errors.Join(s.put(cds, c), s.put(lds, l))
}

// Retry ends the quarantine of a version, of whichever type, and tells whether it was quarantined. The next call of Publish or
// SetGateway with it offers it again.
func (s *Server) Retry(version string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for k, v := range s.verdicts {
		if v.retry(version) {
			found = true
			s.log.Info("quarantine ended", zap.Stringer("type", kind(k)), zap.String("version", version))
		}
	}
	return found
}

func (s *Server) put(k kind, o *offer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.verdicts[k]
	if v.offers(o.version) {
		return nil
	}
	if err := v.check(o.version); err != nil {
		return err
	}
	v.put(o, s.now())
	s.log.Info("version offered", zap.Stringer("type", k), zap.String("version", o.version), zap.Int("bytes", o.bytes))
	s.offered(k)
	return nil
}
