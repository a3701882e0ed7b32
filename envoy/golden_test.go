package envoy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"adsidecar/envoy/gateway"
)

var update = flag.Bool("update", false, "rewrite the golden files and remove those without an input")

// TestGolden builds every testdata/in/*.yaml and compares with testdata/out/<name>.<resource>.yaml.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/in/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)

	wanted := map[string]bool{}
	for _, in := range inputs {
		name := strings.TrimSuffix(filepath.Base(in), ".yaml")
		t.Run(name, func(t *testing.T) {
			for resource, m := range build(t, in) {
				out := filepath.Join("testdata/out", name+"."+resource+".yaml")
				wanted[out] = true
				got, err := YAML(m)
				require.NoError(t, err)
				if *update {
					require.NoError(t, os.WriteFile(out, got, 0o644))
				}
				want, err := os.ReadFile(out)
				require.NoError(t, err, "run go test ./envoy -update")
				require.Equal(t, string(want), string(got), "%s: run go test ./envoy -update and review the difference", out)
			}
		})
	}

	outputs, err := filepath.Glob("testdata/out/*.yaml")
	require.NoError(t, err)
	for _, out := range outputs {
		if *update && !wanted[out] {
			require.NoError(t, os.Remove(out))
			continue
		}
		require.True(t, wanted[out], "%s has no input", out)
	}
}

// build is every resource of a gateway. The index stands for any bytes: only the filter looks inside.
func build(t *testing.T, in string) map[string]proto.Message {
	t.Helper()
	c := parseGateway(t, in)
	return map[string]proto.Message{
		"bootstrap": Bootstrap(c, BootstrapOptions{Format: 1}),
		"static":    Bootstrap(c, BootstrapOptions{Format: 1, Static: true, NodeID: "edge-7"}),
		"ecds":      adsExtension(t, c, "index"),
	}
}

func parseGateway(t *testing.T, in string) *gateway.Config {
	t.Helper()
	data, err := os.ReadFile(in)
	require.NoError(t, err)
	c, err := gateway.Parse(in, data, func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	return c
}

// adsExtension decodes the resource that carries index.
func adsExtension(t *testing.T, c *gateway.Config, index string) *corev3.TypedExtensionConfig {
	t.Helper()
	resource, err := AdsResource(c, []byte(index)).UnmarshalNew()
	require.NoError(t, err)
	extension, ok := resource.(*corev3.TypedExtensionConfig)
	require.True(t, ok, resource)
	return extension
}

// TestTheIndexIsWhereTheFilterLooksForIt compares what is put together by hand with what protobuf makes of the same messages.
func TestTheIndexIsWhereTheFilterLooksForIt(t *testing.T) {
	c := parseGateway(t, "testdata/in/minimal.yaml")
	for name, index := range map[string]string{"one byte": "i", "a length of one byte": strings.Repeat("i", 127), "of several": strings.Repeat("i", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			extension := adsExtension(t, c, index)
			require.Equal(t, FilterName, extension.GetName())
			filter, err := extension.GetTypedConfig().UnmarshalNew()
			require.NoError(t, err)
			require.True(t, proto.Equal(wasm(c, []byte(index)), filter))
		})
	}
}

// TestBuildersArePure runs every builder twice: the second result equals the first.
func TestBuildersArePure(t *testing.T) {
	for _, in := range []string{"testdata/in/minimal.yaml", "testdata/in/upstreams.yaml", "testdata/in/two-issuers.yaml"} {
		first, second := build(t, in), build(t, in)
		for resource := range first {
			a, err := proto.MarshalOptions{Deterministic: true}.Marshal(first[resource])
			require.NoError(t, err)
			b, err := proto.MarshalOptions{Deterministic: true}.Marshal(second[resource])
			require.NoError(t, err)
			require.Equal(t, a, b, resource)
		}
	}
}
