package campaign_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{100, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("ads=%d", n), func(b *testing.B) {
			data := largeDocument(n)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				doc, err := campaign.Decode(data)
				require.NoError(b, err)
				require.Len(b, doc.Campaigns, n)
			}
		})
	}
}

func largeDocument(n int) []byte {
	var data bytes.Buffer
	data.WriteString(`{"ads":[`)
	for i := range n {
		if i > 0 {
			data.WriteByte(',')
		}
		fmt.Fprintf(&data, `{"id":"%032x","video_url":"https://www.example.com/watch?v=%08d","country":"%c%c","lang":"fre","start_hour":%d,"end_hour":%d}`,
			uint64(i)*0x9e3779b97f4a7c15, i, 'A'+i%26, 'A'+i/26%26, i%24, i%25)
	}
	data.WriteString(`]}`)
	return data.Bytes()
}
