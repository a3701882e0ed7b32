package revision

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A chunk is a DEFLATE stream of records: lengths as uvarints, then bytes. A row's length is stored plus one, 0 for a row that is not
// there. Changes are ID, Before, After; rows of a snapshot are ID, revision, row.

// chunkRaw is how many bytes of records a chunk has before it is compressed, without its last record. With that it is below MaxValue
// even where nothing can be compressed.
const chunkRaw = 256 << 10

// maxRaw bounds what a chunk may expand to.
const maxRaw = chunkRaw + 2*MaxCampaignBytes + MaxIDBytes + 64

func changeSize(c Change) int { return len(c.ID) + rowSize(c.Before) + rowSize(c.After) + 9 }

func rowSize(r *Row) int {
	if r == nil {
		return 0
	}
	return len(r.Campaign)
}

func appendChange(b []byte, c Change) []byte {
	return appendRow(appendRow(appendID(b, c.ID), c.Before), c.After)
}

func appendStored(b []byte, id string, p Present) []byte {
	return appendRow(binary.AppendUvarint(appendID(b, id), p.Revision), &p.Row)
}

func appendID(b []byte, id string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(id))), id...)
}

func appendRow(b []byte, r *Row) []byte {
	if r == nil {
		return binary.AppendUvarint(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(r.Campaign))+1), r.Campaign...)
}

// decoder reads records. After the first error it returns zero values.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) uvarint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.err = io.ErrUnexpectedEOF
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if d.err == nil && n > uint64(len(d.rest)) {
		d.err = io.ErrUnexpectedEOF
	}
	if d.err != nil {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) id() string {
	n := d.uvarint()
	if d.err == nil && (n == 0 || n > MaxIDBytes) {
		d.err = errors.New("an ID is empty or too long")
	}
	return string(d.bytes(n))
}

func (d *decoder) row() *Row {
	n := d.uvarint()
	if n == 0 {
		return nil
	}
	if n-1 > MaxCampaignBytes {
		d.err = errors.New("a row is too long")
	}
	// A copy, so that a row that stays does not keep its whole chunk.
	return &Row{Campaign: append([]byte(nil), d.bytes(n-1)...)}
}

func decodeChanges(stored []byte) ([]Change, error) {
	var changes []Change
	err := decode(stored, func(d *decoder) {
		changes = append(changes, Change{ID: d.id(), Before: d.row(), After: d.row()})
	})
	return changes, err
}

func decodeRows(stored []byte, row func(id string, p Present)) error {
	return decode(stored, func(d *decoder) {
		id, number, r := d.id(), d.uvarint(), d.row()
		if d.err == nil && (r == nil || number == 0) {
			d.err = errors.New("a snapshot without a row")
		}
		if d.err == nil {
			row(id, Present{Row: *r, Revision: number})
		}
	})
}

func decode(stored []byte, next func(d *decoder)) error {
	raw, err := expand(stored)
	if err != nil {
		return fmt.Errorf("%w: expand a chunk: %w", ErrDamaged, err)
	}
	d := decoder{rest: raw}
	for len(d.rest) > 0 && d.err == nil {
		next(&d)
	}
	if d.err != nil {
		return fmt.Errorf("%w: decode a chunk: %w", ErrDamaged, d.err)
	}
	return nil
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return err // not for a level that there is
	}
	return w
}}

func compress(raw []byte) ([]byte, error) {
	w, ok := deflaters.Get().(*flate.Writer)
	if !ok {
		return nil, errors.New("compress: no such level")
	}
	defer deflaters.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

func expand(stored []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(stored))
	raw, err := io.ReadAll(io.LimitReader(r, maxRaw+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxRaw {
		return nil, errors.New("it is too long")
	}
	return raw, r.Close()
}
