package adindex

import "hash/crc32"

// FormatVersion is the version of the format that this package writes, and the only one that it reads.
const FormatVersion = 2

const magic = "ADIX"

// Places of the header's fields, as FORMAT.md draws them. The checksum and the source time stand together because they are
// what the content's version leaves out.
const (
	offMagic    = 0
	offFormat   = 4
	offLength   = 8
	offChecksum = 12
	offSource   = 16
	offTable    = 24

	headerSize = offTable + sectionCount*8
)

// The sections, in the order in which they lie.
const (
	secAdEnds = iota
	secBodies
	secRefs
	secCycles
	secSegments
	secLists
	secSchedules
	secKeys
	secEntries
	secCursors

	sectionCount
)

// Sizes of one element.
const (
	wordSize     = 4
	segmentSize  = 8
	scheduleSize = 24
	entrySize    = 8
)

// sections says how the parts of an index are called in errors and how large an element of each is.
var sections = [sectionCount]struct {
	name string
	size uint64
}{
	secAdEnds:    {"ad offsets", wordSize},
	secBodies:    {"ad bodies", 1},
	secRefs:      {"cycle references", wordSize},
	secCycles:    {"cycles", wordSize},
	secSegments:  {"segments", segmentSize},
	secLists:     {"segment lists", wordSize},
	secSchedules: {"schedules", scheduleSize},
	secKeys:      {"keys", wordSize},
	secEntries:   {"key entries", entrySize},
	secCursors:   {"cursor keys", wordSize},
}

func align(n uint64) uint64 { return (n + wordSize - 1) &^ (wordSize - 1) }

// checksum is the CRC32C of all that the header's first checks do not compare exactly: the source time and everything behind it.
func checksum(data []byte) uint32 {
	return crc32.Checksum(data[offSource:], crc32.MakeTable(crc32.Castagnoli))
}

// word returns number i of those that b begins with, and long the one of eight bytes. They are package encoding/binary's, which needs
// package reflect.
func word(b []byte, i int) uint32 {
	b = b[i*wordSize:][:wordSize]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func long(b []byte) uint64 { return uint64(word(b, 0)) | uint64(word(b, 1))<<32 }
