// Package archtest holds the rules of the repository that no compiler knows, as tests: which package may import which and
// why, that each package says what it is for, that files stay readable, and that no file names a place on somebody's machine.
//
// The rules read every Go file of the module, whatever its build constraints: the WebAssembly build, the test builds and
// other operating systems are held to them by one run on one machine.
package archtest
