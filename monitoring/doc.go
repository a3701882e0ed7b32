// Package monitoring holds what operators give to Prometheus and Grafana: alerts.yaml, grafana.json. It has no code; its tests hold
// docs/METRICS.md to the metrics that the programs register, and run promcheck, the tests of the rules.
package monitoring
