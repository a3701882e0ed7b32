//go:build !wasip1

package adindex

import (
	"bytes"
	"hash/maphash"
)

// listSet stores byte strings one behind the other, equal ones once. It looks up by hash and compares in place: a map would hold a
// second copy of all. The hash is seeded anew in each process and decides nothing but the speed: numbers follow the order of adding.
type listSet struct {
	lists  [][]byte // their bytes are in blocks, in this order
	bytes  blocks
	seed   maphash.Seed
	hashes []uint64 // of the list with the same number
	// table is a hash table with open addressing, at most half full: numbers of lists from 1, 0 is none.
	table []uint32
}

func newListSet() listSet {
	return listSet{seed: maphash.MakeSeed(), table: make([]uint32, 64)}
}

// add returns the number of the list with these bytes.
func (s *listSet) add(list []byte) uint32 { return s.addHashed(list, maphash.Bytes(s.seed, list)) }

func (s *listSet) addHashed(list []byte, hash uint64) uint32 {
	slot := s.slot(hash)
	for ; s.table[slot] != 0; slot = s.slot(slot + 1) {
		if n := s.table[slot] - 1; s.hashes[n] == hash && bytes.Equal(s.lists[n], list) {
			return n
		}
	}
	s.lists = append(s.lists, s.bytes.copy(list))
	s.hashes = append(s.hashes, hash)
	s.table[slot] = uint32(len(s.lists))
	if 2*len(s.lists) > len(s.table) {
		s.grow()
	}
	return uint32(len(s.lists) - 1)
}

func (s *listSet) slot(n uint64) uint64 { return n & uint64(len(s.table)-1) }

func (s *listSet) grow() {
	s.table = make([]uint32, 4*len(s.table))
	for n, hash := range s.hashes {
		slot := s.slot(hash)
		for s.table[slot] != 0 {
			slot = s.slot(slot + 1)
		}
		s.table[slot] = uint32(n + 1)
	}
}

func (s *listSet) len() uint64 { return uint64(len(s.lists)) }

// starts returns where each list begins and the last ends, in elements of that size, as they are stored.
func (s *listSet) starts(size int) []byte {
	end := uint32(0)
	return words(len(s.lists)+1, func(i int) uint32 {
		if i > 0 {
			end += uint32(len(s.lists[i-1]) / size)
		}
		return end
	})
}
