package adindex

import "strconv"

// Open checks an index and returns a Reader of it. It keeps data, which must not change afterwards.
//
// The checks are those that FORMAT.md lists, each with an error that names what is wrong: magic, format version, length and
// checksum, then that every section is where it belongs and every number inside leads to something that is there. They take
// time linear in the length. Open never panics, whatever data holds, and neither does any lookup after it.
func Open(data []byte) (*Reader, error) {
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	if err := checkSum(data); err != nil {
		return nil, err
	}
	r, err := Reopen(data)
	if err != nil {
		return nil, err
	}
	for _, check := range [...]func(*Reader) error{checkAds, checkCycles, checkSegments, checkSchedules, checkKeys, checkCursors} {
		if err := check(r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Reopen is Open for bytes that Open has accepted, wherever that was: it checks the header without the checksum, and where the sections lie,
// and takes no time worth mentioning. With other bytes a lookup may panic.
func Reopen(data []byte) (*Reader, error) {
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	r := &Reader{data: data, sourceTime: int64(long(data[offSource:]))}
	d := decoder{data: data, next: headerSize}
	for i := range sectionCount {
		r.section[i] = d.section(i)
	}
	d.end()
	if d.err != nil {
		return nil, d.err
	}
	return r, nil
}

// checkHeader compares what is fixed. The format's version comes before all that another version could have
// changed.
func checkHeader(data []byte) error {
	if len(data) < offLength {
		return fault("length ", len(data), ", an index has at least ", headerSize)
	}
	if string(data[:offFormat]) != magic {
		return fault("magic ", strconv.Quote(string(data[:offFormat])), ", an index begins with ", strconv.Quote(magic))
	}
	if v := word(data[offFormat:], 0); v != FormatVersion {
		return fault("format ", v, ", this filter reads ", FormatVersion)
	}
	if len(data) < headerSize {
		return fault("length ", len(data), ", an index has at least ", headerSize)
	}
	if n := word(data[offLength:], 0); uint64(n) != uint64(len(data)) {
		return fault("length ", len(data), ", the header says ", n)
	}
	return nil
}

func checkSum(data []byte) error {
	if want, got := word(data[offChecksum:], 0), checksum(data); got != want {
		return fault("checksum ", hexNumber{got, 8}, ", the header says ", hexNumber{want, 8})
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
		d.err = fault(s.name, " at ", offset, ", want ", d.next)
		return nil
	}
	end := offset + count*s.size
	d.next = align(end)
	if d.next > uint64(len(d.data)) {
		d.err = fault(s.name, " end at ", end, ", the index at ", len(d.data))
		return nil
	}
	for _, pad := range d.data[end:d.next] {
		if pad != 0 {
			d.err = fault(s.name, " are padded with 0x", hexNumber{uint32(pad), 1}, ", want 0")
			return nil
		}
	}
	return d.data[offset:end:end]
}

func (d *decoder) end() {
	if d.err == nil && d.next != uint64(len(d.data)) {
		d.err = fault(uint64(len(d.data))-d.next, " bytes after the last section")
	}
}
