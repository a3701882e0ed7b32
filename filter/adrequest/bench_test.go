package adrequest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkAppendAd writes ads of an id of 32 bytes and a url of 60, plain and with one letter that is not ASCII.
func BenchmarkAppendAd(b *testing.B) {
	for name, first := range map[string]string{"plain": "a", "accent": "é"} {
		b.Run(name, func(b *testing.B) {
			id, url := strings.Repeat("0123456789abcdef", 2), "https://cdn.example.com/"+first+strings.Repeat("v", 35)
			dst := make([]byte, 0, 256)
			for b.Loop() {
				if _, err := AppendAd(dst, id, url); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendBody(b *testing.B) {
	ad, err := AppendAd(nil, strings.Repeat("0123456789abcdef", 2), "https://cdn.example.com/"+strings.Repeat("v", 36))
	require.NoError(b, err)
	dst := make([]byte, 0, 256)
	for b.Loop() {
		dst = AppendBody(dst[:0], ad, nil)
	}
}
