package adindex

import (
	"encoding/binary"
	"fmt"
)

// Open checks an index and returns a Reader of it. It keeps data, which must not change afterwards.
//
// The checks are those that FORMAT.md lists, each with an error that names what is wrong: magic, format version, length and
// checksum, then that every section is where it belongs and every number inside leads to something that is there. They take
// time linear in the length. Open never panics, whatever data holds, and neither does any lookup after it.
func Open(data []byte) (*Reader, error) {
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	r := &Reader{data: data, sourceTime: int64(binary.LittleEndian.Uint64(data[offSource:]))}
	d := decoder{data: data, next: headerSize}
	for i := range sectionCount {
		r.section[i] = d.section(i)
	}
	d.end()
	if d.err != nil {
		return nil, d.err
	}
	for _, check := range [...]func(*Reader) error{checkAds, checkCycles, checkSegments, checkSchedules, checkKeys, checkCursors} {
		if err := check(r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// checkHeader compares what is fixed or can be computed. The format's version comes before all that another version could have
// changed.
func checkHeader(data []byte) error {
	if len(data) < offLength {
		return fmt.Errorf("length %d, an index has at least %d", len(data), headerSize)
	}
	if string(data[:offFormat]) != magic {
		return fmt.Errorf("magic %q, an index begins with %q", data[:offFormat], magic)
	}
	if v := binary.LittleEndian.Uint32(data[offFormat:]); v != FormatVersion {
		return fmt.Errorf("format %d, this filter reads %d", v, FormatVersion)
	}
	if len(data) < headerSize {
		return fmt.Errorf("length %d, an index has at least %d", len(data), headerSize)
	}
	if n := binary.LittleEndian.Uint32(data[offLength:]); uint64(n) != uint64(len(data)) {
		return fmt.Errorf("length %d, the header says %d", len(data), n)
	}
	if want, got := binary.LittleEndian.Uint32(data[offChecksum:]), checksum(data); got != want {
		return fmt.Errorf("checksum %08x, the header says %08x", got, want)
	}
	return nil
}

// decoder reads the section table. After its first error it does nothing more.
type decoder struct {
	data []byte
	next uint64 // where the next section must begin
	err  error
}

// section returns section i, which must begin where the one before it ended. Its count is not trusted: bounds are compared in
// uint64, where a u32 times a size cannot wrap.
func (d *decoder) section(i int) []byte {
	if d.err != nil {
		return nil
	}
	s := sections[i]
	field := d.data[offTable+i*8:]
	offset, count := uint64(word(field, 0)), uint64(word(field, 1))
	if offset != d.next {
		d.err = fmt.Errorf("%s at %d, want %d", s.name, offset, d.next)
		return nil
	}
	end := offset + count*s.size
	d.next = align(end)
	if d.next > uint64(len(d.data)) {
		d.err = fmt.Errorf("%s end at %d, the index at %d", s.name, end, len(d.data))
		return nil
	}
	for _, pad := range d.data[end:d.next] {
		if pad != 0 {
			d.err = fmt.Errorf("%s are padded with %#x, want 0", s.name, pad)
			return nil
		}
	}
	return d.data[offset:end:end]
}

func (d *decoder) end() {
	if d.err == nil && d.next != uint64(len(d.data)) {
		d.err = fmt.Errorf("%d bytes after the last section", uint64(len(d.data))-d.next)
	}
}
