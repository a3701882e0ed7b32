package plugin

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// Status codes of host calls.
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1#proxy_status_t
const (
	statusOK       = 0
	statusNotFound = 1
	statusInternal = 10
)

var levels = []string{"trace", "debug", "info", "warn", "error", "critical"}

// compilations spares the tests compiling the same module for each worker.
var compilations = wazero.NewCompilationCache()

// moduleWorker hosts a compiled filter as Envoy does: many plugin contexts in one VM, a clock that moves, and host calls
// that can be made to fail. It has only the host calls that the module may use, so a new one fails every test.
type moduleWorker struct {
	t     *testing.T
	guest api.Module
	now   time.Time

	nextID   uint32
	active   uint32 // the context that is being called
	plugins  []uint32
	current  int
	config   []byte
	requests map[uint32]*moduleRequest

	refused map[string]bool // host calls that fail from now on
	defined []string        // metrics, in the order of their definition
	values  []uint64
	lines   map[string][]string
}

type moduleRequest struct {
	headers [][2]string
	reply   *reply
}

func newModule(t *testing.T, m module) *moduleWorker {
	t.Helper()
	ctx := context.Background()
	w := &moduleWorker{
		t: t, now: epoch,
		requests: map[uint32]*moduleRequest{}, refused: map[string]bool{}, lines: map[string][]string{},
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compilations))
	t.Cleanup(func() { require.NoError(t, runtime.Close(ctx)) })
	_, err := wasi_snapshot_preview1.Instantiate(ctx, runtime)
	require.NoError(t, err)

	env := runtime.NewHostModuleBuilder("env")
	for name, call := range map[string]any{
		"proxy_log":                          w.log,
		"proxy_get_buffer_bytes":             w.getConfiguration,
		"proxy_get_header_map_value":         w.getHeader,
		"proxy_send_local_response":          w.reply,
		"proxy_set_tick_period_milliseconds": func(context.Context, uint32, uint32) uint32 { return statusInternal },
		"proxy_set_effective_context":        func(context.Context, uint32) uint32 { return statusInternal },
		"proxy_define_metric":                w.defineMetric,
		"proxy_increment_metric":             w.incrementMetric,
		"proxy_record_metric":                w.recordMetric,
	} {
		env.NewFunctionBuilder().WithFunc(call).Export(name)
	}
	_, err = env.Instantiate(ctx)
	require.NoError(t, err)

	config := wazero.NewModuleConfig().WithStartFunctions("_initialize").
		WithRandSource(randomBytes{}).
		WithWalltime(func() (int64, int32) { return w.now.Unix(), int32(w.now.Nanosecond()) }, sys.ClockResolution(1))
	// Compiled apart: a module that Instantiate compiles leaves the cache with its runtime.
	compiled, err := runtime.CompileModule(ctx, readModule(t, m))
	require.NoError(t, err)
	w.guest, err = runtime.InstantiateModule(ctx, compiled, config)
	require.NoError(t, err)
	return w
}

// randomBytes seeds the module's random numbers; wazero's own source gives each VM the same.
type randomBytes struct{}

func (randomBytes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return len(p), nil
}

// call calls an export for a context, and returns an error when that destroys the VM.
func (w *moduleWorker) call(export string, id uint32, args ...uint64) (uint64, error) {
	w.active = id
	results, err := w.guest.ExportedFunction(export).Call(context.Background(), append([]uint64{uint64(id)}, args...)...)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return results[0], nil
}

func (w *moduleWorker) mustCall(export string, id uint32, args ...uint64) uint64 {
	w.t.Helper()
	result, err := w.call(export, id, args...)
	require.NoError(w.t, err)
	return result
}

func (w *moduleWorker) newContext(parent uint32) uint32 {
	w.t.Helper()
	w.nextID++
	w.mustCall("proxy_on_context_create", w.nextID, uint64(parent))
	return w.nextID
}

func (w *moduleWorker) push(config []byte) bool {
	w.t.Helper()
	id := w.newContext(0)
	w.config = config
	w.mustCall("proxy_on_vm_start", id, 0) // Envoy calls it for each plugin context
	w.plugins = append(w.plugins, id)
	if w.mustCall("proxy_on_configure", id, uint64(len(config))) == 0 {
		w.mustCall("proxy_on_delete", id)
		return false
	}
	w.current = len(w.plugins) - 1
	return true
}

func (w *moduleWorker) restore(n int) { w.current = n }

func (w *moduleWorker) open() uint32 {
	id := w.newContext(w.plugins[w.current])
	w.requests[id] = &moduleRequest{}
	return id
}

