// Package envoy builds every Envoy resource of a gateway from its configuration: the listener with its filter chain and routes, the
// clusters, the filter's extension configuration (ECDS) and the bootstrap.
//
// Every builder is a pure function: the same configuration gives the same resources, nothing is read or written, and nothing is
// validated again (package gateway has done so). Golden files under testdata hold what they build, and the end-to-end tests have a real
// Envoy validate each of them.
package envoy

import (
	"fmt"
	"net"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// FilterName is the name of the ad filter in the filter chain, and so of its ECDS resource.
const FilterName = "adsidecar"

// Names of the resources that other parts or statistics refer to.
const (
	// ListenerName is the public listener's; its statistics begin with http.public.
	ListenerName = "public"
	// SignInLimit is the limit of sign-ins: its statistics begin with sign_in.
	SignInLimit = "sign_in"
	// XDSCluster leads to the control plane.
	XDSCluster = "xds"
	// noUpstream is the cluster of routes that no upstream may answer: it has no endpoint, so whatever gets past the filter is a 503.
	noUpstream = "none"
)

// mustAny packs a message that was built here. Packing fails only for a message that is not valid UTF-8 or lacks required fields, and
// the configuration's text is UTF-8: YAML has no other.
func mustAny(m proto.Message) *anypb.Any {
	a := &anypb.Any{}
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(fmt.Sprintf("pack %T: %v", m, err)) //nolint:forbidigo // a fault of this package, not of its input
	}
	return a
}

func duration(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// address of a host:port that was validated.
func address(hostport string) *corev3.Address {
	host, port, _ := net.SplitHostPort(hostport)
	n, _ := strconv.ParseUint(port, 10, 16)
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(n)},
	}}}
}

// ads is the configuration source of everything that comes from the control plane.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}
