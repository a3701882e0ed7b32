package counters

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/service/metrics/v3"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func TestReportPassesOverWhatIsNoCount(t *testing.T) {
	const name, atMS = "wasmcustom.adsidecar.served", 1_800_000_000_000
	two := family(name, dto.MetricType_COUNTER, 9, atMS)
	two.Metric = append(two.Metric, two.Metric[0])
	for what, f := range map[string]*dto.MetricFamily{
		"another name":        family("wasmcustom.adsidecar.served.", dto.MetricType_COUNTER, 9, atMS),
		"another type":        family(name, dto.MetricType_GAUGE, 9, atMS),
		"less than zero":      family(name, dto.MetricType_COUNTER, -1, atMS),
		"not a number":        family(name, dto.MetricType_COUNTER, math.NaN(), atMS),
		"infinite":            family(name, dto.MetricType_COUNTER, math.Inf(1), atMS),
		"beyond whole floats": family(name, dto.MetricType_COUNTER, 1<<53+2, atMS),
		"no value":            {Name: proto.String(name), Type: dto.MetricType_COUNTER.Enum()},
		"several values":      two,
		"nothing":             {},
		"a null":              nil,
	} {
		var r report
		r.counters[served] = 5
		require.NoError(t, r.read(&metricsv3.StreamMetricsMessage{EnvoyMetrics: []*dto.MetricFamily{f}}), what)
		require.EqualValues(t, 5, r.counters[served], what)
		require.False(t, r.complete(), what)
	}
}

func TestReportTakesTheLargestCount(t *testing.T) {
	var r report
	f := family("wasmcustom.adsidecar.served", dto.MetricType_COUNTER, 1<<53, 0)
	require.NoError(t, r.read(&metricsv3.StreamMetricsMessage{EnvoyMetrics: []*dto.MetricFamily{f}}))
	require.EqualValues(t, 1<<53, r.counters[served])
}

// FuzzReport reads whatever can be decoded as a message, as one stream after another would.
func FuzzReport(f *testing.F) {
	e := startEnvoy(&clock{at: time.Unix(1_800_000_000, 0)}, "a")
	e.serve(3)
	whole, err := proto.Marshal(&metricsv3.StreamMetricsMessage{Identifier: e.identifier(), EnvoyMetrics: e.families()})
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	for _, v := range []float64{-1, math.NaN(), math.Inf(1), math.MaxFloat64} {
		b, err := proto.Marshal(&metricsv3.StreamMetricsMessage{EnvoyMetrics: []*dto.MetricFamily{
			family("server.uptime", dto.MetricType_GAUGE, v, math.MinInt64), family("server.uptime", dto.MetricType_GAUGE, 1<<53, math.MaxInt64),
			family("wasmcustom.adsidecar.source_time", dto.MetricType_GAUGE, v, 0),
		}})
		require.NoError(f, err)
		f.Add(b)
	}
	for _, v := range []float64{lastSecond, lastSecond + 1, 1 << 52} {
		b, err := proto.Marshal(&metricsv3.StreamMetricsMessage{EnvoyMetrics: []*dto.MetricFamily{
			family("wasmcustom.adsidecar.ads", dto.MetricType_GAUGE, v, 0), family("wasmcustom.adsidecar.source_time", dto.MetricType_GAUGE, v, 0),
			family("server.uptime", dto.MetricType_GAUGE, v, 0),
		}})
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &metricsv3.StreamMetricsMessage{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		c := &clock{at: time.Unix(1_800_000_000, 0)}
		s, err := New(Config{Now: c.now})
		require.NoError(t, err)
		session, err := s.join("a", "")
		require.NoError(t, err)
		for range 2 {
			if session.report.read(m) == nil {
				s.count(session)
			}
			c.pass(5 * time.Second)
		}
		s.leave(session)
		require.LessOrEqual(t, s.Status().Totals.Served, uint64(maxValue))
		require.Len(t, s.Status().Envoys, 1)
		_, err = json.Marshal(s.Status())
		require.NoError(t, err, "what one Envoy says must not keep the status of all from being shown")
	})
}
