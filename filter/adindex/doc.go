// Package adindex owns the index of ads: the bytes that the control plane compiles and pushes, and that the filter walks in
// place. FORMAT.md describes them byte by byte.
//
// The compiler decides, the filter walks. A [Builder] is given the bodies of ads, cycles of ads, schedules and keys, all resolved:
// hours, weights, time zones, aliases and wildcards are its caller's. It knows no campaign. [Open] checks the bytes once, in
// time linear in their length and with one allocation, so that no lookup afterwards can leave them, loop or panic; then
//
//	key → [Reader.Find] → entry → [Reader.CycleAt] → cycle → [Cycle.Ad] → [Reader.Body]
//
// reads them where they lie and allocates nothing. Where a key's rotation stands is not in the index: an entry names the
// number of its cursor, and whoever serves keeps the positions.
//
// Both sides of the push import this package, the filter as WebAssembly, so it uses the standard library alone. An index is at
// most 4 GiB, and one filter reads one format version.
package adindex
