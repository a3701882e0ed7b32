package counters

import "github.com/prometheus/client_golang/prometheus"

var (
	envoysDesc = prometheus.NewDesc("adsidecar_envoy_reporting",
		"Envoys that have a stream of metrics to this control plane.", nil, nil)
	adRequestsDesc = prometheus.NewDesc("adsidecar_envoy_ad_requests_total",
		"Ad requests of all Envoys by their answer, since this control plane began.", []string{"result"}, nil)
	refusalsDesc = prometheus.NewDesc("adsidecar_envoy_refusals_total",
		"Requests of any path that all Envoys refused before they reached a filter or an upstream, since this control plane began.", []string{"reason"}, nil)
	requestsDesc = prometheus.NewDesc("adsidecar_envoy_requests_total",
		"Requests of any path that all Envoys have begun to receive, since this control plane began.", nil, nil)
	answersDesc = prometheus.NewDesc("adsidecar_envoy_responses_total",
		"Responses of all Envoys by class of status, since this control plane began.", []string{"code"}, nil)
)

// series are the counters as Prometheus has them: of the fleet, as an Envoy's own are at its admin address.
var series = [counterCount]struct {
	desc   *prometheus.Desc
	labels []string
}{
	served:       {adRequestsDesc, []string{"served"}},
	noAd:         {adRequestsDesc, []string{"no_ad"}},
	badRequest:   {adRequestsDesc, []string{"bad_request"}},
	unavailable:  {adRequestsDesc, []string{"unavailable"}},
	internal:     {adRequestsDesc, []string{"internal"}},
	unauthorized: {refusalsDesc, []string{"unauthorized"}},
	forbidden:    {refusalsDesc, []string{"forbidden"}},
	rateLimited:  {refusalsDesc, []string{"rate_limited"}},
	requests:     {requestsDesc, nil},
	answered2xx:  {answersDesc, []string{"2xx"}},
	answered3xx:  {answersDesc, []string{"3xx"}},
	answered4xx:  {answersDesc, []string{"4xx"}},
	answered5xx:  {answersDesc, []string{"5xx"}},
}

// A collector reads the fleet's totals when they are collected.
type collector struct{ service *Service }

var _ prometheus.Collector = collector{}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{envoysDesc, adRequestsDesc, refusalsDesc, requestsDesc, answersDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	totals, connected := c.service.totals()
	to <- prometheus.MustNewConstMetric(envoysDesc, prometheus.GaugeValue, float64(connected))
	for i, s := range series {
		to <- prometheus.MustNewConstMetric(s.desc, prometheus.CounterValue, float64(totals[i]), s.labels...)
	}
}

func (s *Service) totals() (totals [counterCount]uint64, connected int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.fleet.nodes {
		if n.streams > 0 {
			connected++
		}
	}
	return s.fleet.totals, connected
}
