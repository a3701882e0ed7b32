// Package boltfile opens a bbolt file for a store that keeps something in it, and writes to it.
//
// The file belongs to one process, which a lock on it ensures. Writes of many goroutines share a commit: whatever arrives while one is
// being synced to the disk goes into the next. So a lone write waits for nothing but its own sync, and sixteen writers cost hardly
// more syncs than one; bbolt's own Batch waits for company each time. See [File.Update].
//
// bbolt panics where a page is not what it should be, and a page that is missing is a fault of the memory map. Both become [ErrDamaged]
// here, so that a damaged file fails requests and not the process; nor does any call wait for a lock that such a panic has left behind. A panic of a function that is given to this package fails that
// call alone.
package boltfile
