package publish

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"adsidecar/controlplane/campaign"
)

// metrics are the Prometheus metrics of a Loop. Every label has a closed set of values, but for the version of
// adsidecar_index_info, of which only the present one is there.
type metrics struct {
	polls          *prometheus.CounterVec
	lastSuccess    prometheus.Gauge
	failures       prometheus.Gauge
	publishes      prometheus.Counter
	publishErrors  *prometheus.CounterVec
	quarantined    prometheus.Gauge
	fromDisk       prometheus.Gauge
	info           *prometheus.GaugeVec
	bytes          prometheus.Gauge
	limit          prometheus.Gauge
	ads            prometheus.Gauge
	keys           prometheus.Gauge
	sourceTime     prometheus.Gauge
	rejected       *prometheus.GaugeVec
	compileSeconds prometheus.Histogram
	stateErrors    prometheus.Counter

	operatorsRevision prometheus.Gauge
	compiledRevision  prometheus.Gauge
	unreadableRows    prometheus.Gauge
	pinned            prometheus.Gauge
	held              *prometheus.GaugeVec
	holds             *prometheus.CounterVec
	keepErrors        prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		polls:         counterVec("source_polls_total", "Polls of the campaign source by result.", "result"),
		lastSuccess:   gauge("source_last_success_timestamp_seconds", "Unix time at which the source last gave or confirmed a usable document; 0: never."),
		failures:      gauge("source_consecutive_failures", "Polls without a usable document since the last one with."),
		publishes:     counter("index_publishes_total", "Indexes that the xDS server accepted for publishing."),
		publishErrors: counterVec("index_publish_errors_total", "Indexes that the xDS server did not accept, by reason.", "reason"),
		quarantined:   gauge("index_quarantined", "1 while the index of the source's document is held back because proxies refused it."),
		fromDisk:      gauge("index_from_disk", "1 while the published index comes from disk and the source has given no usable document since the start."),
		info:          gaugeVec("index_info", "The published index; always 1.", "version"),
		bytes:         gauge("index_bytes", "Size of the published index."),
		limit:         gauge("index_limit_bytes", "Size that an index may have."),
		ads:           gauge("index_ads", "Ads in the published index."),
		keys:          gauge("index_keys", "Country and language pairs in the published index, language aliases counted each."),
		sourceTime:    gauge("index_source_timestamp_seconds", "Unix time of the document from which the published index was made."),
		rejected:      gaugeVec("ads_rejected", "Ads of the last usable document that are not served, by reason.", "reason"),
		compileSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "compile_seconds",
			Help:    "Time to decode a document and to compile its index.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		stateErrors: counter("state_errors_total", "Failures to read or write the last good document on disk."),

		operatorsRevision: gauge("operators_revision", "The operators' newest revision that was read; 0: none."),
		pinned:            gauge("index_pinned", "1 while operators pin a published version: nothing newer is published."),
		compiledRevision:  gauge("operators_compiled_revision", "The operators' revision that the newest index was compiled with; 0: none."),
		unreadableRows:    gauge("operators_unreadable_rows", "Operators' rows that are no campaigns, of those that the newest index was compiled with."),
		held:              gaugeVec("index_held", "1 while the newest index waits to be confirmed, by reason.", "reason"),
		holds:             counterVec("index_holds_total", "Indexes that were held till they are confirmed, by reason.", "reason"),
		keepErrors:        counter("version_keep_errors_total", "Failures to keep a published version, on disk or in the operators' store."),
	}
	// A series that appears with its first event has no rate for it.
	for _, o := range outcomes {
		m.polls.WithLabelValues(string(o))
	}
	for _, reason := range []string{"quarantined", "error"} {
		m.publishErrors.WithLabelValues(reason)
	}
	for _, reason := range holdReasons {
		m.holds.WithLabelValues(reason)
	}
	m.setHeld("")
	m.setRejects(nil)
	if registerer == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.polls, m.lastSuccess, m.failures, m.publishes, m.publishErrors, m.quarantined, m.fromDisk, m.info, m.bytes, m.limit,
		m.ads, m.keys, m.sourceTime, m.rejected, m.compileSeconds, m.stateErrors,
		m.operatorsRevision, m.compiledRevision, m.unreadableRows, m.pinned, m.held, m.holds, m.keepErrors,
	} {
		errs = append(errs, registerer.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) setRejects(byReason map[string]int) {
	for _, reason := range campaign.Reasons() {
		m.rejected.WithLabelValues(reason).Set(float64(byReason[reason]))
	}
}

// setHeld shows why an index is held; "": none is.
func (m *metrics) setHeld(why string) {
	for _, reason := range holdReasons {
		m.held.WithLabelValues(reason).Set(boolFloat(reason == why))
	}
}

// setIndex shows index in place of the version before; nil and "" are none.
func (m *metrics) setIndex(index *IndexStatus, before string) {
	if before != "" {
		m.info.DeleteLabelValues(before)
	}
	if index == nil {
		index = &IndexStatus{}
	} else {
		m.info.WithLabelValues(index.Version).Set(1)
	}
	m.bytes.Set(float64(index.Bytes))
	m.ads.Set(float64(index.Ads))
	m.keys.Set(float64(index.Keys))
	m.sourceTime.Set(seconds(index.SourceTime))
}

const namespace = "adsidecar"

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counterVec(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func gaugeVec(name, help, label string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
}

// seconds returns t as Unix time, and 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
