package xds

import (
	"bytes"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"
)

// TestCodecRoundTrip compares with what gRPC's own codec reads.
func TestCodecRoundTrip(t *testing.T) {
	codec := newSharingCodec()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, 200)
		response := &discoveryv3.DeltaDiscoveryResponse{
			SystemVersionInfo: text.Draw(t, "system version"),
			TypeUrl:           text.Draw(t, "type url"),
			Nonce:             text.Draw(t, "nonce"),
			RemovedResources:  rapid.SliceOfN(text, 0, 3).Draw(t, "removed"),
		}
		if rapid.Bool().Draw(t, "control plane") {
			response.ControlPlane = &corev3.ControlPlane{Identifier: text.Draw(t, "identifier")}
		}
		for range rapid.IntRange(0, 3).Draw(t, "resources") {
			size := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(minShared-1, 3*minShared)).Draw(t, "size")
			r := &discoveryv3.Resource{
				Name: text.Draw(t, "name"), Version: text.Draw(t, "version"), Aliases: rapid.SliceOfN(text, 0, 2).Draw(t, "aliases"),
				Resource: &anypb.Any{TypeUrl: text.Draw(t, "any"), Value: bytes.Repeat([]byte{7}, size)},
			}
			if rapid.Bool().Draw(t, "ttl") {
				r.Ttl = durationpb.New(5)
			}
			response.Resources = append(response.Resources, r)
		}
		encoded, err := codec.Marshal(response)
		require.NoError(t, err)
		decoded := &discoveryv3.DeltaDiscoveryResponse{}
		require.NoError(t, codec.Unmarshal(encoded, decoded))
		require.True(t, proto.Equal(response, decoded))
	})
}

func TestALargeResourceIsNotCopied(t *testing.T) {
	value := make([]byte, 1<<20)
	response := &discoveryv3.DeltaDiscoveryResponse{Resources: []*discoveryv3.Resource{{
		Name: resourceName, Resource: &anypb.Any{TypeUrl: ecds.typeURL(), Value: value},
	}}}
	encoded, err := newSharingCodec().Marshal(response)
	require.NoError(t, err)
	last := encoded[len(encoded)-1].ReadOnlyData()
	require.Len(t, last, len(value))
	require.Same(t, &value[0], &last[0])
}
