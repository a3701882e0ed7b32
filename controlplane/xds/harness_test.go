package xds

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	_ "pgregory.net/rapid" // its flags
)

const (
	patience     = time.Minute // how long a test waits for what must come
	resourceName = "adsidecar"
)

func TestMain(m *testing.M) {
	// Cheap enough for more than the default of 100; the command line has the last word.
	if err := flag.Set("rapid.checks", "500"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// A fakeClock stands still until it is moved.
type fakeClock struct {
	mu     sync.Mutex
	at     time.Time
	timers map[int]*fakeTimer
	next   int
}

type fakeTimer struct {
	due time.Time
	run func()
}

func newFakeClock() *fakeClock {
	return &fakeClock{at: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC), timers: make(map[int]*fakeTimer)}
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) after(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.next
	c.next++
	c.timers[id] = &fakeTimer{due: c.at.Add(d), run: f}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, id)
	}
}

// advance moves the clock and runs what is due by then.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	c.at = c.at.Add(d)
	var due []func()
	for id, timer := range c.timers {
		if !timer.due.After(c.at) {
			due = append(due, timer.run)
			delete(c.timers, id)
		}
	}
	c.mu.Unlock()
	for _, run := range due {
		run()
	}
}

// A plane is a Server that serves on a port of its own.
type plane struct {
	*Server
	t        *testing.T
	clock    *fakeClock
	registry *prometheus.Registry
	address  string
	client   credentials.TransportCredentials
	stop     func()
	clusters []*clusterv3.Cluster // that a fence keeps
	fences   int
}

func start(t *testing.T, configure ...func(*Config)) *plane {
	t.Helper()
	registry := prometheus.NewRegistry()
	config := Config{Logger: zaptest.NewLogger(t), Registerer: registry}
	for _, c := range configure {
		c(&config)
	}
	server, err := New(config)
	require.NoError(t, err)
	clock := newFakeClock()
	server.now, server.after = clock.now, clock.after

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	p := &plane{
		Server: server, t: t, clock: clock, registry: registry, address: listener.Addr().String(), client: insecure.NewCredentials(),
	}
	p.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-served)
	})
	t.Cleanup(p.stop)
	return p
}

// until waits for the status to become as said.
func (p *plane) until(what string, ok func(Status) bool) Status {
	p.t.Helper()
	var status Status
	require.Eventually(p.t, func() bool {
		status = p.Status()
		return ok(status)
	}, patience, time.Millisecond, what)
	return status
}

func (p *plane) offer(k kind) string {
	if o := p.Status().Types[k].Offered; o != nil {
		return o.Version
	}
	return ""
}

func (p *plane) publish(version string) {
	p.t.Helper()
	require.NoError(p.t, p.Publish(index(version)))
}

// fence proves that nothing was sent to the Envoys that they have not seen, by two changes of the listeners, to which all must have
// subscribed: the answer to the first comes after every request before it, and the second after whatever those requests caused.
func (p *plane) fence(envoys ...*proxy) {
	p.t.Helper()
	for range 2 {
		p.fences++
		require.NoError(p.t, p.SetGateway(listeners(strings.Repeat("f", p.fences)), p.clusters))
		for _, e := range envoys {
			e.ack(e.next(lds))
		}
	}
}

func index(version string) Index {
	return indexOf(version, []byte("index "+version))
}

func indexOf(version string, data []byte) Index {
	config, err := anypb.New(wrapperspb.Bytes(data))
	if err != nil {
		panic(err)
	}
	resource, err := anypb.New(&corev3.TypedExtensionConfig{Name: resourceName, TypedConfig: config})
	if err != nil {
		panic(err)
	}
	return Index{
		Version: version, SourceTime: time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC),
		Name: resourceName, Resource: resource,
	}
}

func listeners(names ...string) []*listenerv3.Listener {
	var out []*listenerv3.Listener
	for _, name := range names {
		out = append(out, &listenerv3.Listener{Name: name})
	}
	return out
}

func clusters(names ...string) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	for _, name := range names {
		out = append(out, &clusterv3.Cluster{Name: name})
	}
	return out
}

// A proxy is the xDS side of an Envoy: it answers what the test says.
type proxy struct {
	p         *plane
	id        string
	stream    discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	node      *corev3.Node // sent with the first request only
	responses chan *discoveryv3.DeltaDiscoveryResponse
	ended     chan error
	close     func()
}

func (p *plane) connect(id string) *proxy {
	p.t.Helper()
	e := p.dial(id)
	go e.receive()
	return e
}

