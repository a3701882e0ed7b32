package abi

import "strconv"

// Filter is what the host calls, on one thread and one call at a time. A panic that leaves a method ends the VM.
type Filter interface {
	// CreateContext announces a context: a plugin's where parent is 0, else that of a request to the plugin parent.
	CreateContext(id, parent uint32)
	// Configure starts a plugin that has a configuration of size bytes. The host refuses a configuration for which it is false.
	Configure(id uint32, size int) bool
	// RequestHeaders is called once for each request, with its headers there to be read.
	RequestHeaders(id uint32) Action
	// DeleteContext ends a context. Those of a plugin's requests end before its own.
	DeleteContext(id uint32)
}

// Action is what becomes of a request after a callback (proxy_action_t).
type Action uint32

const (
	// Continue passes the request on to the next filter.
	Continue Action = 0
	// Pause goes no further with it. It is the answer to a callback that has replied.
	Pause Action = 1
)

// Level is the severity of a log line (proxy_log_level_t).
type Level uint32

const (
	// Info is for what an operator may want to know.
	Info Level = 2
	// Error is for a fault in one request.
	Error Level = 4
	// Critical is for a fault that keeps an index from being served.
	Critical Level = 5
)

// Metric is the number of a metric in a VM.
type Metric uint32

// MetricKind says what a metric is (proxy_metric_type_t).
type MetricKind uint32

const (
	// Counter only rises.
	Counter MetricKind = 0
	// Gauge is set to what is.
	Gauge MetricKind = 1
)

// Status is the host's answer to a call (proxy_status_t); as an error it is any but 0.
type Status uint32

// The statuses that this filter has met or that its tests give.
const (
	NotFound        Status = 1
	InternalFailure Status = 10
)

// Error implements error.
func (s Status) Error() string {
	switch s {
	case NotFound:
		return "the host has none"
	case InternalFailure:
		return "the host failed"
	default:
		return "the host answers status " + strconv.FormatUint(uint64(s), 10)
	}
}

// Headers are headers as the host reads them. They are made by [AppendHeaders], at best once and not for each reply.
type Headers []byte

// AppendHeaders appends list to dst, which is empty, and returns the longer slice: the number of headers, the sizes of each name and
// value, then the texts, each with a zero byte after it. The numbers are little-endian uint32.
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1#serialization
func AppendHeaders(dst Headers, list [][2]string) Headers {
	dst = appendSize(dst, len(list))
	for _, header := range list {
		dst = appendSize(appendSize(dst, len(header[0])), len(header[1]))
	}
	for _, header := range list {
		dst = append(append(dst, header[0]...), 0)
		dst = append(append(dst, header[1]...), 0)
	}
	return dst
}

func appendSize(dst []byte, n int) []byte {
	return append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}
