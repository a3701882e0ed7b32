package compile

import (
	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adrequest"
)

// bodies are the answers of some ads, one behind the other.
type bodies struct {
	text []byte
	ends []uint32 // where each ends in text
}

// render renders the answers of all ads in order.
func render(entries []entry, campaigns []campaign.Campaign) []bodies {
	rendered := make([]bodies, (len(entries)+batch-1)/batch)
	inBatches(len(entries), func(job, begin, end int) {
		// What a body has besides the texts, if those need no escapes, is less than this.
		size := (end - begin) * 40
		for _, e := range entries[begin:end] {
			c := &campaigns[e.number]
			size += len(c.ID) + 2*len(c.VideoURL)
		}
		b := bodies{text: make([]byte, 0, size), ends: make([]uint32, 0, end-begin)}
		for _, e := range entries[begin:end] {
			c := &campaigns[e.number]
			b.text = adrequest.AppendAd(b.text, c.ID, c.VideoURL)
			b.ends = append(b.ends, uint32(len(b.text)))
		}
		rendered[job] = b
	})
	return rendered
}
