//go:build !wasip1

package adindex

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Pieces is an index that is complete but not in one piece yet. Its methods may be called concurrently, until its Builder
// goes on: hashing an index takes as long as copying and checking it.
type Pieces struct {
	list   [][]byte // header, sections and padding in order
	length uint64
}

// Pieces does what Build does, but for copying the index together.
func (b *Builder) Pieces(sourceTime int64) (*Pieces, error) {
	if len(b.adEnds) < b.expected {
		return nil, fmt.Errorf("%d ads of %d that are expected", len(b.adEnds), b.expected)
	}
	slices.SortFunc(b.keys, func(a, b keyTarget) int { return cmp.Compare(a.key, b.key) })
	content := [sectionCount][][]byte{
		secAdEnds:    {words(len(b.adEnds)+1, func(i int) uint32 { return uint32(b.bodiesEnd(i)) })},
		secBodies:    b.bodies.list,
		secRefs:      b.cycles.bytes.list,
		secCycles:    {b.cycles.starts(wordSize)},
		secSegments:  b.lists.bytes.list,
		secLists:     {b.lists.starts(segmentSize)},
		secSchedules: b.schedules.bytes.list,
	}
	content[secKeys], content[secEntries], content[secCursors] = keySections(b.keys)

	var count [sectionCount]uint64
	for i, blocks := range content {
		count[i] = size(blocks) / sections[i].size
	}
	l, err := newLayout(count)
	if err != nil {
		return nil, err
	}
	p := &Pieces{list: [][]byte{header(l, sourceTime)}, length: l.length}
	for i, blocks := range content {
		p.list = append(p.list, blocks...)
		end := l.offset[i] + count[i]*sections[i].size
		p.list = append(p.list, make([]byte, align(end)-end))
	}
	return p, nil
}

// Size returns the length of the index in bytes.
func (p *Pieces) Size() int { return int(p.length) }

// Bytes returns the index. It shares nothing with the pieces.
func (p *Pieces) Bytes() []byte {
	data := make([]byte, 0, p.length)
	for _, piece := range p.list {
		data = append(data, piece...)
	}
	binary.LittleEndian.PutUint32(data[offChecksum:], checksum(data))
	return data
}

// Version returns what the function [Version] returns of Bytes.
func (p *Pieces) Version() string {
	h := sha256.New()
	hashHeader(h, p.list[0])
	for _, piece := range p.list[1:] {
		h.Write(piece)
	}
	return versionOf(h)
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

// header returns the header but for the checksum.
func header(l layout, sourceTime int64) []byte {
	b := make([]byte, headerSize)
	put := binary.LittleEndian.PutUint32
	copy(b[offMagic:], magic)
	put(b[offFormat:], FormatVersion)
	put(b[offLength:], uint32(l.length))
	binary.LittleEndian.PutUint64(b[offSource:], uint64(sourceTime))
	for i := range sectionCount {
		put(b[offTable+i*8:], uint32(l.offset[i]))
		put(b[offTable+i*8+4:], uint32(l.count[i]))
	}
	return b
}

// keySections returns the sections of keys, key entries and cursor keys. The keys ascend.
func keySections(targets []keyTarget) (keys, entries, cursors [][]byte) {
	canonical := make([]Key, len(targets))
	for i, t := range targets {
		canonical[i] = t.canonical
	}
	slices.Sort(canonical)
	canonical = slices.Compact(canonical)
	pairs := make([]byte, 0, len(targets)*entrySize)
	for _, t := range targets {
		cursor, _ := slices.BinarySearch(canonical, t.canonical)
		pairs = binary.LittleEndian.AppendUint32(pairs, uint32(t.schedule))
		pairs = binary.LittleEndian.AppendUint32(pairs, uint32(cursor))
	}
	return [][]byte{words(len(targets), func(i int) uint32 { return uint32(targets[i].key) })},
		[][]byte{pairs},
		[][]byte{words(len(canonical), func(i int) uint32 { return uint32(canonical[i]) })}
}

// words returns n numbers as they are stored.
func words(n int, number func(i int) uint32) []byte {
	b := make([]byte, 0, n*wordSize)
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, number(i))
	}
	return b
}

func size(blocks [][]byte) (n uint64) {
	for _, b := range blocks {
		n += uint64(len(b))
	}
	return n
}
