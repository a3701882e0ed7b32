package plugin

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"adsidecar/filter/abi"
)

// compilations spares the tests compiling the same module for each worker.
var compilations = wazero.NewCompilationCache()

// guest is a compiled filter. It has only the host calls that the module may use, so a new one fails every test.
type guest struct {
	module api.Module
	host   *proxy
}

var _ abi.Filter = (*guest)(nil)

func newModule(t *testing.T, m module) *worker {
	t.Helper()
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compilations))
	t.Cleanup(func() { require.NoError(t, runtime.Close(ctx)) })
	_, err := wasi_snapshot_preview1.Instantiate(ctx, runtime)
	require.NoError(t, err)

	g := &guest{host: newProxy(t)}
	env := runtime.NewHostModuleBuilder("env")
	for name, call := range map[string]any{
		"proxy_log":                  g.log,
		"proxy_get_buffer_bytes":     g.getBuffer,
		"proxy_get_header_map_value": g.getHeader,
		"proxy_send_local_response":  g.reply,
		"proxy_define_metric":        g.defineMetric,
		"proxy_increment_metric":     g.incrementMetric,
		"proxy_record_metric":        g.recordMetric,
	} {
		env.NewFunctionBuilder().WithFunc(call).Export(name)
	}
	_, err = env.Instantiate(ctx)
	require.NoError(t, err)

	walltime := func() (int64, int32) {
		now := g.host.now()
		return now.Unix(), int32(now.Nanosecond())
	}
	config := wazero.NewModuleConfig().WithStartFunctions("_initialize").
		WithRandSource(randomBytes{}).
		WithWalltime(walltime, sys.ClockResolution(1))
	// Compiled apart: a module that Instantiate compiles leaves the cache with its runtime.
	compiled, err := runtime.CompileModule(ctx, readModule(t, m))
	require.NoError(t, err)
	g.module, err = runtime.InstantiateModule(ctx, compiled, config)
	require.NoError(t, err)
	return &worker{proxy: g.host, filter: g}
}

// randomBytes seeds the module's random numbers; wazero's own source gives each VM the same.
type randomBytes struct{}

func (randomBytes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return len(p), nil
}

// try calls an export, and returns an error when that destroys the VM.
func (g *guest) try(export string, args ...uint64) (uint64, error) {
	results, err := g.module.ExportedFunction(export).Call(context.Background(), args...)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return results[0], nil
}

func (g *guest) call(export string, args ...uint64) uint64 {
	g.host.t.Helper()
	result, err := g.try(export, args...)
	require.NoError(g.host.t, err)
	return result
}

func (g *guest) CreateContext(id, parent uint32) {
	g.call("proxy_on_context_create", uint64(id), uint64(parent))
}

func (g *guest) Configure(id uint32, size int) bool {
	return g.call("proxy_on_configure", uint64(id), uint64(size)) != 0
}

func (g *guest) RequestHeaders(id uint32) abi.Action {
	return abi.Action(g.call("proxy_on_request_headers", uint64(id), uint64(len(g.host.requests[id].headers)), 1))
}

func (g *guest) DeleteContext(id uint32) { g.call("proxy_on_delete", uint64(id)) }

// The host calls. Pointers are into the guest's memory.

// status is the status that an error of the host stands for.
func status(err error) uint32 {
	var s abi.Status
	_ = errors.As(err, &s) // stays 0, OK, where there is no error
	return uint32(s)
}

func (g *guest) log(_ context.Context, level, text, size uint32) uint32 {
	g.host.Log(abi.Level(level), string(g.read(text, size)))
	return 0
}

func (g *guest) getBuffer(ctx context.Context, kind, start, length, data, size uint32) uint32 {
	require.Equal(g.host.t, [2]uint32{7, 0}, [2]uint32{kind, start}) // the plugin's configuration, whole
	config, err := g.host.Configuration(int(length))
	if err == nil {
		g.write(ctx, config, data, size)
	}
	return status(err)
}

func (g *guest) getHeader(ctx context.Context, kind, name, nameSize, data, size uint32) uint32 {
	require.Zero(g.host.t, kind) // the request's headers
	value, err := g.host.RequestHeader(string(g.read(name, nameSize)))
	if err == nil {
		g.write(ctx, value, data, size)
	}
	return status(err)
}

func (g *guest) reply(_ context.Context, code, _, detailsSize, body, bodySize, headers, headersSize, grpc uint32) uint32 {
	require.Equal(g.host.t, [2]uint32{0, 1<<32 - 1}, [2]uint32{detailsSize, grpc})
	return status(g.host.Reply(code, g.read(headers, headersSize), g.read(body, bodySize)))
}

func (g *guest) defineMetric(_ context.Context, kind, name, nameSize, metric uint32) uint32 {
	id, err := g.host.DefineMetric(abi.MetricKind(kind), string(g.read(name, nameSize)))
	require.True(g.host.t, g.module.Memory().WriteUint32Le(metric, uint32(id)))
	return status(err)
}

func (g *guest) incrementMetric(_ context.Context, metric uint32, by int64) uint32 {
	return status(g.host.Increment(abi.Metric(metric), by))
}

func (g *guest) recordMetric(_ context.Context, metric uint32, value uint64) uint32 {
	return status(g.host.Record(abi.Metric(metric), value))
}

// read is the guest's own memory, good until it is called.
func (g *guest) read(at, size uint32) []byte {
	b, ok := g.module.Memory().Read(at, size)
	require.True(g.host.t, ok)
	return b
}

// write gives the guest a copy of b, in memory that the guest allocates. As Envoy, it asks for none where b is empty.
func (g *guest) write(ctx context.Context, b []byte, data, size uint32) {
	at := uint64(0)
	memory := g.module.Memory()
	if len(b) > 0 {
		results, err := g.module.ExportedFunction("proxy_on_memory_allocate").Call(ctx, uint64(len(b)))
		require.NoError(g.host.t, err)
		at = results[0]
		require.True(g.host.t, memory.Write(uint32(at), b))
	}
	require.True(g.host.t, memory.WriteUint32Le(data, uint32(at)))
	require.True(g.host.t, memory.WriteUint32Le(size, uint32(len(b))))
}
