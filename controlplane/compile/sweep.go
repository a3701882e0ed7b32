package compile

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"adsidecar/filter/adindex"
)

// tier is the candidates of a key with one priority and one exactness, and those of them that are eligible at the minute of the sweep.
// The first tier of a key that has one eligible is the one that is served.
type tier struct {
	begin, end int // among the candidates of the key

	eligible int
	weights  weights // of the eligible
	set      setHash // of the eligible
}

// setHash names a set of ads: the sum in bits of a random number for each. Which sets are equal it tells without looking at them,
// and does not err in practice: the numbers are another sequence in each process, and do not show in the result.
type setHash [2]uint64

func (h *setHash) toggle(number setHash) { h[0], h[1] = h[0]^number[0], h[1]^number[1] }

// served is what a minute serves: a tier's set.
type served struct {
	tier int
	set  setHash
}

// sweeper walks over the minutes of a clock in which candidates of a key become eligible or cease to be.
type sweeper struct {
	random uint64 // the beginning of the numbers of ads

	candidates []candidate
	tiers      []tier
	eligible   []uint64                    // a bit for each candidate
	edges      []uint64                    // minute, candidate and whether it becomes eligible, as they sort
	cycles     map[served]adindex.CycleRef // of the key

	// wide are the cycles of campaigns that stand in other keys besides their own: of all keys so far. A set's weights are the same in each.
	wide map[setHash]adindex.CycleRef

	bytes int64 // of the key's segments and cycles so far
	cut   Cut   // the key's longest cycle that was cut
	cuts  int

	members []adindex.AdRef
	weights []uint8
	cycler  cycler
}

func newSweeper() *sweeper {
	return &sweeper{
		random: maphash.String(maphash.MakeSeed(), "sweeper"),
		cycles: make(map[served]adindex.CycleRef), wide: make(map[setHash]adindex.CycleRef),
	}
}

// number returns the number of an ad.
func (s *sweeper) number(ad adindex.AdRef) setHash {
	return setHash{splitMix(s.random, 2*uint64(ad)+1), splitMix(s.random, 2*uint64(ad)+2)}
}

