package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	wasmfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/envoy/gateway"
)

// indexWait is how long a starting Envoy waits for its first index before it opens the listener without one.
const indexWait = time.Second

// capabilities are the host functions and callbacks that the module may use: the ABI's of what it does, and those that Go's runtime
// calls. poll_oneoff shows only under load, when the runtime waits for its collector.
var capabilities = []string{
	"proxy_log", "proxy_send_local_response", "proxy_get_header_map_value", "proxy_get_buffer_bytes",
	"proxy_define_metric", "proxy_increment_metric", "proxy_record_metric",
	"proxy_on_vm_start", "proxy_on_configure", "proxy_on_context_create", "proxy_on_request_headers", "proxy_on_delete",
	"clock_time_get", "random_get", "args_sizes_get", "environ_sizes_get", "fd_prestat_get", "fd_write",
	"poll_oneoff", "fd_fdstat_get", "fd_fdstat_set_flags",
}

// adsFilter is the ad filter in the chain: disabled but for the routes that enable it, its configuration from the control plane. The
// default configuration serves until that arrives.
func adsFilter(c *gateway.Config, index []byte) *hcmv3.HttpFilter {
	source := ads()
	source.InitialFetchTimeout = duration(indexWait)
	return &hcmv3.HttpFilter{
		Name:     FilterName,
		Disabled: true,
		ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource:  source,
			DefaultConfig: mustAny(wasm(c, index)),
			TypeUrls:      []string{"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"},
		}},
	}
}

// AdsExtension is the ECDS resource that carries index. It encodes the index once; the result does not alias it.
func AdsExtension(c *gateway.Config, index []byte) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: FilterName, TypedConfig: mustAny(wasm(c, index))}
}

// wasm is the filter with an index, or without a configuration if index is empty: the filter takes that for "no index yet", while an
// index without ads is a valid one.
func wasm(c *gateway.Config, index []byte) *wasmfilterv3.Wasm {
	allowed := make(map[string]*wasmv3.SanitizationConfig, len(capabilities))
	for _, name := range capabilities {
		allowed[name] = &wasmv3.SanitizationConfig{}
	}
	var configuration *anypb.Any
	if len(index) > 0 {
		configuration = mustAny(wrapperspb.Bytes(index))
	}
	return &wasmfilterv3.Wasm{Config: &wasmv3.PluginConfig{
		Name:          FilterName,
		RootId:        FilterName,
		Configuration: configuration,
		// After a failure of the VM the next request gets a new one. The default backoff of 1 s would be a second of 503s.
		FailurePolicy: wasmv3.FailurePolicy_FAIL_RELOAD,
		ReloadConfig: &wasmv3.ReloadConfig{Backoff: &corev3.BackoffStrategy{
			BaseInterval: duration(10 * time.Millisecond),
			MaxInterval:  duration(100 * time.Millisecond),
		}},
		Vm: &wasmv3.PluginConfig_VmConfig{VmConfig: &wasmv3.VmConfig{
			// A VM of its own: plugins of one vm_id die together. The same at every push, so that a push reuses it.
			VmId:    FilterName,
			Runtime: "envoy.wasm.runtime.v8",
			Code: &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{Local: &corev3.DataSource{
				Specifier: &corev3.DataSource_Filename{Filename: c.Ads.Module},
			}}},
			CapabilityRestrictionConfig: &wasmv3.CapabilityRestrictionConfig{AllowedCapabilities: allowed},
		}},
	}}
}
