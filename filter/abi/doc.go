// Package abi is the filter's end of the Proxy-Wasm ABI 0.2, the calls between Envoy and a module:
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1. It holds what this filter needs of it and nothing else:
// Envoy enters the VM for every callback that a module exports, and compiles all of its code before it serves.
//
// [Filter] is what Envoy calls; [Serve] registers it. [Host] is what a filter may ask of Envoy. Both are built for WebAssembly
// alone; the types between them are built everywhere, so that a filter is tested without a VM.
//
// The module exports no proxy_on_vm_start (there is nothing to start), no proxy_on_done (without it a context is taken for done at
// once) and no proxy_on_log: they would be calls that do nothing, the last two for every request.
package abi
