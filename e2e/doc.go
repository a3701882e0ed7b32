// Package e2e tests the whole product on real parts: a real Envoy with the real module, the control plane's program, Cognito's API and
// tokens from moto, campaigns over HTTP. Requests go through Envoy's public port, as a game's do.
//
// Every test starts a stack of its own (package stack) on free ports and shares moto with the others; nothing is left behind. Tests with
// stacks run one after the other: a stack has several processes, and a machine two cores.
package e2e