// splitMix returns number n of the sequence of SplitMix64 that begins at random. Hashes of n would not do in their stead: those of
// hash/maphash for 256 numbers in a row have the sum zero where it uses the processor's AES.
func splitMix(random, n uint64) uint64 {
	z := random + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// start begins a key. The candidates are in order of priority, exactness and id bytes.
func (s *sweeper) start(candidates []candidate) {
	s.candidates = candidates
	s.tiers = s.tiers[:0]
	for i := range candidates {
		if n := len(s.tiers); n == 0 || !candidates[i].sameTier(&candidates[i-1]) {
			s.tiers = append(s.tiers, tier{begin: i})
		}
		s.tiers[len(s.tiers)-1].end = i + 1
		candidates[i].tier = len(s.tiers) - 1
	}
	clear(s.cycles)
	s.bytes, s.cut, s.cuts = 0, Cut{}, 0
}

// clock is a clock of a schedule with what runs on it.
type clock struct {
	minutes int32
	// presence returns the minutes of a candidate: those of spans that lie inside of flight.
	presence func(*candidate) (spans []span, flight span)
}

// addCycle adds a cycle to an index.
type addCycle func([]adindex.AdRef) (adindex.CycleRef, error)

// sweep appends the segments of the key's clock to dst. Where the key is over its limit it goes on to count, and adds nothing more.
func (s *sweeper) sweep(dst []adindex.Segment, on clock, add addCycle) ([]adindex.Segment, error) {
	s.gatherEdges(on)
	s.eligible = append(s.eligible[:0], make([]uint64, (len(s.candidates)+63)/64)...)
	for i := range s.tiers {
		t := &s.tiers[i]
		*t = tier{begin: t.begin, end: t.end}
	}
	var before served
	for i, first := 0, true; first || i < len(s.edges); first = false {
		minute := uint32(0)
		if !first {
			minute = uint32(s.edges[i] >> edgeMinute)
		}
		for ; i < len(s.edges) && uint32(s.edges[i]>>edgeMinute) == minute; i++ {
			s.cross(s.edges[i])
		}
		now := s.winner()
		if !first && now == before {
			continue
		}
		before = now
		ref, err := s.cycle(now, add)
		if err != nil {
			return dst, err
		}
		dst = append(dst, adindex.Segment{Start: minute, Cycle: ref})
		s.bytes += segmentBytes
	}
	return dst, nil
}

// An edge is its minute above its candidate above whether the candidate becomes eligible.
const edgeMinute = 32

func (s *sweeper) gatherEdges(on clock) {
	s.edges = s.edges[:0]
	for i := range s.candidates {
		spans, flight := on.presence(&s.candidates[i])
		for _, m := range spans {
			begin, end := max(m.begin, flight.begin), min(m.end, flight.end)
			if begin >= end {
				continue
			}
			s.edges = append(s.edges, uint64(begin)<<edgeMinute|uint64(i)<<1|1)
			if end < on.minutes { // where the clock ends no segment may begin
				s.edges = append(s.edges, uint64(end)<<edgeMinute|uint64(i)<<1)
			}
		}
	}
	slices.Sort(s.edges)
}

func (s *sweeper) cross(edge uint64) {
	i := int(uint32(edge) >> 1)
	c := &s.candidates[i]
	t := &s.tiers[c.tier]
	step := 1
	if edge&1 == 0 {
		step = -1
	}
	t.eligible += step
	t.weights[c.weight] += int32(step)
	t.set.toggle(s.number(c.ad))
	s.eligible[i/64] ^= 1 << (i % 64)
}

func (s *sweeper) winner() served {
	for i := range s.tiers {
		if t := &s.tiers[i]; t.eligible > 0 {
			return served{tier: i, set: t.set}
		}
	}
	return served{tier: -1}
}

func (s *sweeper) cycle(now served, add addCycle) (adindex.CycleRef, error) {
	if ref, ok := s.cycles[now]; ok {
		return ref, nil
	}
	if now.tier < 0 {
		ref, err := add(nil)
		s.cycles[now] = ref
		return ref, err
	}
	t := &s.tiers[now.tier]
	shares := t.weights.shares()
	if shares.turns < shares.uncut {
		s.cuts++
		if shares.uncut > s.cut.Uncut {
			s.cut = Cut{Ads: t.eligible, Turns: shares.turns, Uncut: shares.uncut}
		}
	}
	var ref adindex.CycleRef
	if s.bytes += int64(shares.turns) * turnBytes; s.bytes <= MaxKeyBytes {
		var err error
		if ref, err = s.make(now.set, t, &shares, add); err != nil {
			return 0, err
		}
	}
	s.cycles[now] = ref
	return ref, nil
}

// make adds the cycle of the set that a tier has, unless another key has added it.
func (s *sweeper) make(set setHash, t *tier, shares *shares, add addCycle) (adindex.CycleRef, error) {
	wide := s.candidates[t.begin].exactness > 0
	if ref, ok := s.wide[set]; ok && wide {
		return ref, nil
	}
	s.gatherMembers(t)
	ref, err := add(s.cycler.cycle(s.members, s.weights, shares))
	if err == nil && wide {
		s.wide[set] = ref
	}
	return ref, err
}

// gatherMembers gathers the eligible ads of a tier in order.
func (s *sweeper) gatherMembers(t *tier) {
	s.members, s.weights = s.members[:0], s.weights[:0]
	for word := t.begin / 64; word*64 < t.end; word++ {
		for left := s.eligible[word]; left != 0; left &= left - 1 {
			i := word*64 + bits.TrailingZeros64(left)
			if t.begin <= i && i < t.end {
				s.members = append(s.members, s.candidates[i].ad)
				s.weights = append(s.weights, s.candidates[i].weight)
			}
		}
	}
}
