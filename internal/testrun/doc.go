// Command testrun runs `go test` in rounds and ends with one line that counts everything:
//
//	testrun -- -race ./controlplane/... -- -timeout 20m ./e2e
//	…
//	DONE 512 tests in 14 packages, 0 failed, 0 skipped, 3m12s
//
// Each group of arguments after a "--" is one round, with flags of its own: the race detector where goroutines are, a long
// timeout where a real Envoy is. The first round that fails ends the run. Of a test that passes nothing is shown, of one that
// fails everything it wrote.
//
// A skipped test counts as a failure: a test that did not run must not look like one that passed. So does a round
// without any test, which is what a mistyped pattern gives.
package main
