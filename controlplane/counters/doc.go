// Package counters receives the statistics that Envoys send of themselves and knows, for each and for the fleet, how many requests were
// answered how: in all since the control plane began, and a second of late.
//
// Every Envoy streams all its counters and gauges each few seconds (envoy.service.metrics.v3, set up by its bootstrap); of those the
// package reads the ad filter's and the listener's own by their exact names, and drops the rest unread. So no access to an
// Envoy's admin address is needed.
//
// Envoy reports absolute values, not differences: a report that is lost, or a control plane that was away, costs no count. A value belongs to a
// process, which is told from the one before it by its start (time of the report less server.uptime): the counters of a new process begin at
// zero, whether or not its values have passed the old ones. A process that was running before the control plane knew of it begins
// with what it had counted by then, so that nothing is counted twice. What an Envoy counts between its last report and its
// end is lost, at most one interval.
//
// Envoys are told apart by node id. Several with one id are summed; if they also began within [sameStart] of each other they
// pass for one, and some of their requests are not counted.
package counters
