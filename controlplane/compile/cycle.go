package compile

import (
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// MaxTurns is how many turns a cycle has at most, unless it has more ads than that: then it has one turn for each.
const MaxTurns = 65_536

// weightOf returns the weight of a campaign, which is 1 where it has none.
func weightOf(c *campaign.Campaign) int { return max(c.Weight, campaign.MinWeight) }

// weights is how many ads of a set have each weight.
type weights [campaign.MaxWeight + 1]int32

// shares is how many turns an ad of each weight takes in a cycle.
type shares struct {
	of    [campaign.MaxWeight + 1]int32
	turns int // of the whole cycle
	uncut int // what turns would be without MaxTurns
}

// shares divides the weights by their greatest common divisor, and cuts them where the cycle would pass MaxTurns.
func (w *weights) shares() shares {
	var s shares
	ads, sum, divisor := 0, 0, 0
	for weight, n := range w {
		if n > 0 {
			ads += int(n)
			sum += weight * int(n)
			divisor = gcd(weight, divisor)
		}
	}
	if ads == 0 {
		return s
	}
	s.uncut = sum / divisor
	cut := s.uncut > max(MaxTurns, ads)
	for weight, n := range w {
		if n == 0 {
			continue
		}
		share := weight / divisor
		if cut {
			share = max(1, weight*MaxTurns/sum)
		}
		s.of[weight] = int32(share)
		s.turns += share * int(n)
	}
	return s
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// turn is one turn of ad number ad in a cycle. Of n ads, an ad with that share takes its turns at place / (2n · share).
type turn struct {
	place     uint64 // at most 2n · share, so that place times a share does not overflow
	share, ad uint32
}

func (t turn) before(u turn) bool {
	a, b := t.place*uint64(u.share), u.place*uint64(t.share)
	return a < b || a == b && t.ad < u.ad
}

// cycler writes cycles. What it makes for one it uses again for the next.
type cycler struct {
	turns, spare []turn
	ends         []int // of the runs in turns
	refs         []adindex.AdRef
}

// cycle returns the turns of ads, which are in order of id bytes, with their weights. The result is valid until the next call.
func (c *cycler) cycle(ads []adindex.AdRef, weight []uint8, s *shares) []adindex.AdRef {
	if s.turns == len(ads) {
		return ads
	}
	// Ads of one share take turns in the order of their numbers, so each share is a run in order, and the runs are merged.
	c.turns, c.ends = c.turns[:0], c.ends[:0]
	var members [campaign.MaxWeight + 1][]uint32
	for r := range ads {
		share := s.of[weight[r]]
		members[share] = append(members[share], uint32(r))
	}
	n := uint64(len(ads))
	for share, ads := range members {
		if len(ads) == 0 {
			continue
		}
		for k := range uint64(share) {
			for _, r := range ads {
				c.turns = append(c.turns, turn{place: 2*n*k + 2*uint64(r) + 1, share: uint32(share), ad: r})
			}
		}
		c.ends = append(c.ends, len(c.turns))
	}
	c.merge()
	c.refs = c.refs[:0]
	for _, t := range c.turns {
		c.refs = append(c.refs, ads[t.ad])
	}
	return c.refs
}

// merge merges the runs in pairs until there is one.
func (c *cycler) merge() {
	c.spare = slices.Grow(c.spare[:0], len(c.turns))
	for len(c.ends) > 1 {
		merged, begin, runs := c.spare[:0], 0, 0
		for i := 0; i < len(c.ends); i += 2 {
			middle := c.ends[i]
			end := c.ends[min(i+1, len(c.ends)-1)]
			merged = appendMerged(merged, c.turns[begin:middle], c.turns[middle:end])
			c.ends[runs] = end
			runs++
			begin = end
		}
		c.ends = c.ends[:runs]
		c.turns, c.spare = merged, c.turns
	}
}

func appendMerged(dst, a, b []turn) []turn {
	for len(a) > 0 && len(b) > 0 {
		if b[0].before(a[0]) {
			dst, b = append(dst, b[0]), b[1:]
		} else {
			dst, a = append(dst, a[0]), a[1:]
		}
	}
	return append(append(dst, a...), b...)
}

// MaxCuts bounds the keys that a Result lists for cycles that were cut; all are counted.
const MaxCuts = 100

// Cut is a key with a cycle of more than MaxTurns turns, whose weights were made smaller: ads take nearly the shares that were asked for.
type Cut struct {
	Key   string `json:"key"`   // canonical
	Ads   int    `json:"ads"`   // in the longest such cycle of the key
	Turns int    `json:"turns"` // that it has
	Uncut int    `json:"uncut"` // that it would have had
}

// cuts gathers the cuts of all keys.
type cuts struct {
	keys   []Cut
	cycles int
}

func (c *cuts) add(key adindex.Key, longest Cut, cycles int) {
	c.cycles += cycles
	if len(c.keys) < MaxCuts {
		longest.Key = key.String()
		c.keys = append(c.keys, longest)
	}
}
