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

// AdsResource is the ECDS resource that carries index: a TypedExtensionConfig named FilterName, as it is sent. The result does not alias
// index, which must not be empty.
//
// The index lies in six messages, one in the other, each of which would be another copy of it. Here it is copied once.
func AdsResource(c *gateway.Config, index []byte) *anypb.Any {
	filter := wasm(c, nil)
	extension := &corev3.TypedExtensionConfig{Name: FilterName}
	resource, typedConfig, configuration := mustAny(extension), mustAny(filter), mustAny(&wrapperspb.BytesValue{})
	resource.Value = nest(index,
		field{extension, 2}, // typed_config
		field{&anypb.Any{TypeUrl: typedConfig.GetTypeUrl()}, 2},   // value
		field{&wasmfilterv3.Wasm{}, 1},                            // config
		field{filter.GetConfig(), 4},                              // configuration
		field{&anypb.Any{TypeUrl: configuration.GetTypeUrl()}, 2}, // value
		field{&wrapperspb.BytesValue{}, 1},                        // value
	)
	return resource
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
