package envoy

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// field is a field, of bytes or of a message, and the rest of its message.
type field struct {
	rest   proto.Message
	number protowire.Number
}

// nest encodes messages that lie one in the other, the outermost first, with data in the last one's field. Each field is written behind
// the others of its message, whatever its number, as protobuf allows: so data comes last, and is copied once.
func nest(data []byte, fields ...field) []byte {
	heads := make([][]byte, len(fields))
	size := len(data)
	for i, f := range slices.Backward(fields) {
		head := mustAny(f.rest).GetValue()
		head = protowire.AppendTag(head, f.number, protowire.BytesType)
		heads[i] = protowire.AppendVarint(head, uint64(size))
		size += len(heads[i])
	}
	return append(slices.Concat(heads...), data...)
}
