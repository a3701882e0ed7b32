package adindex

import "encoding/binary"

// writer fills an index that has been laid out. Its buffer has the whole length from the start and nothing in it can fail: what is
// written was counted for the layout.
type writer struct {
	layout layout
	buf    []byte
}

func newWriter(l layout) *writer {
	return &writer{layout: l, buf: make([]byte, headerSize, l.length)}
}

// section goes on at the start of section i. The buffer was made of zeros, which are the padding.
func (w *writer) section(i int) {
	w.buf = w.buf[:w.layout.offset[i]]
}

func (w *writer) u32(v uint32)   { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *writer) u64(v uint64)   { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }
func (w *writer) bytes(b []byte) { w.buf = append(w.buf, b...) }

// ends writes a section of offsets: 0, then where each list ends, in elements of that size.
func (w *writer) ends(ends []uint64, size uint64) {
	w.u32(0)
	for _, end := range ends {
		w.u32(uint32(end / size))
	}
}

// finish writes the header and returns the index.
func (w *writer) finish(sourceTime int64) []byte {
	data := w.buf[:w.layout.length]
	put := binary.LittleEndian.PutUint32
	copy(data[offMagic:], magic)
	put(data[offFormat:], FormatVersion)
	put(data[offLength:], uint32(w.layout.length))
	binary.LittleEndian.PutUint64(data[offSource:], uint64(sourceTime))
	for i := range sectionCount {
		put(data[offTable+i*8:], uint32(w.layout.offset[i]))
		put(data[offTable+i*8+4:], uint32(w.layout.count[i]))
	}
	put(data[offChecksum:], checksum(data))
	return data
}
