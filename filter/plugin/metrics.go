package plugin

import (
	"errors"

	"adsidecar/filter/abi"
	"adsidecar/filter/adindex"
)

// counter names a counter. Each request counts once.
type counter int

const (
	served      counter = iota // 200
	noAd                       // 404
	badRequest                 // 400, 405, 414
	unavailable                // 503, no index
	internal                   // 500, and a request let through to its route
)

// Envoy puts "wasmcustom." before the names in /stats, and nothing in /stats/prometheus. All workers share one value of each.
var counterNames = [...]string{
	served:      "adsidecar.served",
	noAd:        "adsidecar.no_ad",
	badRequest:  "adsidecar.bad_request",
	unavailable: "adsidecar.unavailable",
	internal:    "adsidecar.internal",
}

const (
	adsGauge        = "adsidecar.ads"         // ads in the index
	sourceTimeGauge = "adsidecar.source_time" // Unix seconds
)

// meter is the part of the host that keeps metrics.
type meter interface {
	DefineMetric(kind abi.MetricKind, name string) (abi.Metric, error)
	Increment(counter abi.Metric, by int64) error
	Record(gauge abi.Metric, value uint64) error
}

// metrics are defined once for a VM: Envoy keeps one more entry in the VM for every definition, even of a name it knows.
type metrics struct {
	host     meter
	defined  bool
	counters [len(counterNames)]abi.Metric

	// The gauges are not defined before there is an index to describe: a source time of 0 would read as an age of decades.
	gauges     bool
	ads        abi.Metric
	sourceTime abi.Metric
}

// define defines the counters.
func (m *metrics) define() (err error) {
	if m.defined {
		return nil
	}
	for c, name := range counterNames {
		if m.counters[c], err = m.defineMetric(abi.Counter, name); err != nil {
			return err
		}
	}
	m.defined = true
	return nil
}

func (m *metrics) defineMetric(kind abi.MetricKind, name string) (abi.Metric, error) {
	metric, err := m.host.DefineMetric(kind, name)
	if err != nil {
		return 0, errors.New("define metric of name " + name + ": " + err.Error())
	}
	return metric, nil
}

// count adds one.
func (m *metrics) count(c counter) error { return m.host.Increment(m.counters[c], 1) }

// show sets the gauges to what index holds; nil, an index that was taken away, is 0.
func (m *metrics) show(index *adindex.Reader) error {
	if index == nil {
		if !m.gauges {
			return nil
		}
		return m.set(0, 0)
	}
	if !m.gauges {
		var err error
		if m.ads, err = m.defineMetric(abi.Gauge, adsGauge); err != nil {
			return err
		}
		if m.sourceTime, err = m.defineMetric(abi.Gauge, sourceTimeGauge); err != nil {
			return err
		}
		m.gauges = true
	}
	return m.set(uint64(index.Ads()), uint64(index.SourceTime()))
}

func (m *metrics) set(ads, sourceTime uint64) error {
	return errors.Join(m.host.Record(m.ads, ads), m.host.Record(m.sourceTime, sourceTime))
}
