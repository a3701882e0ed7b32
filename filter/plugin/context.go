package plugin

import (
	"errors"
	"runtime"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// pluginContext serves one pushed index.
type pluginContext struct {
	types.DefaultPluginContext

	vm         *VM
	index      *adindex.Reader // nil: no index yet
	cursors    *cursors
	generation uint64
	pending    bool // the cursors are to be carried over at the next request

	// http serves every request: a request is over when its one callback returns, so there is nothing to keep for each.
	http httpContext
}

var _ types.PluginContext = (*pluginContext)(nil)

// OnPluginStart implements types.PluginContext. An index that cannot be opened fails the start: Envoy then rejects the
// push and goes on with the context before it. No configuration is the state "no index", not an error.
func (p *pluginContext) OnPluginStart(int) (status types.OnPluginStartStatus) {
	defer func() {
		if v := recover(); v != nil {
			proxywasm.LogCriticalf("index refused: panic: %v", v)
			status = types.OnPluginStartStatusFailed
		}
	}()
	p.vm.metrics.define()
	if err := p.load(); err != nil {
		proxywasm.LogCriticalf("index refused: %v", err)
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

// load opens the configuration as the index. The bytes that the host hands over are the index; there is no other copy.
func (p *pluginContext) load() error {
	// The index before the last one is garbage by now, but the collector, which sees the heap grow by one index only at the
	// next push, would let it stand. Collecting here and after the load keeps the VM's memory at two indexes.
	runtime.GC()
	defer runtime.GC()

	data, err := p.vm.config()
	if len(data) == 0 && (err == nil || errors.Is(err, types.ErrorStatusNotFound)) {
		proxywasm.LogInfo("no index yet")
		return nil
	}
	if err != nil {
		return err
	}
	index, err := adindex.Open(data)
	if err != nil {
		return err
	}
	if err := index.CheckBodies(adrequest.CheckAd); err != nil {
		return err
	}
	if err := hookIndex(index); err != nil {
		return err
	}
	p.index = index
	proxywasm.LogInfof("index loaded: %d bytes, %d ads, %d keys, source time %d",
		index.Size(), index.Ads(), index.Keys(), index.SourceTime())
	return nil
}

// NewHttpContext implements types.PluginContext. Envoy makes the context of a request from the configuration in force, so
// the context that is asked here is the one that serves from now on, whatever older contexts still have under way.
func (p *pluginContext) NewHttpContext(uint32) types.HttpContext {
	if p.generation < p.vm.serving {
		// An index that was replaced and is back while a request held its context: Envoy does not start it anew.
		p.generation = p.vm.issue()
		p.pending = true
	}
	p.vm.serving = p.generation
	return &p.http
}

// begin makes the context ready for its first request, and shows its index. It is not done in OnPluginStart, which the VM
// on the main thread runs too, and because the context before this one goes on taking turns until then.
func (p *pluginContext) begin() {
	if p.index != nil {
		p.cursors = p.vm.cursors.carry(p.index, p.vm.random)
	}
	p.pending = false
	if p.generation < p.vm.serving {
		return // a request that was under way when a newer context took over: it takes its turn, and leaves no trace
	}
	if p.cursors != nil {
		p.vm.cursors = p.cursors
	}
	p.vm.metrics.show(p.index)
}
