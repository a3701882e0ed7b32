package xds

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	acks, nacks, rollbacks, pushes [kindCount]prometheus.Counter
}

// newMetrics registers with r, if given. The gauges are read from s when they are collected.
func newMetrics(r prometheus.Registerer, s *Server) (*metrics, error) {
	m := &metrics{}
	collectors := []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "adsidecar_xds_envoys", Help: "Connected Envoys, and those of them that do not run what is on offer.",
			ConstLabels: prometheus.Labels{"state": "connected"},
		}, func() float64 { connected, _ := s.count(); return float64(connected) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "adsidecar_xds_envoys", Help: "Connected Envoys, and those of them that do not run what is on offer.",
			ConstLabels: prometheus.Labels{"state": "out_of_sync"},
		}, func() float64 { _, outOfSync := s.count(); return float64(outOfSync) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "adsidecar_xds_quarantined_versions", Help: "Versions that Envoys rejected and that are not offered again.",
		}, func() float64 { return float64(s.countQuarantined()) }),
	}
	for _, c := range []struct {
		name, help string
		counters   *[kindCount]prometheus.Counter
	}{
		{"adsidecar_xds_acks_total", "Responses that an Envoy acknowledged.", &m.acks},
		{"adsidecar_xds_nacks_total", "Responses that an Envoy rejected.", &m.nacks},
		{"adsidecar_xds_rollbacks_total", "Versions that were taken back because Envoys rejected them.", &m.rollbacks},
		{"adsidecar_xds_pushes_total", "Responses sent to Envoys.", &m.pushes},
	} {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.name, Help: c.help}, []string{"type"})
		for k := range kindCount {
			c.counters[k] = vec.WithLabelValues(k.String())
		}
		collectors = append(collectors, vec)
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("register metrics: %w", err))
		}
	}
	return m, errors.Join(errs...)
}

func (s *Server) count() (connected, outOfSync int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.fleet.connected {
		for _, st := range session.subs {
			if st != nil && !st.inSync {
				outOfSync++
				break
			}
		}
	}
	return len(s.fleet.connected), outOfSync
}

func (s *Server) countQuarantined() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, v := range s.verdicts {
		n += len(v.quarantined)
	}
	return n
}
