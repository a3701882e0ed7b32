package xds

import (
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto" // registers the codec that is extended
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// minShared is the size in bytes from which a resource is shared. Below it a copy is cheaper than another buffer.
const minShared = 64 << 10

// Field numbers of the xDS messages that hold the bytes of a resource.
const (
	responseResources = protowire.Number(2) // DeltaDiscoveryResponse.resources
	resourceResource  = protowire.Number(2) // Resource.resource
	anyValue          = protowire.Number(2) // google.protobuf.Any.value
)

// A sharingCodec encodes protobuf like gRPC does, except that the bytes of a large resource are handed to the transport as they are.
// gRPC's own codec copies the index for each Envoy, all at once when a version is published: 100 Envoys and 100 MB are 10 GB.
type sharingCodec struct {
	encoding.CodecV2
}

func newSharingCodec() sharingCodec {
	return sharingCodec{CodecV2: encoding.GetCodecV2(grpcproto.Name)}
}

// Marshal aliases the values of large resources, which must not change any more.
func (c sharingCodec) Marshal(v any) (mem.BufferSlice, error) {
	response, ok := v.(*discoveryv3.DeltaDiscoveryResponse)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	large := false
	for _, r := range response.GetResources() {
		large = large || len(r.GetResource().GetValue()) >= minShared
	}
	if !large {
		return c.CodecV2.Marshal(v)
	}

	head, err := proto.Marshal(without(response, responseResources))
	if err != nil {
		return nil, err
	}
	out := mem.BufferSlice{mem.SliceBuffer(head)}
	for _, r := range response.GetResources() {
		b, err := resourceHead(r)
		if err != nil {
			return nil, err
		}
		out = append(out, mem.SliceBuffer(b), mem.SliceBuffer(r.GetResource().GetValue()))
	}
	return out, nil
}

// resourceHead encodes r as a field of the response, up to the bytes of its value, with which it ends.
func resourceHead(r *discoveryv3.Resource) ([]byte, error) {
	rest, err := proto.Marshal(without(r, resourceResource))
	if err != nil {
		return nil, err
	}
	inner, err := proto.Marshal(without(r.GetResource(), anyValue))
	if err != nil {
		return nil, err
	}
	valueSize := len(r.GetResource().GetValue())
	inner = protowire.AppendTag(inner, anyValue, protowire.BytesType)
	inner = protowire.AppendVarint(inner, uint64(valueSize))
	innerSize := len(inner) + valueSize

	size := len(rest) + protowire.SizeTag(resourceResource) + protowire.SizeBytes(innerSize)
	b := protowire.AppendTag(nil, responseResources, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = append(b, rest...)
	b = protowire.AppendTag(b, resourceResource, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(innerSize))
	return append(b, inner...), nil
}

// without returns a shallow copy of m without one field.
func without(m proto.Message, field protowire.Number) proto.Message {
	from := m.ProtoReflect()
	to := from.New()
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Number() != field {
			to.Set(fd, v)
		}
		return true
	})
	return to.Interface()
}
