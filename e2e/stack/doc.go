// Package stack starts the whole system on real parts, on one machine: moto as Cognito and DynamoDB, a campaign source, control planes,
// user services, any number of Envoys, and an echo upstream. The local stack of `make run` and the end-to-end tests are both made of it.
//
// Every part is of its own and can be broken on purpose: processes are killed, paused and started again at the same address,
// servers hang, answer 500 or rotate their keys.
//
// No process is left behind. Each one is the leader of its own process group and is killed with it; on Linux the kernel also
// kills it when the program that started it dies in any way (PR_SET_PDEATHSIG), elsewhere a watchdog does (see [guard]).
// Ports are reserved between all programs of this machine that use the package, so several stacks run side by side.
//
// Nothing here depends on package testing: errors are returned, with the last log lines of the part that failed.
package stack
