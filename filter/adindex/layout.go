package adindex

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"math"
)

// FormatVersion is the version of the format that this package writes, and the only one that it reads.
const FormatVersion = 1

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

// layout is where each section lies and how many elements it has.
type layout struct {
	offset, count [sectionCount]uint64
	length        uint64
}

// newLayout places sections of these counts behind the header, each aligned to four bytes. It refuses what u32 cannot
// address.
func newLayout(count [sectionCount]uint64) (layout, error) {
	l := layout{count: count, length: headerSize}
	for i, s := range sections {
		// Without this bound the product below could wrap.
		if count[i] > math.MaxUint32 {
			return layout{}, fmt.Errorf("%d %s, the format holds at most %d", count[i], s.name, uint32(math.MaxUint32))
		}
		l.offset[i] = l.length
		l.length = align(l.length + count[i]*s.size)
	}
	if l.length > math.MaxUint32 {
		return layout{}, fmt.Errorf("index of %d bytes, the format holds at most %d", l.length, uint32(math.MaxUint32))
	}
	return l, nil
}

func align(n uint64) uint64 { return (n + wordSize - 1) &^ (wordSize - 1) }

// checksum is the CRC32C of all that the header's first checks do not compare exactly: the source time and everything behind it.
func checksum(data []byte) uint32 {
	return crc32.Checksum(data[offSource:], crc32.MakeTable(crc32.Castagnoli))
}

// Version returns the version of the index in data: the first 16 bytes of the SHA-256 of its content, as 32 lower-case hex
// digits. The content is everything but the checksum and the source time, so that replicas which saw one document at different
// seconds agree. It does not check data; what is shorter than an index's header has the version "".
func Version(data []byte) string {
	if len(data) < headerSize {
		return ""
	}
	h := sha256.New()
	hashHeader(h, data[:headerSize])
	h.Write(data[headerSize:])
	return versionOf(h)
}

func hashHeader(h hash.Hash, header []byte) {
	h.Write(header[:offChecksum])
	h.Write(header[offTable:])
}

func versionOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:16]) }

func word(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i*wordSize:]) }
