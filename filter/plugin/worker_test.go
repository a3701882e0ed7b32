package plugin

import (
	"testing"

	"adsidecar/filter/abi"
)

// worker is one worker's VM, driven as Envoy drives it: many plugin contexts in one VM, and a clock that moves.
type worker struct {
	*proxy

	filter  abi.Filter
	nextID  uint32
	plugins []uint32
	current int // of the plugins, the one that new requests are for
}

// workers are the ways to run the filter.
var workers = map[string]func(t *testing.T) *worker{
	"native":                   newNative,
	"module under WebAssembly": func(t *testing.T) *worker { return newModule(t, builtModule) },
}

func onEach(t *testing.T, test func(t *testing.T, w *worker)) {
	t.Helper()
	for name, start := range workers {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

func newNative(t *testing.T) *worker {
	t.Helper()
	p := newProxy(t)
	return &worker{proxy: p, filter: New(p)}
}

func (w *worker) newContext(parent uint32) uint32 {
	w.nextID++
	w.active = w.nextID
	w.filter.CreateContext(w.nextID, parent)
	return w.nextID
}

// push makes a plugin context with this configuration; new requests are its own if it starts.
func (w *worker) push(config []byte) (started bool) {
	id := w.newContext(0)
	w.config = config
	w.plugins = append(w.plugins, id)
	if !w.filter.Configure(id, len(config)) {
		w.filter.DeleteContext(id)
		return false
	}
	w.current = len(w.plugins) - 1
	return true
}

// restore puts the nth pushed context in force once more without starting it.
func (w *worker) restore(n int) { w.current = n }

// open begins a request.
func (w *worker) open() uint32 {
	id := w.newContext(w.plugins[w.current])
	w.requests[id] = &proxyRequest{}
	return id
}

// ask sends the headers of a request to the filter. A nil reply means that there was none.
func (w *worker) ask(request uint32, headers [][2]string) (abi.Action, *reply) {
	r := w.requests[request]
	r.headers = headers
	w.active = request
	action := w.filter.RequestHeaders(request)
	return action, r.reply
}

func (w *worker) end(request uint32) {
	w.active = request
	w.filter.DeleteContext(request)
	delete(w.requests, request)
}
