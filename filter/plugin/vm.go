package plugin

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// VM is the state of one worker's VM, which outlives the plugin contexts: the cursors, the metrics, and which context
// serves. Register it with proxywasm.SetVMContext. It is not safe for concurrent use; a VM has one thread.
type VM struct {
	types.DefaultVMContext

	config func() ([]byte, error) // the configuration of the plugin context that starts
	now    func() time.Time
	random func() uint32

	metrics metrics
	cursors *cursors // of the context that serves; nil until one does
	body    []byte   // of the 200 that was sent last, kept for its room

	// Generations number the plugin contexts in the order in which Envoy put them in force.
	issued  uint64 // the newest
	serving uint64 // the one that takes new requests
}

var _ types.VMContext = (*VM)(nil)

// NewVM returns the VM context of the filter.
func NewVM() *VM {
	return &VM{config: proxywasm.GetPluginConfiguration, now: wallClock, random: rand.Uint32}
}

// wallClock is time.Now without the monotonic clock, which would be a second host call. It panics where the host has no clock.
func wallClock() time.Time {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		panic(fmt.Errorf("read the clock: %w", err)) //nolint:forbidigo // as time.Now does; the request's callback recovers
	}
	return time.Unix(now.Unix())
}

// NewPluginContext implements types.VMContext.
func (vm *VM) NewPluginContext(uint32) types.PluginContext {
	p := &pluginContext{vm: vm, generation: vm.issue(), pending: true}
	p.http.plugin = p
	return p
}

func (vm *VM) issue() uint64 {
	vm.issued++
	return vm.issued
}
