package fleet

import (
	"errors"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	wasmfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/filter/adindex"
)

// Index opens the last index that an Envoy with Config.Keep got, as the filter would, and returns its version by its content, and how many
// ads it has.
func (e *Envoy) Index() (version string, ads int, err error) {
	e.mu.Lock()
	data := e.index
	e.mu.Unlock()
	if data == nil {
		return "", 0, errors.New("no index was kept")
	}
	extension, filter, index := &corev3.TypedExtensionConfig{}, &wasmfilterv3.Wasm{}, &wrapperspb.BytesValue{}
	if err := proto.Unmarshal(data, extension); err != nil {
		return "", 0, fmt.Errorf("read the extension: %w", err)
	}
	if err := extension.GetTypedConfig().UnmarshalTo(filter); err != nil {
		return "", 0, fmt.Errorf("read the filter: %w", err)
	}
	if err := filter.GetConfig().GetConfiguration().UnmarshalTo(index); err != nil {
		return "", 0, fmt.Errorf("read the filter's configuration: %w", err)
	}
	r, err := adindex.Open(index.GetValue())
	if err != nil {
		return "", 0, fmt.Errorf("open the index: %w", err)
	}
	return adindex.Version(index.GetValue()), r.Ads(), nil
}
