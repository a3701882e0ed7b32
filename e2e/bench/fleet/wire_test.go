package fleet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"hash/maphash"
	"io"
	"net"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// A server is the other end of a wire: it has sent all that it will, and notes what it gets.
type server struct {
	net.Conn
	sent bytes.Buffer
	got  bytes.Buffer
}

func (s *server) Read(b []byte) (int, error)  { return s.sent.Read(b) }
func (s *server) Write(b []byte) (int, error) { return s.got.Write(b) }
func (s *server) Close() error                { return nil }
func (s *server) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

// framed is a message as gRPC puts it into a stream.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// send puts bytes of the stream into frames of at most size bytes.
func (s *server) send(t require.TestingT, data []byte, size int) {
	f := http2.NewFramer(&s.sent, nil)
	for len(data) > 0 {
		n := min(size, len(data))
		require.NoError(t, f.WriteData(streamID, false, data[:n]))
		data = data[n:]
	}
}

// frames are those that the server got after the preface. One is valid until the next.
func (s *server) frames(t *testing.T, each func(http2.Frame)) {
	t.Helper()
	preface := s.got.Next(len(http2.ClientPreface))
	require.Equal(t, http2.ClientPreface, string(preface))
	f := http2.NewFramer(nil, &s.got)
	for {
		frame, err := f.ReadFrame()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		each(frame)
	}
}

func opened(t require.TestingT, s *server, window uint32) *reader {
	w, err := dialled(s, window)
	require.NoError(t, err)
	return &reader{wire: w, keep: true}
}

// TestAResponseIsReadAsProtobufDoes whatever frames it comes in.
func TestAResponseIsReadAsProtobufDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, 200)
		message := &discoveryv3.DeltaDiscoveryResponse{
			SystemVersionInfo: text.Draw(t, "system version"), TypeUrl: text.Draw(t, "type url"), Nonce: text.Draw(t, "nonce"),
			RemovedResources: rapid.SliceOfN(text, 0, 3).Draw(t, "removed"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "resources") {
			message.Resources = append(message.Resources, &discoveryv3.Resource{
				Name: text.Draw(t, "name"), Version: text.Draw(t, "version"), Aliases: rapid.SliceOfN(text, 0, 2).Draw(t, "aliases"),
				Ttl:      &durationpb.Duration{Seconds: 5},
				Resource: &anypb.Any{TypeUrl: text.Draw(t, "any"), Value: rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "value")},
			})
		}
		data, err := proto.Marshal(message)
		require.NoError(t, err)
		s := &server{}
		stream := append(framed(data), framed(data)...)
		s.send(t, stream, rapid.IntRange(1, 4000).Draw(t, "frame"))
		r := opened(t, s, streamWindow)
		for range 2 {
			got, err := r.next()
			require.NoError(t, err)
			require.Equal(t, message.GetSystemVersionInfo(), got.version)
			require.Equal(t, message.GetTypeUrl(), got.typeURL)
			require.Equal(t, message.GetNonce(), got.nonce)
			require.Equal(t, append([]string{}, message.GetRemovedResources()...), append([]string{}, got.removed...))
			require.Len(t, got.resources, len(message.GetResources()))
			for i, want := range message.GetResources() {
				one := got.resources[i]
				require.Equal(t, want.GetName(), one.name)
				require.Equal(t, want.GetVersion(), one.version)
				require.Equal(t, len(want.GetResource().GetValue()), one.size)
				require.True(t, bytes.Equal(want.GetResource().GetValue(), one.value))
				if one.size > 0 {
					require.Equal(t, maphash.Bytes(seed, one.value), one.digest)
				}
			}
		}
		_, err = r.next()
		require.ErrorIs(t, err, io.EOF)
	})
}

func FuzzReader(f *testing.F) {
	for _, m := range []proto.Message{
		&discoveryv3.DeltaDiscoveryResponse{},
		&discoveryv3.DeltaDiscoveryResponse{Nonce: "1", Resources: []*discoveryv3.Resource{{Name: "a", Resource: &anypb.Any{Value: []byte("v")}}}},
	} {
		data, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(framed(data))
	}
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x12, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &server{}
		s.send(t, data, 1<<14)
		r := opened(t, s, streamWindow)
		for {
			got, err := r.next()
			if err != nil {
				return
			}
			require.LessOrEqual(t, len(got.version)+len(got.nonce)+len(got.typeURL), 3*len(data))
		}
	})
}

func TestFramesThatAskForAnAnswerGetOne(t *testing.T) {
	s := &server{}
	f := http2.NewFramer(&s.sent, nil)
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20}))
	require.NoError(t, f.WriteSettingsAck())
	require.NoError(t, f.WritePing(false, [8]byte{1, 2, 3}))
	require.NoError(t, f.WritePing(true, [8]byte{9}))
	_, err := opened(t, s, smallWindow).next()
	require.ErrorIs(t, err, io.EOF)
	settings, pings := 0, 0
	s.frames(t, func(frame http2.Frame) {
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if frame.IsAck() {
				settings++
				return
			}
			window, ok := frame.Value(http2.SettingInitialWindowSize)
			require.True(t, ok)
			require.EqualValues(t, smallWindow, window)
		case *http2.PingFrame:
			require.True(t, frame.IsAck())
			require.Equal(t, [8]byte{1, 2, 3}, frame.Data)
			pings++
		}
	})
	require.Equal(t, 1, settings)
	require.Equal(t, 1, pings)
}

func TestAWindowIsGivenBackUnlessTheEnvoyStalls(t *testing.T) {
	for name, c := range map[string]struct {
		stalls bool
		want   uint32
	}{
		"an Envoy that reads": {want: 3 * smallWindow / 2}, // each time that half of it is used; the last half is still in use
		"one that stalls":     {stalls: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			s.send(t, make([]byte, 2*smallWindow), 1<<14)
			r := opened(t, s, smallWindow)
			r.wire.stalled.Store(c.stalls)
			require.NoError(t, r.bytes(2*smallWindow, func([]byte) {}))
			connection, stream := uint32(0), uint32(0)
			s.frames(t, func(frame http2.Frame) {
				if update, ok := frame.(*http2.WindowUpdateFrame); ok && update.StreamID == 0 {
					connection += update.Increment
				} else if ok {
					stream += update.Increment
				}
			})
			require.Equal(t, c.want, stream)
			require.Equal(t, c.want+connectionWindow-defaultWindow, connection)
		})
	}
}

func TestTheEndOfAStreamSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		send func(*http2.Framer) error
		want string
	}{
		"a reset":              {func(f *http2.Framer) error { return f.WriteRSTStream(streamID, http2.ErrCodeCancel) }, "CANCEL"},
		"a server that leaves": {func(f *http2.Framer) error { return f.WriteGoAway(1, http2.ErrCodeNo, []byte("max_age")) }, "max_age"},
		"an end without a word": {
			func(f *http2.Framer) error { return f.WriteData(streamID, true, nil) }, "unexpected EOF",
		},
		"a compressed message": {func(f *http2.Framer) error { return f.WriteData(streamID, false, []byte{1, 0, 0, 0, 0}) }, "compressed"},
		"trailers": {func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: streamID, EndHeaders: true, EndStream: true,
				BlockFragment: []byte("\x00\x0bgrpc-status\x0212"), // a literal, without Huffman
			})
		}, "grpc-status"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			require.NoError(t, c.send(http2.NewFramer(&s.sent, nil)))
			_, err := opened(t, s, streamWindow).next()
			require.ErrorContains(t, err, c.want)
		})
	}
}
