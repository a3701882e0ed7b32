package token

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the Prometheus metrics of a Verifier. Every label has a closed set of values.
type metrics struct {
	ok, unauthorized, forbidden, unavailable prometheus.Counter

	cacheHits           prometheus.Counter
	fetched, notFetched prometheus.Counter
	keys                prometheus.Gauge
	lastRead            prometheus.Gauge
}

func newMetrics(subsystem string, registerer prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "adsidecar", Subsystem: subsystem, Name: name, Help: help}
	}
	verified := prometheus.NewCounterVec(opts("token_verifications_total", "Tokens by what was found of them."), []string{"result"})
	fetches := prometheus.NewCounterVec(opts("jwks_fetches_total", "Fetches of the issuer's keys by result."), []string{"result"})
	m := &metrics{
		// All are made now: a series that appears with its first event has no rate for it.
		ok: verified.WithLabelValues("ok"), unauthorized: verified.WithLabelValues("unauthorized"),
		forbidden: verified.WithLabelValues("forbidden"), unavailable: verified.WithLabelValues("unavailable"),
		fetched: fetches.WithLabelValues("ok"), notFetched: fetches.WithLabelValues("error"),

		cacheHits: prometheus.NewCounter(opts("token_cache_hits_total", "Tokens that were verified before, with the same keys.")),
		keys:      prometheus.NewGauge(prometheus.GaugeOpts(opts("jwks_keys", "Keys of the issuer that are accepted."))),
		lastRead: prometheus.NewGauge(prometheus.GaugeOpts(opts("jwks_last_success_timestamp_seconds",
			"Unix time at which the issuer's keys were last read; 0: never."))),
	}
	if registerer == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{verified, fetches, m.cacheHits, m.keys, m.lastRead} {
		errs = append(errs, registerer.Register(c))
	}
	return m, errors.Join(errs...)
}

// count tells what Verify returned.
func (m *metrics) count(err error) {
	switch {
	case err == nil:
		m.ok.Inc()
	case errors.Is(err, ErrForbidden):
		m.forbidden.Inc()
	case errors.Is(err, ErrUnavailable):
		m.unavailable.Inc()
	default:
		m.unauthorized.Inc()
	}
}

// read tells of a reading that succeeded.
func (m *metrics) read(keys int, at time.Time) {
	m.fetched.Inc()
	m.keys.Set(float64(keys))
	m.lastRead.Set(float64(at.UnixMilli()) / 1e3)
}
