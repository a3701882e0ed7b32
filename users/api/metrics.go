package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count the requests to the endpoints, and those to paths or with methods that are none. Health checks and the like are not
// counted: they would hide the traffic.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "adsidecar_users_requests_total",
			Help: "Requests to the user service by endpoint and HTTP status.",
		}, []string{"endpoint", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "adsidecar_users_request_duration_seconds",
			Help:    "Time from the request's headers to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"endpoint"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(e Endpoint, status int, took time.Duration) {
	m.requests.WithLabelValues(label(e), code(status)).Inc()
	m.seconds.WithLabelValues(label(e)).Observe(took.Seconds())
}
