package compile

import (
	"fmt"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adrequest"
)

// bodies are some ads as the index holds them, one behind the other.
type bodies struct {
	text []byte
	ends []uint32 // where each ends in text
	err  error
}

// render writes all ads in order.
func render(entries []entry, campaigns []campaign.Campaign) []bodies {
	rendered := make([]bodies, (len(entries)+batch-1)/batch)
	inBatches(len(entries), func(job, begin, end int) {
		size := (end - begin) * 2 // and the texts, which need no escapes as a rule
		for _, e := range entries[begin:end] {
			c := &campaigns[e.number]
			size += len(c.ID) + len(c.VideoURL)
		}
		b := bodies{text: make([]byte, 0, size), ends: make([]uint32, 0, end-begin)}
		for _, e := range entries[begin:end] {
			c := &campaigns[e.number]
			var err error
			if b.text, err = adrequest.AppendAd(b.text, c.ID, c.VideoURL); err != nil && b.err == nil {
				b.err = fmt.Errorf("ad %d: %w", c.Index, err)
			}
			b.ends = append(b.ends, uint32(len(b.text)))
		}
		rendered[job] = b
	})
	return rendered
}
