package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"

	"adsidecar/envoy"
)

// The types that an Envoy of ours subscribes to, in its order.
const (
	clusterType   = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	listenerType  = "type.googleapis.com/envoy.config.listener.v3.Listener"
	extensionType = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

var types = []string{clusterType, listenerType, extensionType}

// Config says what an Envoy is.
type Config struct {
	ID      string
	Address string // of the control plane, host:port
	// Stalling gives its stream a window that is smaller than an index, so that Stall takes effect in the middle of the next one.
	Stalling bool
	// Keep keeps the last index, for Index.
	Keep bool
	// Report is told of each index that was acknowledged. It is called by the Envoy's goroutine, which waits meanwhile.
	Report func(Acknowledged)
}

// Acknowledged is an index that an Envoy got and acknowledged.
type Acknowledged struct {
	ID      string
	Version string
	Bytes   int
	Digest  uint64 // of all its bytes, the same for the same bytes in one process
	At      time.Time
}

// An Envoy is one simulated Envoy. Its methods may be called by any goroutine, Connect only while it is not connected.
type Envoy struct {
	config Config

	mu    sync.Mutex
	wire  *wire
	done  chan struct{}
	err   error
	held  map[string]map[string]string // type → name → version
	index []byte
}

// New returns an Envoy that was just started and is not connected.
func New(c Config) *Envoy {
	done := make(chan struct{})
	close(done)
	return &Envoy{config: c, held: make(map[string]map[string]string), done: done}
}

// Connect connects, subscribes and acknowledges what comes, until Close. What it holds from an earlier connection it says.
func (e *Envoy) Connect(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", e.config.Address)
	if err != nil {
		return err
	}
	window := uint32(streamWindow)
	if e.config.Stalling {
		window = smallWindow
	}
	w, err := dialled(conn, window)
	if err != nil {
		return errors.Join(err, w.close())
	}
	done := make(chan struct{})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wire, e.done, e.err = w, done, nil
	s := &stream{envoy: e, wire: w, node: node(e.config.ID), held: e.held}
	go func() {
		defer close(done)
		err := s.run()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.err = errors.Join(err, w.close())
	}()
	return nil
}

// Close ends the connection without a word and waits for that. What the Envoy holds it keeps.
func (e *Envoy) Close() {
	e.mu.Lock()
	w, done := e.wire, e.done
	e.mu.Unlock()
	if w != nil {
		_ = w.close() // of a connection that may be broken
	}
	<-done
}

// Restart makes it forget what it holds, as a process that starts does. It must not be connected.
func (e *Envoy) Restart() { e.held = make(map[string]map[string]string) }

// Stall makes the Envoy take no more of the stream than fits into its window. It goes on answering pings, and reads on.
func (e *Envoy) Stall() { e.present().stalled.Store(true) }

// Hang makes the Envoy read nothing any more, after at most one frame, and answer nothing; the connection stays open.
func (e *Envoy) Hang() { e.present().hung.Store(true) }

func (e *Envoy) present() *wire {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wire
}

// Done is closed when the connection has ended; Err says why then.
func (e *Envoy) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}

// Err is why the connection ended; nil while it has not.
func (e *Envoy) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// A stream is one connection of an Envoy, and belongs to one goroutine.
type stream struct {
	envoy *Envoy
	wire  *wire
	node  *corev3.Node // nil once it is sent
	held  map[string]map[string]string
	known int // types that are subscribed to
}

func (s *stream) run() error {
	// One that starts asks for the next type when it has the one before; one that comes back asks for all.
	if err := s.subscribe(max(1, len(s.held))); err != nil {
		return err
	}
	r := reader{wire: s.wire, keep: s.envoy.config.Keep}
	for {
		m, err := r.next()
		if err != nil {
			return err
		}
		if err := s.take(m); err != nil {
			return err
		}
	}
}

// subscribe asks for the first n types, less those that were asked for.
func (s *stream) subscribe(n int) error {
	for ; s.known < n; s.known++ {
		request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: types[s.known], InitialResourceVersions: s.held[types[s.known]]}
		if types[s.known] == extensionType {
			request.ResourceNamesSubscribe = []string{envoy.FilterName} // no names are all, of the other types
		}
		if err := s.send(request); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) send(request *discoveryv3.DeltaDiscoveryRequest) error {
	request.Node, s.node = s.node, nil
	data, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	return s.wire.send(data)
}

// take acknowledges a response.
func (s *stream) take(m response) error {
	place := slices.Index(types, m.typeURL)
	if place < 0 || place >= s.known {
		return fmt.Errorf("a response of type %q, which nobody asked for", m.typeURL)
	}
	held := s.held[m.typeURL]
	if held == nil {
		held = make(map[string]string)
		s.held[m.typeURL] = held
	}
	for _, one := range m.resources {
		held[one.name] = one.version
	}
	for _, name := range m.removed {
		delete(held, name)
	}
	if err := s.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: m.typeURL, ResponseNonce: m.nonce}); err != nil {
		return err
	}
	if m.typeURL == extensionType {
		return s.report(m)
	}
	return s.subscribe(place + 2)
}

func (s *stream) report(m response) error {
	now := time.Now()
	if len(m.resources) != 1 || len(m.removed) > 0 || m.resources[0].name != envoy.FilterName || m.resources[0].version != m.version {
		return fmt.Errorf("not one index of version %s: %d resources, %d removed", m.version, len(m.resources), len(m.removed))
	}
	one := m.resources[0]
	if one.value != nil {
		s.envoy.mu.Lock()
		s.envoy.index = one.value
		s.envoy.mu.Unlock()
	}
	s.envoy.config.Report(Acknowledged{ID: s.envoy.config.ID, Version: one.version, Bytes: one.size, Digest: one.digest, At: now})
	return nil
}
