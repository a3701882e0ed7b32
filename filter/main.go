//go:build wasip1

// Command filter is the WebAssembly module that answers ad requests inside Envoy. Envoy loads it as a proxy-wasm plugin;
// see adsidecar/filter/plugin for what it does and adsidecar/filter/build for how it is compiled.
package main

import (
	"adsidecar/filter/abi"
	"adsidecar/filter/plugin"
)

// main is never called: the module is a reactor, whose init functions run when the host calls _initialize.
func main() {}

func init() {
	abi.Serve(plugin.New(abi.Host{}))
}
