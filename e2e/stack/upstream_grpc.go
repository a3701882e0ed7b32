package stack

import (
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that rawCodec falls back to
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// echoServer answers any method that no registered service has by sending its messages back.
func echoServer() *grpc.Server {
	return grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{CodecV2: encoding.GetCodecV2("proto")}),
		grpc.UnknownServiceHandler(echoStream),
	)
}

func echoStream(_ any, stream grpc.ServerStream) error {
	method, ok := grpc.MethodFromServerStream(stream)
	if !ok {
		return status.Error(codes.Internal, "the stream has no method")
	}
	header := metadata.Pairs("echo-method", method)
	if in, ok := metadata.FromIncomingContext(stream.Context()); ok {
		header.Append("echo-authorization", in.Get("authorization")...)
	}
	if err := stream.SendHeader(header); err != nil {
		return err
	}
	for {
		var message rawMessage
		err := stream.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

// rawMessage is a message that was not decoded.
type rawMessage []byte

// rawCodec passes a rawMessage on as it is and leaves other messages, those of registered services, to the codec inside.
type rawCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*rawMessage); ok {
		return mem.BufferSlice{mem.SliceBuffer(*m)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if m, ok := v.(*rawMessage); ok {
		*m = data.Materialize() // a copy: data is the transport's
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
