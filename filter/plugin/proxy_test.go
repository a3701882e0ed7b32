package plugin

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/abi"
)

// proxy is the host of a filter, in memory. Its calls can be made to fail.
type proxy struct {
	t        *testing.T
	now      func() time.Time
	config   []byte
	active   uint32 // the context that is being called
	requests map[uint32]*proxyRequest
	refused  map[string]bool // calls that fail from now on, by their names in the ABI

	defined []string // metrics, in the order of their definition
	kinds   []abi.MetricKind
	values  []uint64
	lines   map[abi.Level][]string
}

type proxyRequest struct {
	headers [][2]string
	reply   *reply
}

type reply struct {
	status  uint32
	headers [][2]string
	body    string
}

var _ Host = (*proxy)(nil)

func newProxy(t *testing.T) *proxy {
	t.Helper()
	return &proxy{
		t: t, now: func() time.Time { return epoch },
		requests: map[uint32]*proxyRequest{}, refused: map[string]bool{}, lines: map[abi.Level][]string{},
	}
}

func (p *proxy) refuse(call string) error {
	if p.refused[call] {
		return abi.InternalFailure
	}
	return nil
}

func (p *proxy) Configuration(size int) ([]byte, error) {
	require.Len(p.t, p.config, size)
	return slices.Clone(p.config), p.refuse("proxy_get_buffer_bytes")
}

func (p *proxy) RequestHeader(name string) ([]byte, error) {
	for _, h := range p.requests[p.active].headers {
		if h[0] == name {
			return []byte(h[1]), nil
		}
	}
	return nil, abi.NotFound
}

func (p *proxy) Reply(status uint32, headers abi.Headers, body []byte) error {
	request := p.requests[p.active]
	require.Nil(p.t, request.reply, "a second reply")
	if err := p.refuse("proxy_send_local_response"); err != nil {
		return err
	}
	request.reply = &reply{status: status, headers: decodeHeaders(p.t, headers), body: string(body)}
	return nil
}

// decodeHeaders reads a count, then two sizes for each header, then the texts, each with a zero byte after it.
func decodeHeaders(t *testing.T, headers abi.Headers) (list [][2]string) {
	t.Helper()
	count := int(binary.LittleEndian.Uint32(headers))
	texts := string(headers[4+8*count:])
	for i := range count {
		var header [2]string
		for j := range header {
			size := binary.LittleEndian.Uint32(headers[4+8*i+4*j:])
			header[j] = strings.Clone(texts[:size])
			require.Zero(t, texts[size])
			texts = texts[size+1:]
		}
		list = append(list, header)
	}
	require.Empty(t, texts)
	return list
}

func (p *proxy) Log(level abi.Level, message string) {
	p.lines[level] = append(p.lines[level], strings.Clone(message))
}

func (p *proxy) UnixSeconds() (int64, error) { return p.now().Unix(), p.refuse("clock_time_get") }

func (p *proxy) DefineMetric(kind abi.MetricKind, name string) (abi.Metric, error) {
	if err := p.refuse("proxy_define_metric"); err != nil {
		return 0, err
	}
	// Not the place of the name in the list: Envoy too gives a name that it knows a new number.
	p.defined, p.kinds, p.values = append(p.defined, strings.Clone(name)), append(p.kinds, kind), append(p.values, 0)
	return abi.Metric(len(p.defined) - 1), nil
}

func (p *proxy) Increment(counter abi.Metric, by int64) error {
	require.Equal(p.t, abi.Counter, p.kinds[counter])
	if err := p.refuse("proxy_increment_metric"); err != nil {
		return err
	}
	p.values[counter] += uint64(by)
	return nil
}

func (p *proxy) Record(gauge abi.Metric, value uint64) error {
	require.Equal(p.t, abi.Gauge, p.kinds[gauge])
	if err := p.refuse("proxy_record_metric"); err != nil {
		return err
	}
	p.values[gauge] = value
	return nil
}

func (p *proxy) setClock(now time.Time) { p.now = func() time.Time { return now } }

func (p *proxy) counter(name string) uint64 {
	p.t.Helper()
	v, ok := p.gauge(name)
	require.True(p.t, ok, name)
	return v
}

func (p *proxy) gauge(name string) (value uint64, defined bool) {
	id := slices.Index(p.defined, name)
	if id < 0 {
		return 0, false
	}
	return p.values[id], true
}

func (p *proxy) logs(level abi.Level) []string { return slices.Clone(p.lines[level]) }
