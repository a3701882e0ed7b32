package api

import (
	"fmt"
	"strings"
	"testing"
)

// manyCampaigns is a document of campaigns in 3,000 keys.
func manyCampaigns(n int) string {
	var b strings.Builder
	b.WriteString(`{"ads":[`)
	for i := range n {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"id":"c%06d","video_url":"https://video.example/%d.mp4","country":"%c%c","lang":"%s","start_hour":%d,"end_hour":%d}`,
			i, i, 'a'+i%26, 'a'+i/26%26, []string{"eng", "fra", "deu", "spa", "ita"}[i/676%5], i%24, (i+8)%24)
	}
	b.WriteString("]}")
	return b.String()
}

// BenchmarkEdit is one edit of one campaign, from request to answer, among many of operators or of the source.
func BenchmarkEdit(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, origin := range []string{"operators", "source"} {
			b.Run(fmt.Sprintf("%s/%d", origin, n), func(b *testing.B) {
				h := start(b, nil)
				if origin == "source" {
					h.publisher.setSource(b, manyCampaigns(n))
				} else if got := h.send(b, request{method: "POST", path: "/document", body: manyCampaigns(n)}); got.status != 200 {
					b.Fatalf("%d %s", got.status, got.body)
				}
				edit := func(weight int) {
					q := request{method: "PATCH", path: "/campaigns/c000001", body: fmt.Sprintf(`{"weight":%d}`, weight)}
					if got := h.send(b, q); got.status != 200 {
						b.Fatalf("%d %s", got.status, got.body)
					}
				}
				edit(9)
				for i := 0; b.Loop(); i++ {
					edit(2 + i%2)
				}
			})
		}
	}
}