func (w *moduleWorker) ask(request uint32, headers [][2]string) (types.Action, *reply) {
	w.t.Helper()
	r := w.requests[request]
	r.headers = headers
	action := w.mustCall("proxy_on_request_headers", request, uint64(len(headers)), 1)
	return types.Action(action), r.reply
}

func (w *moduleWorker) end(request uint32) {
	w.t.Helper()
	w.mustCall("proxy_on_delete", request)
	delete(w.requests, request)
}

func (w *moduleWorker) setClock(now time.Time) { w.now = now }

func (w *moduleWorker) counter(name string) uint64 {
	w.t.Helper()
	v, ok := w.gauge(name)
	require.True(w.t, ok, name)
	return v
}

func (w *moduleWorker) gauge(name string) (uint64, bool) {
	id := slices.Index(w.defined, name)
	if id < 0 {
		return 0, false
	}
	return w.values[id], true
}

func (w *moduleWorker) logs(level string) []string { return slices.Clone(w.lines[level]) }

// The host calls. Pointers are into the guest's memory.

func (w *moduleWorker) log(_ context.Context, level, text, size uint32) uint32 {
	name := levels[level]
	w.lines[name] = append(w.lines[name], w.read(text, size))
	return statusOK
}

func (w *moduleWorker) getConfiguration(ctx context.Context, kind, start, _, data, size uint32) uint32 {
	require.Equal(w.t, [2]uint32{7, 0}, [2]uint32{kind, start}) // the plugin's configuration, whole
	if w.refused["proxy_get_buffer_bytes"] {
		return statusInternal
	}
	if len(w.config) == 0 {
		return statusNotFound
	}
	w.write(ctx, w.config, data, size)
	return statusOK
}

func (w *moduleWorker) getHeader(ctx context.Context, kind, name, nameSize, data, size uint32) uint32 {
	require.Zero(w.t, kind) // the request's headers
	want := w.read(name, nameSize)
	for _, h := range w.requests[w.active].headers {
		if h[0] == want {
			w.write(ctx, []byte(h[1]), data, size)
			return statusOK
		}
	}
	return statusNotFound
}

func (w *moduleWorker) reply(_ context.Context, status, _, _, body, bodySize, headers, headersSize, _ uint32) uint32 {
	request := w.requests[w.active]
	require.Nil(w.t, request.reply, "a second reply")
	if w.refused["proxy_send_local_response"] {
		return statusInternal
	}
	request.reply = &reply{status: status, body: w.read(body, bodySize)}
	// A count, then two sizes for each header, then the texts, each with a zero byte after it.
	pairs := w.read(headers, headersSize)
	count := binary.LittleEndian.Uint32([]byte(pairs))
	texts := strings.Split(pairs[4+8*count:], "\x00")
	for i := range int(count) {
		request.reply.headers = append(request.reply.headers, [2]string{texts[2*i], texts[2*i+1]})
	}
	return statusOK
}

func (w *moduleWorker) defineMetric(_ context.Context, _, name, nameSize, id uint32) uint32 {
	if w.refused["proxy_define_metric"] {
		return statusInternal
	}
	// Not the place of the name in the list: Envoy too gives a name that it knows a new number.
	require.True(w.t, w.guest.Memory().WriteUint32Le(id, uint32(len(w.defined))))
	w.defined = append(w.defined, w.read(name, nameSize))
	w.values = append(w.values, 0)
	return statusOK
}

func (w *moduleWorker) incrementMetric(_ context.Context, id uint32, by uint64) uint32 {
	if w.refused["proxy_increment_metric"] {
		return statusInternal
	}
	w.values[id] += by
	return statusOK
}

func (w *moduleWorker) recordMetric(_ context.Context, id uint32, value uint64) uint32 {
	if w.refused["proxy_record_metric"] {
		return statusInternal
	}
	w.values[id] = value
	return statusOK
}

// read copies from the guest's memory.
func (w *moduleWorker) read(at, size uint32) string {
	b, ok := w.guest.Memory().Read(at, size)
	require.True(w.t, ok)
	return string(b)
}

// write gives the guest a copy of b, in memory that the guest allocates.
func (w *moduleWorker) write(ctx context.Context, b []byte, data, size uint32) {
	results, err := w.guest.ExportedFunction("proxy_on_memory_allocate").Call(ctx, uint64(len(b)))
	require.NoError(w.t, err)
	memory := w.guest.Memory()
	require.True(w.t, memory.Write(uint32(results[0]), b))
	require.True(w.t, memory.WriteUint32Le(data, uint32(results[0])))
	require.True(w.t, memory.WriteUint32Le(size, uint32(len(b))))
}
