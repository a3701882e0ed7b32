package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// envoyExports are the exports that Envoy needs of the filter: what the ABI asks of every module, and the callbacks that
// the plugin implements. Envoy enters the VM once for each further callback that a module exports, whether it does
// anything or not; the SDK exports all of them, and dropping them takes 10 to 25 % off the CPU time of a request.
//
// Absent on purpose: proxy_on_done (without it Envoy takes a plugin for done at once, which is what the plugin would
// answer) and proxy_on_log, both called for every request; malloc, because proxy_on_memory_allocate is there.
var envoyExports = []string{
	"memory",
	"_initialize",
	"proxy_abi_version_0_2_0",
	"proxy_on_memory_allocate",
	"proxy_on_vm_start",
	"proxy_on_context_create",
	"proxy_on_configure",
	"proxy_on_request_headers",
	"proxy_on_delete",
}

// The parts of the WebAssembly binary format that this program reads:
// https://webassembly.github.io/spec/core/binary/modules.html
const (
	preamble      = "\x00asm\x01\x00\x00\x00"
	customSection = 0
	exportSection = 7
	lastKind      = 4 // func, table, memory, global, tag
)

// sectionOrder lists the ids of the sections in the order that a module must have them; custom sections stand anywhere.
var sectionOrder = []byte{1, 2, 3, 4, 5, 13, 6, exportSection, 8, 9, 12, 10, 11}

// keepExports returns the module with only the named exports, and the names of those it dropped, in the module's order.
// Every other byte is kept as it was. It never panics on any bytes. A malformed module, a module without an export
// section, and a name that the module does not export are errors. The result does not alias module.
func keepExports(module []byte, keep []string) (stripped []byte, dropped []string, err error) {
	d := decoder{data: module}
	if string(d.take(uint32(len(preamble)))) != preamble {
		return nil, nil, errors.New("not a WebAssembly 1.0 module")
	}
	out := append(make([]byte, 0, len(module)), preamble...)
	next, found := 0, false
	for d.err == nil && d.more() {
		start := d.off
		id := d.byte()
		body := d.take(d.u32())
		if d.err != nil {
			break
		}
		if id != customSection {
			place := slices.Index(sectionOrder[next:], id)
			if place < 0 {
				return nil, nil, fmt.Errorf("section %d at byte %d is unknown, out of order or there twice", id, start)
			}
			next += place + 1
		}
		if id != exportSection {
			out = append(out, module[start:d.off]...)
			continue
		}
		found = true
		var section []byte
		if section, dropped, err = keepEntries(body, keep); err != nil {
			return nil, nil, fmt.Errorf("read export section: %w", err)
		}
		out = append(out, exportSection)
		out = binary.AppendUvarint(out, uint64(len(section)))
		out = append(out, section...)
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	if !found {
		return nil, nil, errors.New("the module has no export section")
	}
	return out, dropped, nil
}

// keepEntries does the work of keepExports on the content of the export section.
func keepEntries(section []byte, keep []string) (kept []byte, dropped []string, err error) {
	d := decoder{data: section}
	var entries []byte
	seen := map[string]bool{}
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		start := d.off
		name := string(d.take(d.u32()))
		kind := d.byte()
		d.u32() // index
		switch {
		case d.err != nil:
		case !utf8.ValidString(name):
			return nil, nil, fmt.Errorf("the name at byte %d is not UTF-8", start)
		case kind > lastKind:
			return nil, nil, fmt.Errorf("export %q has the unknown kind %d", name, kind)
		case seen[name]:
			return nil, nil, fmt.Errorf("export %q is there twice", name)
		case slices.Contains(keep, name):
			entries = append(entries, section[start:d.off]...)
		default:
			dropped = append(dropped, name)
		}
		seen[name] = true
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	if d.more() {
		return nil, nil, fmt.Errorf("%d bytes after the last export", len(section)-d.off)
	}
	for _, name := range keep {
		if !seen[name] {
			err = errors.Join(err, fmt.Errorf("the module does not export %q", name))
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return append(binary.AppendUvarint(nil, uint64(len(seen)-len(dropped))), entries...), dropped, nil
}

// decoder reads data from the front. After the first error every method returns a zero value, so that a caller may read
// several fields and look at err once.
type decoder struct {
	data []byte
	off  int
	err  error
}

func (d *decoder) more() bool { return d.off < len(d.data) }

// take returns the next n bytes, an alias of the data.
func (d *decoder) take(n uint32) []byte {
	if d.err != nil {
		return nil
	}
	if left := len(d.data) - d.off; uint64(n) > uint64(left) {
		d.err = fmt.Errorf("%d bytes wanted at byte %d, %d left", n, d.off, left)
		return nil
	}
	b := d.data[d.off : d.off+int(n)]
	d.off += int(n)
	return b
}

func (d *decoder) byte() byte {
	b := d.take(1)
	if d.err != nil {
		return 0
	}
	return b[0]
}

// u32 reads an unsigned LEB128 of at most 32 bits. Go's linker pads some of them with zero groups up to five bytes, as
// the format allows.
func (d *decoder) u32() uint32 {
	start := d.off
	var v uint32
	for shift := 0; d.err == nil; shift += 7 {
		b := d.byte()
		if shift == 28 && b > 0x0f {
			d.err = fmt.Errorf("the number at byte %d has more than 32 bits", start)
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	return 0
}
