package xds

import "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

// A kind is one of the resource types that are served. Its order is the order in status.
type kind int

const (
	lds kind = iota
	cds
	ecds
	kindCount
)

var kindNames = [kindCount]string{lds: "lds", cds: "cds", ecds: "ecds"}

// String is the value of the label "type" in metrics and of "type" in logs and status.
func (k kind) String() string { return kindNames[k] }

var typeURLs = [kindCount]string{lds: resource.ListenerType, cds: resource.ClusterType, ecds: resource.ExtensionConfigType}

func (k kind) typeURL() string { return typeURLs[k] }

// kindOf is false for a type that is not served.
func kindOf(typeURL string) (kind, bool) {
	for k, url := range typeURLs {
		if url == typeURL {
			return kind(k), true
		}
	}
	return 0, false
}

// removes tells whether an Envoy is told of a resource that it holds and that is not on offer. Listeners and clusters go away with
// the configuration. The index never does: without it a filter answers 503.
func (k kind) removes() bool { return k != ecds }

// withdraws tells whether a rejected version is taken back although none was acknowledged. Without an index a filter has its default.
// Without its listeners or clusters an Envoy has nothing at all, so what one of them cannot load stays there for the others, and for
// itself once it is mended.
func (k kind) withdraws() bool { return k == ecds }
