//go:build wasip1

package abi

var filter Filter

// Serve makes f the filter of this module. It is called in an init function: the module is a reactor, and has no main.
func Serve(f Filter) { filter = f }

// The host looks for this name, and never calls it.
//
//go:wasmexport proxy_abi_version_0_2_0
func abiVersion() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(id, parent uint32) { filter.CreateContext(id, parent) }

//go:wasmexport proxy_on_configure
func onConfigure(id, size uint32) bool { return filter.Configure(id, int(size)) }

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, _, _ uint32) Action {
	room = arena[:]
	action := filter.RequestHeaders(id)
	room = nil
	return action
}

//go:wasmexport proxy_on_delete
func onDelete(id uint32) { filter.DeleteContext(id) }
