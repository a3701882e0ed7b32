package plugin

import (
	"runtime"
	"strconv"

	"adsidecar/filter/abi"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// pluginContext serves one pushed index.
type pluginContext struct {
	vm         *VM
	index      *adindex.Reader // nil: no index yet
	cursors    *cursors
	generation uint64
	pending    bool // the cursors are to be carried over at the next request
}

// Configure implements [abi.Filter]. An index that cannot be opened fails the start: Envoy then rejects the push and goes on with
// the context before it. No configuration is the state "no index", not an error.
func (vm *VM) Configure(id uint32, size int) (started bool) {
	defer func() {
		if v := recover(); v != nil {
			vm.host.Log(abi.Critical, "index refused: panic: "+panicText(v))
			started = false
		}
	}()
	err := vm.metrics.define()
	if err == nil {
		err = vm.plugins.find(id).load(size)
	}
	if err != nil {
		vm.host.Log(abi.Critical, "index refused: "+err.Error())
	}
	return err == nil
}

// load opens the configuration as the index. The bytes that the host hands over are the index; there is no other copy.
func (p *pluginContext) load(size int) error {
	// The index before the last one is garbage by now, but the collector, which sees the heap grow by one index only at the
	// next push, would let it stand. Collecting here and after the load keeps the VM's memory at two indexes.
	runtime.GC()
	defer runtime.GC()

	if size == 0 {
		p.vm.host.Log(abi.Info, "no index yet")
		return nil
	}
	data, err := p.vm.host.Configuration(size)
	if err != nil {
		return err
	}
	index, err := p.open(data)
	if err != nil {
		return err
	}
	if err := hookIndex(index); err != nil {
		return err
	}
	p.index = index
	p.vm.host.Log(abi.Info, "index loaded: "+strconv.Itoa(index.Size())+" bytes, "+strconv.Itoa(index.Ads())+" ads, "+
		strconv.Itoa(index.Keys())+" keys, source time "+strconv.FormatInt(index.SourceTime(), 10))
	return nil
}

// open checks all of an index in the VM's first context, and takes the others as they are. Envoy starts a configuration in a VM of its own first,
// on the main thread, and hands it to the VMs that are there only once that has succeeded:
// https://github.com/proxy-wasm/proxy-wasm-cpp-host, WasmHandleBase::canary. What has been found good there need not stop a worker again.
func (p *pluginContext) open(data []byte) (*adindex.Reader, error) {
	if p.generation > 1 {
		return adindex.Reopen(data)
	}
	index, err := adindex.Open(data)
	if err != nil {
		return nil, err
	}
	return index, index.CheckBodies(adrequest.Checker(func(ad uint32) []byte { return index.Body(adindex.AdRef(ad)) }))
}

// serve puts the context in force. Envoy makes the context of a request from the configuration in force, so the one that is asked for
// it is the one that serves from now on, whatever older contexts still have under way.
func (p *pluginContext) serve() {
	if p.generation < p.vm.serving {
		// An index that was replaced and is back while a request held its context: Envoy does not start it anew.
		p.generation = p.vm.issue()
		p.pending = true
	}
	p.vm.serving = p.generation
}

// begin makes the context ready for its first request, and shows its index. It is not done in Configure, which the VM
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
	if err := p.vm.metrics.show(p.index); err != nil {
		p.vm.host.Log(abi.Error, "set gauges: "+err.Error())
	}
}
