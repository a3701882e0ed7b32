//go:build wasip1

package abi

// Numbers of the ABI: proxy_buffer_type_t and proxy_header_map_type_t.
const (
	pluginConfiguration = 7
	requestHeaders      = 0
)

// noGRPC is the gRPC status of a reply to a request that is none.
const noGRPC = -1

//go:wasmimport env proxy_log
//go:noescape
func proxyLog(level Level, message string) Status

//go:wasmimport env proxy_get_buffer_bytes
//go:noescape
func proxyGetBufferBytes(buffer, start, size uint32, address, received *uint32) Status

//go:wasmimport env proxy_get_header_map_value
//go:noescape
func proxyGetHeaderMapValue(headers uint32, name string, address, received *uint32) Status

//go:wasmimport env proxy_send_local_response
//go:noescape
func proxySendLocalResponse(code uint32, details string, body *byte, bodySize uint32, headers *byte, headersSize uint32, grpc int32) Status

//go:wasmimport env proxy_define_metric
//go:noescape
func proxyDefineMetric(kind MetricKind, name string, metric *uint32) Status

//go:wasmimport env proxy_increment_metric
//go:noescape
func proxyIncrementMetric(metric Metric, by int64) Status

//go:wasmimport env proxy_record_metric
//go:noescape
func proxyRecordMetric(metric Metric, value uint64) Status

// https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md#clock_time_get
//
//go:wasmimport wasi_snapshot_preview1 clock_time_get
//go:noescape
func clockTimeGet(clock uint32, precision uint64, nanoseconds *uint64) Status

// Host is the proxy that runs the module. Errors are of type [Status].
type Host struct{}

// Configuration returns the configuration of the plugin that is being started, which has size bytes. It is the caller's.
func (Host) Configuration(size int) ([]byte, error) {
	given, received = nil, 0
	return take(proxyGetBufferBytes(pluginConfiguration, 0, uint32(size), &address, &received))
}

// RequestHeader returns the first value of a header of the request that is being handled. It is good until the callback returns.
// A header that is not there is NotFound.
func (Host) RequestHeader(name string) ([]byte, error) {
	given, received = nil, 0
	return take(proxyGetHeaderMapValue(requestHeaders, name, &address, &received))
}

// Reply answers the request that is being handled. The host copies what it is given. A callback that has replied returns Pause.
func (Host) Reply(status uint32, headers Headers, body []byte) error {
	return asError(proxySendLocalResponse(status, "", first(body), uint32(len(body)), first(headers), uint32(len(headers)), noGRPC))
}

// Log writes a line to the host's log.
func (Host) Log(level Level, message string) {
	_ = proxyLog(level, message) // there is nowhere to say that the log fails
}

// DefineMetric returns the metric of a name, which the host makes where it has none.
func (Host) DefineMetric(kind MetricKind, name string) (Metric, error) {
	status := proxyDefineMetric(kind, name, &received)
	return Metric(received), asError(status)
}

// Increment adds to a counter.
func (Host) Increment(counter Metric, by int64) error {
	return asError(proxyIncrementMetric(counter, by))
}

// Record sets a gauge.
func (Host) Record(gauge Metric, value uint64) error { return asError(proxyRecordMetric(gauge, value)) }

// UnixSeconds returns the time. It asks WASI for its real-time clock to the second: time.Now would ask for two clocks.
func (Host) UnixSeconds() (int64, error) {
	status := clockTimeGet(0, 1e9, &nanoseconds)
	return int64(nanoseconds / 1e9), asError(status)
}

// nanoseconds is what the clock was last. It is global as address is.
var nanoseconds uint64

func asError(status Status) error {
	if status == 0 {
		return nil
	}
	return status
}

func first(b []byte) *byte {
	if len(b) == 0 {
		return nil
	}
	return &b[0]
}
