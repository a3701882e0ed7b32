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
// Both sides of the push import this package, so it uses the standard library alone. For WebAssembly it is built without the
// [Builder] and [Version]: the filter only reads, and Envoy compiles whatever else is in the module, SHA-256 and package fmt by the
// megabyte, before it serves. What both sides need is written without package fmt and its like.
//
// An index is at most 4 GiB, and one filter reads one format version.
package adindex
