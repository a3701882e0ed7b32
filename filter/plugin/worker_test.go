package plugin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/stretchr/testify/require"
)

// worker is one worker's VM, driven as Envoy drives it.
type worker interface {
	// push makes a plugin context with this configuration; new requests are its own if it starts.
	push(config []byte) (started bool)
	// restore puts the nth pushed context in force once more without starting it.
	restore(n int)
	// open begins a request, and ask sends its headers to the filter. A nil reply means that there was none.
	open() uint32
	ask(request uint32, headers [][2]string) (types.Action, *reply)
	end(request uint32)

	setClock(time.Time)
	counter(name string) uint64
	gauge(name string) (value uint64, defined bool)
	logs(level string) []string // "info", "warn", "error" or "critical"
}

type reply struct {
	status  uint32
	headers [][2]string
	body    string
}

// workers are the ways to run the filter. What the SDK's emulator cannot do with a module, a second context and a clock
// that moves, is asked of the first and the last only.
var workers = map[string]func(t *testing.T) worker{
	"native":                       newNative,
	"module under the emulator":    newEmulated,
	"stripped module under wazero": func(t *testing.T) worker { return newModule(t, strippedModule) },
}

// pushable are the workers that take more than one index and a clock.
var pushable = map[string]func(t *testing.T) worker{
	"native":                       newNative,
	"stripped module under wazero": workers["stripped module under wazero"],
}

func onEach(t *testing.T, workers map[string]func(t *testing.T) worker, test func(t *testing.T, w worker)) {
	t.Helper()
	for name, start := range workers {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// emulated is the filter under the SDK's host emulator.
type emulated struct {
	t    *testing.T
	vm   types.VMContext
	host proxytest.HostEmulator

	native *VM // nil for a module
	clock  time.Time

	// The emulator knows one plugin context: contexts stands in for it and passes its calls on.
	contexts []types.PluginContext
	current  int
}

func newNative(t *testing.T) worker {
	t.Helper()
	w := &emulated{t: t, native: NewVM(), clock: epoch}
	w.vm = w.native
	w.native.now = func() time.Time { return w.clock }
	w.start(nil)
	return w
}

func newEmulated(t *testing.T) worker {
	t.Helper()
	vm, err := proxytest.NewWasmVMContext(readModule(t, wholeModule))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, vm.Close()) })
	return &emulated{t: t, vm: vm}
}

func (w *emulated) start(config []byte) {
	option := proxytest.NewEmulatorOption().WithVMContext(&standIn{w: w}).WithPluginConfiguration(config)
	host, reset := proxytest.NewHostEmulator(option)
	w.t.Cleanup(reset)
	w.host = host
	require.Equal(w.t, types.OnVMStartStatusOK, host.StartVM())
}

func (w *emulated) push(config []byte) bool {
	w.t.Helper()
	if w.native == nil {
		require.Nil(w.t, w.host, "the emulator gives a module one configuration")
		w.start(config)
	} else {
		w.native.config = func() ([]byte, error) {
			if len(config) == 0 {
				return nil, types.ErrorStatusNotFound
			}
			return config, nil
		}
	}
	before := w.current
	w.contexts = append(w.contexts, w.vm.NewPluginContext(uint32(len(w.contexts)+1)))
	w.current = len(w.contexts) - 1
	if w.host.StartPlugin() != types.OnPluginStartStatusOK {
		w.current = before
		return false
	}
	return true
}

func (w *emulated) restore(n int) { w.current = n }

func (w *emulated) open() uint32 { return w.host.InitializeHttpContext() }

func (w *emulated) ask(request uint32, headers [][2]string) (types.Action, *reply) {
	action := w.host.CallOnRequestHeaders(request, headers, true)
	sent := w.host.GetSentLocalResponse(request)
	if sent == nil {
		return action, nil
	}
	// The emulator hands out the VM's own memory.
	r := &reply{status: sent.StatusCode, body: strings.Clone(string(sent.Data))}
	for _, h := range sent.Headers {
		r.headers = append(r.headers, [2]string{strings.Clone(h[0]), strings.Clone(h[1])})
	}
	return action, r
}

func (w *emulated) end(request uint32) { w.host.CompleteHttpContext(request) }

func (w *emulated) setClock(now time.Time) {
	require.NotNil(w.t, w.native, "the emulator's clock for a module does not move")
	w.clock = now
}

func (w *emulated) counter(name string) uint64 {
	v, err := w.host.GetCounterMetric(name)
	require.NoError(w.t, err)
	return v
}

func (w *emulated) gauge(name string) (uint64, bool) {
	v, err := w.host.GetGaugeMetric(name)
	return v, err == nil
}

func (w *emulated) logs(level string) []string {
	return slices.Clone(map[string]func() []string{
		"info": w.host.GetInfoLogs, "warn": w.host.GetWarnLogs, "error": w.host.GetErrorLogs, "critical": w.host.GetCriticalLogs,
	}[level]())
}

// standIn is the only VM context and the only plugin context that the emulator sees.
type standIn struct {
	types.DefaultPluginContext

	w *emulated
}

func (s *standIn) OnVMStart(size int) types.OnVMStartStatus { return s.w.vm.OnVMStart(size) }

func (s *standIn) NewPluginContext(uint32) types.PluginContext { return s }

func (s *standIn) OnPluginStart(size int) types.OnPluginStartStatus {
	return s.w.contexts[s.w.current].OnPluginStart(size)
}

func (s *standIn) NewHttpContext(id uint32) types.HttpContext {
	return s.w.contexts[s.w.current].NewHttpContext(id)
}
