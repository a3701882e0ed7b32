package plugin

import "adsidecar/filter/adindex"

// cursors hold where each canonical key is in its cycle: one position for each cursor of an index. A position means
// position mod the length of the cycle it is used with, so it survives a new segment and a new index as it is.
type cursors struct {
	keys []adindex.Key // ascending; kept here so that an index can be freed before its successor serves
	next []uint32
}

// carry returns the cursors of index: those of c where the key was there before, a random start for the others, so that
// the workers and Envoys of a fleet do not all begin with the same ad. Keys that are gone are dropped. c may be nil, and
// is not changed. It merges the two ascending lists of keys, O(keys).
func (c *cursors) carry(index *adindex.Reader, random func() uint32) *cursors {
	n := index.Cursors()
	carried := &cursors{keys: make([]adindex.Key, n), next: make([]uint32, n)}
	var before cursors
	if c != nil {
		before = *c
	}
	old := 0
	for i := range n {
		key := index.CursorKey(uint32(i))
		for old < len(before.keys) && before.keys[old] < key {
			old++
		}
		carried.keys[i] = key
		if old < len(before.keys) && before.keys[old] == key {
			carried.next[i] = before.next[old]
		} else {
			carried.next[i] = random()
		}
	}
	return carried
}

// peek returns the position of a cursor in a cycle of the given length, which is not 0.
func (c *cursors) peek(cursor uint32, length int) int {
	return int(c.next[cursor] % uint32(length))
}

// take returns the same as peek and moves the cursor on.
func (c *cursors) take(cursor uint32, length int) int {
	at := c.peek(cursor, length)
	c.next[cursor] = uint32((at + 1) % length)
	return at
}
