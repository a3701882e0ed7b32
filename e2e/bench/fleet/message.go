package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxText bounds each text of a response; all that a control plane sends are short.
const maxText = 64 << 10

// seed makes the digests of this process comparable.
var seed = maphash.MakeSeed()

// A response is what a simulated Envoy keeps of a DeltaDiscoveryResponse.
type response struct {
	typeURL, version, nonce string
	resources               []resource
	removed                 []string
}

type resource struct {
	name, version string
	size          int
	digest        uint64 // of the value
	value         []byte // nil unless it is kept
}

// A reader reads messages from a wire as they come in.
type reader struct {
	wire *wire
	pos  uint64 // bytes read of the stream
	keep bool   // the values of resources
}

// next waits for the next message and reads it to its end.
func (r *reader) next() (response, error) {
	var head [5]byte
	for i := range head {
		b, err := r.wire.chunk(1)
		if err != nil {
			return response{}, err
		}
		head[i] = b[0]
	}
	if head[0] != 0 {
		return response{}, errors.New("the message is compressed")
	}
	var m response
	r.pos = 0
	err := r.fields(uint64(binary.BigEndian.Uint32(head[1:])), func(field protowire.Number, size uint64) (err error) {
		switch field { // of envoy.service.discovery.v3.DeltaDiscoveryResponse
		case 1:
			m.version, err = r.text(size)
		case 2:
			var one resource
			one, err = r.resource(size)
			m.resources = append(m.resources, one)
		case 4:
			m.typeURL, err = r.text(size)
		case 5:
			m.nonce, err = r.text(size)
		case 6:
			var name string
			name, err = r.text(size)
			m.removed = append(m.removed, name)
		default:
			err = r.bytes(size, func([]byte) {})
		}
		return err
	})
	return m, err
}

func (r *reader) resource(size uint64) (resource, error) {
	var one resource
	err := r.fields(r.pos+size, func(field protowire.Number, size uint64) (err error) {
		switch field { // of envoy.service.discovery.v3.Resource
		case 1:
			one.version, err = r.text(size)
		case 2:
			err = r.value(r.pos+size, &one)
		case 3:
			one.name, err = r.text(size)
		default:
			err = r.bytes(size, func([]byte) {})
		}
		return err
	})
	return one, err
}

// value reads a google.protobuf.Any.
func (r *reader) value(end uint64, one *resource) error {
	return r.fields(end, func(field protowire.Number, size uint64) error {
		if field != 2 {
			return r.bytes(size, func([]byte) {})
		}
		var digest maphash.Hash
		digest.SetSeed(seed)
		one.size = int(size)
		err := r.bytes(size, func(b []byte) {
			_, _ = digest.Write(b) // never fails
			if r.keep {
				one.value = append(one.value, b...)
			}
		})
		one.digest = digest.Sum64()
		return err
	})
}

// fields calls each for every field up to end, which has to read its size bytes. A field that is a number has none left to read.
func (r *reader) fields(end uint64, each func(field protowire.Number, size uint64) error) error {
	for r.pos < end {
		tag, err := r.varint()
		if err != nil {
			return err
		}
		number, kind := protowire.DecodeTag(tag)
		if !number.IsValid() {
			return fmt.Errorf("a field has the number %d", number)
		}
		var size uint64
		switch kind {
		case protowire.VarintType:
			if _, err := r.varint(); err != nil {
				return err
			}
			continue
		case protowire.BytesType:
			if size, err = r.varint(); err != nil {
				return err
			}
		default:
			return fmt.Errorf("field %d has the wire type %d", number, kind)
		}
		if size > end-min(end, r.pos) {
			return fmt.Errorf("field %d has %d bytes, more than the message", number, size)
		}
		if err := each(number, size); err != nil {
			return err
		}
	}
	if r.pos != end {
		return errors.New("a field ends after its message")
	}
	return nil
}

func (r *reader) varint() (uint64, error) {
	var b []byte
	for len(b) < binary.MaxVarintLen64 {
		if err := r.bytes(1, func(one []byte) { b = append(b, one...) }); err != nil {
			return 0, err
		}
		if b[len(b)-1] < 0x80 {
			break
		}
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, protowire.ParseError(n)
	}
	return v, nil
}

func (r *reader) text(size uint64) (string, error) {
	if size > maxText {
		return "", fmt.Errorf("a text of %d bytes", size)
	}
	text := make([]byte, 0, size)
	err := r.bytes(size, func(b []byte) { text = append(text, b...) })
	return string(text), err
}

// bytes hands the next size bytes to take, in pieces that are valid during the call.
func (r *reader) bytes(size uint64, take func([]byte)) error {
	for size > 0 {
		b, err := r.wire.chunk(int(min(size, 1<<20)))
		if err != nil {
			return err
		}
		take(b)
		size -= uint64(len(b))
		r.pos += uint64(len(b))
	}
	return nil
}
