package plugin

import (
	"math/rand/v2"
	"slices"

	"adsidecar/filter/abi"
)

// Host is what the filter asks of the proxy; [abi.Host] says what each call does.
type Host interface {
	Configuration(size int) ([]byte, error)
	RequestHeader(name string) ([]byte, error)
	Reply(status uint32, headers abi.Headers, body []byte) error
	Log(level abi.Level, message string)
	UnixSeconds() (int64, error)
	meter
}

// VM is the filter in one worker's VM: the contexts, and what outlives them: the cursors, the metrics, and which context serves.
// It is not safe for concurrent use; a VM has one thread.
type VM struct {
	host   Host
	random func() uint32

	plugins contexts
	// opened are the requests whose headers have not come yet, with the contexts that answer them: in Envoy one at most. A request is
	// over when its one callback returns, so there is nothing to keep for it afterwards.
	opened contexts

	metrics metrics
	cursors *cursors    // of the context that serves; nil until one does
	body    []byte      // of the 200 that was sent last, kept for its room
	headers abi.Headers // of the refusal that was sent last, kept for its room

	// Generations number the plugin contexts in the order in which Envoy put them in force.
	issued  uint64 // the newest
	serving uint64 // the one that takes new requests
}

var _ abi.Filter = (*VM)(nil)

// New returns the filter for a host.
func New(host Host) *VM {
	return &VM{host: host, random: rand.Uint32, metrics: metrics{host: host}}
}

// CreateContext implements [abi.Filter].
func (vm *VM) CreateContext(id, parent uint32) {
	if parent == 0 {
		vm.plugins.add(id, &pluginContext{vm: vm, generation: vm.issue(), pending: true})
		return
	}
	p := vm.plugins.find(parent)
	if p == nil {
		return // the request's callback finds no context, and answers 500
	}
	p.serve()
	vm.opened.add(id, p)
}

// DeleteContext implements [abi.Filter].
func (vm *VM) DeleteContext(id uint32) {
	vm.opened.take(id)
	vm.plugins.take(id)
}

func (vm *VM) issue() uint64 {
	vm.issued++
	return vm.issued
}

// contexts are plugin contexts by numbers. They are few, and looked through from the newest.
type contexts []numbered

type numbered struct {
	id      uint32
	context *pluginContext
}

func (c *contexts) add(id uint32, p *pluginContext) {
	*c = append(*c, numbered{id, p})
}

func (c *contexts) place(id uint32) int {
	i := len(*c) - 1
	for i >= 0 && (*c)[i].id != id {
		i--
	}
	return i
}

// find returns the context of a number, or nil.
func (c *contexts) find(id uint32) *pluginContext {
	if i := c.place(id); i >= 0 {
		return (*c)[i].context
	}
	return nil
}

// take returns what find does, and forgets it.
func (c *contexts) take(id uint32) *pluginContext {
	i := c.place(id)
	if i < 0 {
		return nil
	}
	p := (*c)[i].context
	*c = slices.Delete(*c, i, i+1)
	return p
}
