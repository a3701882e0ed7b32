package xds

import (
	"errors"
	"slices"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/anypb"
)

// Config of a Server. The zero value is usable.
type Config struct {
	// Logger; nil: nothing is logged.
	Logger *zap.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
	// Credentials of the gRPC server; nil: plaintext.
	Credentials credentials.TransportCredentials
	// VerdictGrace is how long after the first rejection of a version another Envoy may still acknowledge it, unless it is certain
	// that none will; 0: 10 s. It should be longer than the slowest Envoy takes to load an index and than an Envoy takes to come back.
	VerdictGrace time.Duration
	// Register adds further services to the gRPC server before it serves; nil: none. Their messages are bounded as its own are.
	Register func(grpc.ServiceRegistrar)
}

const (
	// keepGone is how many disconnected Envoys status lists at most, the latest, and keepGoneFor for how long.
	keepGone    = 1000
	keepGoneFor = time.Hour
)

// An Index is one version of the campaign index, ready for the filter.
type Index struct {
	// Version is the hash of the content: equal versions are the same index.
	Version string
	// Name is the resource's, and Resource what carries the index to the filter: an encoded TypedExtensionConfig of that name. It is kept
	// as it is, since a copy of it may be hundreds of megabytes, and must not change any more.
	Name     string
	Resource *anypb.Any
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
	s := &Server{
		log:    c.Logger,
		config: c,
		now:    time.Now,
		after: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		},
		fleet: fleet{connected: make(map[uint64]*session), keep: keepGone, keepFor: keepGoneFor},
	}
	for k := range s.verdicts {
		s.verdicts[k] = &verdict{grace: c.VerdictGrace, withdraws: kind(k).withdraws()}
	}
	var err error
	s.metrics, err = newMetrics(c.Registerer, s)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Publish offers the index to all Envoys. A version that is on offer already is a no-op. The error wraps ErrQuarantined if the version
// is quarantined; any other means that the index is not a resource. On an error what is on offer stays.
func (s *Server) Publish(index Index) error {
	if index.Version == "" {
		return errors.New("publish an index: no version")
	}
	o := &offer{version: index.Version, items: make(map[string]*item, 1)}
	if err := o.add(ecds, index.Name, index.Version, index.Resource); err != nil {
		return err
	}
	o.sourceTime = index.SourceTime
	return s.put(ecds, o)
}

// CheckIndex returns the error of Publish if it would refuse this version as quarantined. It spares a caller to encode an index in vain.
func (s *Server) CheckIndex(version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verdicts[ecds].check(version)
}

// IndexAcknowledged tells whether an Envoy has acknowledged this version of the index, or said when it connected that it holds it while
// it could be handed out. The last 64 such versions are remembered.
func (s *Server) IndexAcknowledged(version string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.verdicts[ecds].proven, version)
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
// if one of the two is quarantined: the other is offered all the same, as the types are judged apart. Any other error means
// that a resource cannot be encoded, has no name or is given twice; then nothing is changed.
func (s *Server) SetGateway(listeners []*listenerv3.Listener, clusters []*clusterv3.Cluster) error {
	l, lerr := newOffer(lds, listeners)
	c, cerr := newOffer(cds, clusters)
	if err := errors.Join(lerr, cerr); err != nil {
		return err
	}
	// Clusters first: an Envoy rejects a listener with a route to a cluster that it does not know.
	return errors.Join(s.put(cds, c), s.put(lds, l))
}

// RetryAll ends every quarantine, of whichever type, and returns the versions. The next call of Publish or SetGateway with one of them
// offers it again, and it is judged anew.
func (s *Server) RetryAll() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var versions []string
	for k, v := range s.verdicts {
		for _, q := range slices.Clone(v.quarantined) {
			v.release(q.Version)
			versions = append(versions, q.Version)
			s.logRelease(kind(k), q.Version, "retry")
		}
	}
	return versions
}

func (s *Server) logRelease(k kind, version, why string) {
	s.log.Info("quarantine ended", zap.Stringer("type", k), zap.String("version", version), zap.String("why", why))
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
