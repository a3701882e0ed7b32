package adindex

import (
	"bytes"
	"hash/maphash"
)

// listSet stores byte strings one behind the other, equal ones once. It looks up by hash and compares in place, so a set of a
// million ads needs no second copy of them as map keys. The hash is seeded anew in each process and decides nothing but the
// speed: numbers follow the order of adding.
type listSet struct {
	data []byte
	ends []uint64
	seed maphash.Seed
	// last holds the newest list of each hash, previous the one before it with the same hash; both count from 1, 0 is none.
	last     map[uint64]uint32
	previous []uint32
}

func newListSet() listSet {
	return listSet{seed: maphash.MakeSeed(), last: make(map[uint64]uint32)}
}

// add returns the number of the list with these bytes.
func (s *listSet) add(list []byte) uint32 {
	h := maphash.Bytes(s.seed, list)
	for n := s.last[h]; n != 0; n = s.previous[n-1] {
		if bytes.Equal(s.at(n-1), list) {
			return n - 1
		}
	}
	s.data = append(s.data, list...)
	s.ends = append(s.ends, uint64(len(s.data)))
	s.previous = append(s.previous, s.last[h])
	s.last[h] = uint32(len(s.ends))
	return uint32(len(s.ends) - 1)
}

func (s *listSet) at(n uint32) []byte {
	var start uint64
	if n > 0 {
		start = s.ends[n-1]
	}
	return s.data[start:s.ends[n]]
}

func (s *listSet) len() uint64 { return uint64(len(s.ends)) }
