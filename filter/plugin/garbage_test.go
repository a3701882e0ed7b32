package plugin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/abi"
)

// frugal is a proxy that allocates nothing for a request, as abi.Host does not.
type frugal struct {
	*proxy

	method, path []byte
	replies      map[uint32]int // by status
}

func (f *frugal) RequestHeader(name string) ([]byte, error) {
	if name == ":method" {
		return f.method, nil
	}
	return f.path, nil
}

func (f *frugal) Reply(status uint32, _ abi.Headers, _ []byte) error {
	f.replies[status]++
	return nil
}

// What a request leaves for the collector, every request of the worker waits for when it collects.
func TestARequestAllocatesNothing(t *testing.T) {
	tests := map[string]struct {
		method, path string
		status       uint32
	}{
		"an ad":          {"GET", usEng, 200},
		"no ad":          {"GET", "/ad_request?country=xx&lang=eng", 404},
		"a bad request":  {"GET", "/ad_request?country=us", 400},
		"another method": {"POST", usEng, 405},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			host := &frugal{proxy: newProxy(t), method: []byte(tc.method), path: []byte(tc.path), replies: map[uint32]int{}}
			host.config = us(t, "A", "B")
			vm := New(host)
			vm.CreateContext(1, 0)
			require.True(t, vm.Configure(1, len(host.config)))
			id := uint32(1)
			allocated := testing.AllocsPerRun(1000, func() {
				id++
				vm.CreateContext(id, 1)
				vm.RequestHeaders(id)
				vm.DeleteContext(id)
			})
			require.Zero(t, allocated)
			require.Equal(t, map[uint32]int{tc.status: 1001}, host.replies)
		})
	}
}
