package plugin

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"

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

// metrics are defined once for a VM: Envoy keeps one more entry in the VM for every definition, even of a name it knows.
type metrics struct {
	defined  bool
	counters [len(counterNames)]proxywasm.MetricCounter

	// The gauges are not defined before there is an index to describe: a source time of 0 would read as an age of decades.
	gauges     bool
	ads        proxywasm.MetricGauge
	sourceTime proxywasm.MetricGauge
}

// define panics, as the SDK does, if the host refuses.
func (m *metrics) define() {
	if m.defined {
		return
	}
	for c, name := range counterNames {
		m.counters[c] = proxywasm.DefineCounterMetric(name)
	}
	m.defined = true
}

// count adds one. A host that refuses costs a log line, never the request.
func (m *metrics) count(c counter) {
	defer logPanic("count")
	m.counters[c].Increment(1)
}

// show sets the gauges to what index holds; nil, an index that was taken away, is 0.
func (m *metrics) show(index *adindex.Reader) {
	defer logPanic("set gauges")
	if index == nil {
		if m.gauges {
			set(m.ads, 0)
			set(m.sourceTime, 0)
		}
		return
	}
	if !m.gauges {
		m.ads = proxywasm.DefineGaugeMetric(adsGauge)
		m.sourceTime = proxywasm.DefineGaugeMetric(sourceTimeGauge)
		m.gauges = true
	}
	set(m.ads, int64(index.Ads()))
	set(m.sourceTime, index.SourceTime())
}

// set sets a gauge. The SDK can only add to one, and what other workers have added is not known here; the host call behind
// a histogram's Record sets a gauge.
func set(g proxywasm.MetricGauge, v int64) {
	proxywasm.MetricHistogram(g).Record(uint64(v))
}
