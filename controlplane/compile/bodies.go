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
	bases := findBases(entries, campaigns)
	rendered := make([]bodies, (len(entries)+batch-1)/batch)
	inBatches(len(entries), func(job, begin, end int) {
		size := (end - begin) * 4 // and the texts, which need no escapes as a rule
		for _, e := range entries[begin:end] {
			c := &campaigns[e.number]
			size += len(c.ID) + len(c.VideoURL)
		}
		b := bodies{text: make([]byte, 0, size), ends: make([]uint32, 0, end-begin)}
		for i, e := range entries[begin:end] {
			c := &campaigns[e.number]
			var err error
			if base, rest, ok := bases.of(c.VideoURL, uint32(begin+i)); ok {
				b.text, err = adrequest.AppendAdLike(b.text, c.ID, base, rest)
			} else {
				b.text, err = adrequest.AppendAd(b.text, c.ID, c.VideoURL)
			}
			if err != nil && b.err == nil {
				b.err = fmt.Errorf("ad %d: %w", c.Index, err)
			}
			b.ends = append(b.ends, uint32(len(b.text)))
		}
		rendered[job] = b
	})
	return rendered
}

const (
	// leastShared is from what length on a beginning is worth six bytes and a second look.
	leastShared = 12
	// maxBases bounds what is remembered while an index of urls that have nothing in common is made.
	maxBases = 1 << 16
)

// bases holds for beginnings of urls the first ad, in order, that has each; its url is held whole.
type bases map[string]adrequest.Base

// findBases looks at the ads in order, so that the same ads have the same bases. Where there are too many beginnings the first have them.
func findBases(entries []entry, campaigns []campaign.Campaign) bases {
	firsts := make([][]uint32, (len(entries)+batch-1)/batch) // of each batch: the first ad of each beginning
	inBatches(len(entries), func(job, begin, end int) {
		seen := make(map[string]struct{})
		last := ""
		for i := begin; i < end; i++ {
			shared := beginning(campaigns[entries[i].number].VideoURL)
			if shared == "" || shared == last {
				continue
			}
			last = shared
			if _, ok := seen[shared]; !ok {
				seen[shared] = struct{}{}
				firsts[job] = append(firsts[job], uint32(i))
			}
		}
	})
	found := make(bases)
	for _, batch := range firsts {
		for _, i := range batch {
			shared := beginning(campaigns[entries[i].number].VideoURL)
			if _, ok := found[shared]; !ok && len(found) < maxBases {
				found[shared] = adrequest.Base{Ad: i, Shared: uint16(adrequest.TextSize(shared))}
			}
		}
	}
	return found
}

// of returns the base of ad number i and the rest of its url, or false if its url is to be held whole.
func (b bases) of(url string, i uint32) (base adrequest.Base, rest string, ok bool) {
	shared := beginning(url)
	base, ok = b[shared]
	return base, url[len(shared):], ok && base.Ad != i
}

// beginning is the part of a url that others are likely to begin with: all up to the last name in it, or the value of its last
// parameter. It is empty if it is too short to matter.
func beginning(url string) string {
	n := len(url)
	for n > 0 && url[n-1] != '/' && url[n-1] != '=' {
		n--
	}
	if n < leastShared || n > campaign.MaxURLBytes {
		return ""
	}
	return url[:n]
}
