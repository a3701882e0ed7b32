package counters

import (
	"fmt"
	"time"

	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/service/metrics/v3"
	dto "github.com/prometheus/client_model/go"
)

const (
	// maxFamilies bounds the metrics of one message. The bootstrap has Envoy send 2,000.
	maxFamilies = 10_000
	// maxValue is the largest integer up to which a float64, which Envoy sends, has them all.
	maxValue = 1 << 53
	// maxUptime is more than a century, in seconds, and less than a time.Duration holds.
	maxUptime = 1 << 32
)

// A report is what an Envoy says of itself at one time: absolute values.
type report struct {
	at       time.Time // the Envoy's clock, when it took the values
	counters [counterCount]uint64
	gauges   [gaugeCount]uint64
	// An Envoy leaves out what it has never used: an absent counter is 0, an absent gauge is not known.
	known [gaugeCount]bool
}

// read puts the metrics of a message into r, over what is there: Envoy sends a report in several messages if it is long. Whatever is
// not kept, or has a value that no count can have, is passed over.
func (r *report) read(m *metricsv3.StreamMetricsMessage) error {
	if n := len(m.GetEnvoyMetrics()); n > maxFamilies {
		return fmt.Errorf("a message of %d metrics: more than %d", n, maxFamilies)
	}
	for _, family := range m.GetEnvoyMetrics() {
		if len(family.GetMetric()) != 1 {
			continue
		}
		metric := family.GetMetric()[0]
		switch family.GetType() {
		case dto.MetricType_COUNTER:
			c, kept := counterNames[family.GetName()]
			if v, ok := count(metric.GetCounter().GetValue()); kept && ok {
				r.counters[c] = v
			}
		case dto.MetricType_GAUGE:
			g, kept := gaugeNames[family.GetName()]
			if v, ok := count(metric.GetGauge().GetValue()); kept && ok {
				r.gauges[g], r.known[g] = v, true
				if g == uptime {
					r.at = time.UnixMilli(metric.GetTimestampMs())
				}
			}
		}
	}
	return nil
}

// complete tells whether r says when its process began: Envoy sends gauges after counters, so with that the counters are there, too.
func (r *report) complete() bool { return r.known[uptime] }

// started is when the process began, on the Envoy's clock, to the second.
func (r *report) started() time.Time { return r.at.Add(-r.age()) }

func (r *report) age() time.Duration {
	return time.Duration(min(r.gauges[uptime], maxUptime)) * time.Second
}

func count(v float64) (uint64, bool) {
	if !(v >= 0 && v <= maxValue) { // NaN is neither
		return 0, false
	}
	return uint64(v), true
}