// dial connects an Envoy that does not read.
func (p *plane) dial(id string) *proxy {
	p.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(p.client),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	require.NoError(p.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	require.NoError(p.t, err)
	e := &proxy{
		p: p, id: id, stream: stream, node: &corev3.Node{Id: id, Cluster: "games"},
		responses: make(chan *discoveryv3.DeltaDiscoveryResponse, 64), ended: make(chan error, 1),
	}
	e.close = sync.OnceFunc(func() {
		cancel()
		require.NoError(p.t, conn.Close())
	})
	p.t.Cleanup(e.close)
	return e
}

func (e *proxy) receive() {
	for {
		response, err := e.stream.Recv()
		if err != nil {
			e.ended <- err
			return
		}
		e.responses <- response
	}
}

func (e *proxy) send(request *discoveryv3.DeltaDiscoveryRequest) {
	e.p.t.Helper()
	request.Node, e.node = e.node, nil
	require.NoError(e.p.t, e.stream.Send(request))
}

// subscribe to the index by name and to the other types whole, as Envoy does.
func (e *proxy) subscribe(k kind, holds map[string]string) *proxy {
	e.p.t.Helper()
	names := []string{"*"}
	if k == ecds {
		names = []string{resourceName}
	}
	e.send(&discoveryv3.DeltaDiscoveryRequest{
		TypeUrl: k.typeURL(), ResourceNamesSubscribe: names, InitialResourceVersions: holds,
	})
	return e
}

// next returns the next response, which must be of this type.
func (e *proxy) next(k kind) *discoveryv3.DeltaDiscoveryResponse {
	e.p.t.Helper()
	select {
	case response := <-e.responses:
		require.Equal(e.p.t, k.typeURL(), response.GetTypeUrl(), "%s was sent version %s", e.id, response.GetSystemVersionInfo())
		return response
	case err := <-e.ended:
		require.NoError(e.p.t, err, "the stream of %s ended", e.id)
	case <-time.After(patience):
		require.Fail(e.p.t, "nothing was sent", "%s waits for %s", e.id, k)
	}
	return nil
}

// nextIndex returns the next response, which must be this version of the index.
func (e *proxy) nextIndex(version string) *discoveryv3.DeltaDiscoveryResponse {
	e.p.t.Helper()
	response := e.next(ecds)
	require.Empty(e.p.t, response.GetRemovedResources())
	require.Len(e.p.t, response.GetResources(), 1)
	require.Equal(e.p.t, version, response.GetSystemVersionInfo())
	require.Equal(e.p.t, version, response.GetResources()[0].GetVersion())
	return response
}

func (e *proxy) ack(response *discoveryv3.DeltaDiscoveryResponse) {
	e.p.t.Helper()
	e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()})
}

func (e *proxy) nack(response *discoveryv3.DeltaDiscoveryResponse, text string) {
	e.p.t.Helper()
	e.send(&discoveryv3.DeltaDiscoveryRequest{
		TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce(),
		ErrorDetail: &status.Status{Code: int32(codes.Internal), Message: text},
	})
}

// of finds what an Envoy makes of a type; false if it is not connected or has not subscribed.
func of(s Status, id string, k kind) (EnvoyOfType, bool) {
	for _, e := range s.Envoys {
		if e.Node != id || !e.Connected {
			continue
		}
		for _, t := range e.Types {
			if t.Type == k.String() {
				return t, true
			}
		}
	}
	return EnvoyOfType{}, false
}

// untilRuns waits until the Envoy is known to run the version and to be in sync.
func (e *proxy) untilRuns(k kind, version string) {
	e.p.t.Helper()
	e.p.until(e.id+" runs "+version, func(s Status) bool {
		t, ok := of(s, e.id, k)
		return ok && t.Acknowledged == version && t.InSync
	})
}

// untilRejects waits until the Envoy is known to have rejected the version.
func (e *proxy) untilRejects(k kind, version string) {
	e.p.t.Helper()
	e.p.until(e.id+" rejects "+version, func(s Status) bool {
		t, ok := of(s, e.id, k)
		return ok && t.LastNack != nil && t.LastNack.Version == version
	})
}

// untilSubscribed waits until the Envoy is known to wait for the type.
func (e *proxy) untilSubscribed(k kind) {
	e.p.t.Helper()
	e.p.until(e.id+" subscribes", func(s Status) bool {
		_, ok := of(s, e.id, k)
		return ok
	})
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || grpcstatus.Code(err) == codes.Canceled || grpcstatus.Code(err) == codes.Unavailable
}
