// Command filter is the WebAssembly module that answers ad requests inside Envoy. Envoy loads it as a proxy-wasm plugin;
// see adsidecar/filter/plugin for what it does and adsidecar/filter/build for how it is compiled.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"

	"adsidecar/filter/plugin"
)

// main is never called: the module is a reactor, whose init functions run when the host calls _initialize.
func main() {}

func init() {
	proxywasm.SetVMContext(plugin.NewVM())
}
