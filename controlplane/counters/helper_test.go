package counters

import (
	"fmt"
	"io"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/service/metrics/v3"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// clock is a hand-set clock.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func newService(t *testing.T) (*Service, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2027, 1, 5, 12, 0, 0, 0, time.UTC)}
	s, err := New(Config{Logger: zaptest.NewLogger(t), Now: c.now})
	require.NoError(t, err)
	return s, c
}

// fakeStream is a gRPC stream without gRPC: it hands over one message after another.
type fakeStream struct {
	grpc.ServerStream
	in    chan *metricsv3.StreamMetricsMessage
	asked chan struct{} // the service has done with what it was given
	done  chan error
}

// newFakeStream is a stream of which the service has read nothing yet.
func newFakeStream(s *Service) *fakeStream {
	f := &fakeStream{in: make(chan *metricsv3.StreamMetricsMessage), asked: make(chan struct{}, 1), done: make(chan error, 1)}
	go func() { f.done <- s.StreamMetrics(f) }()
	<-f.asked
	return f
}

func (f *fakeStream) Recv() (*metricsv3.StreamMetricsMessage, error) {
	f.asked <- struct{}{}
	m, ok := <-f.in
	if !ok {
		return nil, io.EOF
	}
	return m, nil
}

func (*fakeStream) SendAndClose(*metricsv3.StreamMetricsResponse) error { return nil }

// send returns when the service has taken m, with its error if it has ended the stream over it.
func (f *fakeStream) send(m *metricsv3.StreamMetricsMessage) error {
	f.in <- m
	select {
	case <-f.asked:
		return nil
	case err := <-f.done:
		return err
	}
}

// fakeEnvoy is a process of an Envoy.
type fakeEnvoy struct {
	id       string
	clock    *clock
	skew     time.Duration // of its own clock
	started  time.Time
	counters map[string]float64
	gauges   map[string]float64
	stream   *fakeStream
}

func startEnvoy(c *clock, id string) *fakeEnvoy {
	return &fakeEnvoy{id: id, clock: c, started: c.at, counters: map[string]float64{}, gauges: map[string]float64{"server.live": 1}}
}

func (e *fakeEnvoy) serve(n int) { e.counters["wasmcustom.adsidecar.served"] += float64(n) }

// connect opens a stream.
func (e *fakeEnvoy) connect(s *Service) { e.stream = newFakeStream(s) }

// leave ends the stream.
func (e *fakeEnvoy) leave(t *testing.T) {
	t.Helper()
	close(e.stream.in)
	require.NoError(t, <-e.stream.done)
	e.stream = nil
}

func (e *fakeEnvoy) identifier() *metricsv3.StreamMetricsMessage_Identifier {
	return &metricsv3.StreamMetricsMessage_Identifier{Node: &corev3.Node{Id: e.id, Cluster: "edge"}}
}

// families is what it would report now: counters first, as Envoy does.
func (e *fakeEnvoy) families() []*dto.MetricFamily {
	at := e.clock.at.Add(e.skew).UnixMilli()
	var all []*dto.MetricFamily
	for name, v := range e.counters {
		all = append(all, family(name, dto.MetricType_COUNTER, v, at))
	}
	e.gauges["server.uptime"] = float64(e.clock.at.Unix() - e.started.Unix())
	for name, v := range e.gauges {
		all = append(all, family(name, dto.MetricType_GAUGE, v, at))
	}
	return append(all, family("cluster.xds.upstream_cx_total", dto.MetricType_COUNTER, 1, at),
		&dto.MetricFamily{Name: proto.String("http.public.downstream_rq_time"), Type: dto.MetricType_SUMMARY.Enum(), Metric: []*dto.Metric{{}}})
}

// report sends a report, on a new stream if there is none.
func (e *fakeEnvoy) report(t *testing.T, s *Service) {
	t.Helper()
	m := &metricsv3.StreamMetricsMessage{EnvoyMetrics: e.families()}
	if e.stream == nil {
		e.connect(s)
		m.Identifier = e.identifier()
	}
	require.NoError(t, e.stream.send(m))
}

func family(name string, kind dto.MetricType, v float64, at int64) *dto.MetricFamily {
	m := &dto.Metric{TimestampMs: &at}
	switch kind {
	case dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: &v}
	case dto.MetricType_GAUGE:
		m.Gauge = &dto.Gauge{Value: &v}
	default:
		panic(fmt.Sprintf("no %s in these tests", kind))
	}
	return &dto.MetricFamily{Name: &name, Type: &kind, Metric: []*dto.Metric{m}}
}

func leaveAll(t *testing.T, all ...*fakeEnvoy) {
	t.Helper()
	t.Cleanup(func() {
		for _, e := range all {
			if e.stream != nil {
				e.leave(t)
			}
		}
	})
}
