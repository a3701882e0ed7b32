package fleet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// streamID is that of the one stream on a connection.
	streamID = 1

	// The windows of Envoy 1.40 where a cluster does not set them.
	streamWindow     = 16 << 20
	connectionWindow = 24 << 20
	// smallWindow is the stream's window of an Envoy that is going to stall: an index does not fit into it.
	smallWindow = 64 << 10
	// defaultWindow is what a connection starts with (RFC 9113, 6.9.2).
	defaultWindow = 65535
)

// A wire is a connection with one gRPC stream. One goroutine reads and writes; stall, hang and close may be called by others.
//
// What it sends is a few requests of some kilobytes and one with the node, within the window that every server grants at first, so it
// does not count what it may send.
type wire struct {
	conn   net.Conn
	out    bytes.Buffer // frames that are written at the next flush
	framer *http2.Framer

	window  uint32
	taken   uint32 // bytes of DATA that no window update was sent for
	rest    []byte // of the present DATA frame
	ended   error  // what Read returns after rest
	stalled atomic.Bool
	hung    atomic.Bool
	closed  chan struct{}
	close   func() error
}

// dialled opens the stream on a connection.
func dialled(conn net.Conn, window uint32) (*wire, error) {
	w := &wire{conn: conn, window: window, closed: make(chan struct{})}
	w.close = sync.OnceValue(func() error {
		close(w.closed)
		return conn.Close()
	})
	w.framer = http2.NewFramer(&w.out, bufio.NewReaderSize(conn, 64<<10))
	w.framer.SetReuseFrames()
	w.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)

	w.out.WriteString(http2.ClientPreface)
	err := errors.Join(
		w.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}),
		w.framer.WriteWindowUpdate(0, connectionWindow-defaultWindow),
		w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: streamID, EndHeaders: true, BlockFragment: header(conn.RemoteAddr().String())}),
	)
	return w, errors.Join(err, w.flush())
}

func header(authority string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"},
		{Name: ":authority", Value: authority},
		{Name: "te", Value: "trailers"},
		{Name: "content-type", Value: "application/grpc"},
	} {
		_ = e.WriteField(f) // into memory
	}
	return b.Bytes()
}

func (w *wire) flush() error {
	_, err := w.conn.Write(w.out.Bytes())
	w.out.Reset()
	return err
}

// send sends one message of the stream.
func (w *wire) send(message []byte) error {
	framed := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message)))
	framed = append(framed, message...)
	for len(framed) > 0 {
		n := min(len(framed), 16<<10) // the largest frame that a peer takes unasked
		if err := w.framer.WriteData(streamID, false, framed[:n]); err != nil {
			return err
		}
		framed = framed[n:]
	}
	return w.flush()
}

// chunk returns at least one and at most limit bytes of what the server sent. They are valid until the next call.
func (w *wire) chunk(limit int) ([]byte, error) {
	for len(w.rest) == 0 {
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
	n := min(limit, len(w.rest))
	b := w.rest[:n]
	w.rest = w.rest[n:]
	return b, nil
}

// fill reads one frame and does what it asks for.
func (w *wire) fill() error {
	if w.ended != nil {
		return w.ended
	}
	if w.hung.Load() {
		<-w.closed
		return net.ErrClosed
	}
	if err := w.grant(); err != nil {
		return err
	}
	frame, err := w.framer.ReadFrame()
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		w.rest = f.Data()
		w.taken += f.Length // padding counts
		if f.StreamEnded() {
			w.ended = io.ErrUnexpectedEOF
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return errors.Join(w.framer.WriteSettingsAck(), w.flush())
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return errors.Join(w.framer.WritePing(true, f.Data), w.flush())
		}
	case *http2.MetaHeadersFrame:
		if f.StreamEnded() {
			return fmt.Errorf("the stream ended: %v", f.RegularFields())
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the stream was reset: %v", f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server goes away: %v %q", f.ErrCode, f.DebugData())
	}
	return nil
}

// grant gives back half of a window once it is used, as Envoy does.
func (w *wire) grant() error {
	if w.taken < w.window/2 || w.stalled.Load() {
		return nil
	}
	n := w.taken
	w.taken = 0
	return errors.Join(w.framer.WriteWindowUpdate(0, n), w.framer.WriteWindowUpdate(streamID, n), w.flush())
}
