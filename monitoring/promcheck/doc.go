// Package promcheck tests the alert rules and the dashboard with Prometheus' own parser, rule evaluation and storage: every expression
// parses and names metrics of docs/METRICS.md, and every alert fires on the trouble it is for, and on nothing near it.
//
// It is a module of its own, so that Prometheus' dependencies are not the product's. The tests of package monitoring run it.
package promcheck
