package campaign

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// join makes the document of its parts: it drops the ads whose ids are taken, and describes the first rejects.
func join(data []byte, parts []part) *Document {
	doc := &Document{Reasons: make(map[string]int)}
	var rejects []described
	type first struct{ element, campaign int }
	firsts := make([]first, len(parts)) // of each part, its places in the document
	elements, valid := 0, 0
	for n := range parts {
		p := &parts[n]
		for _, r := range p.rejects {
			if len(rejects) < MaxRejects {
				rejects = append(rejects, described{place: place{index: elements + r.index, at: r.at}})
			}
		}
		for reason, count := range p.reasons {
			doc.Reasons[reason] += count
			doc.Rejected += count
		}
		firsts[n] = first{element: elements, campaign: valid}
		elements += p.elements
		valid += len(p.kept)
	}
	campaigns := make([]Campaign, valid)
	origins := make([]origin, valid)
	parallel(len(parts), func() func(int) {
		return func(n int) {
			for i := range parts[n].kept {
				parts[n].kept[i].campaign(&campaigns[firsts[n].campaign+i], firsts[n].element)
			}
			copy(origins[firsts[n].campaign:], parts[n].origins)
			parts[n] = part{}
		}
	})
	repeats := findRepeats(campaigns, origins)
	for _, r := range repeats[:min(len(repeats), MaxRejects)] {
		c := &campaigns[r.campaign]
		reject := duplicate(c, campaigns[r.first].Index)
		rejects = append(rejects, described{place{index: c.Index, at: origins[r.campaign].at}, reject})
	}
	if len(repeats) > 0 {
		doc.Rejected += len(repeats)
		doc.Reasons[ReasonDuplicate] += len(repeats)
	}
	doc.Campaigns = without(campaigns, repeats)
	doc.Rejects = describe(data, rejects)
	return doc
}

// repeat is a campaign whose id another has that stands before it, by their places among the valid ones.
type repeat struct{ campaign, first int }

// findRepeats returns the repeats in order. Its table holds no strings and no pointers: of a million ids, a map would be the most
// expensive part of the document.
func findRepeats(campaigns []Campaign, origins []origin) []repeat {
	mask := uint64(1)<<bits.Len(uint(2*len(campaigns))) - 1
	table := make([]uint32, mask+1) // place in campaigns, from 1
	var repeats []repeat
next:
	for i := range campaigns {
		hash := origins[i].hash
		slot := hash & mask
		for ; table[slot] != 0; slot = (slot + 1) & mask {
			first := int(table[slot] - 1)
			if origins[first].hash == hash && campaigns[first].ID == campaigns[i].ID {
				repeats = append(repeats, repeat{campaign: i, first: first})
				continue next
			}
		}
		table[slot] = uint32(i + 1)
	}
	return repeats
}

// duplicate rejects a valid ad whose id the ad at the place first has. People count from 1, as lines.
func duplicate(c *Campaign, first int) Reject {
	return Reject{
		ID: strings.Clone(c.ID), Country: c.Country, Lang: c.Lang, Field: fieldID.String(), Reason: ReasonDuplicate,
		Detail: fmt.Sprintf("ad %d has this id already", first+1),
	}
}

// without removes the repeats from campaigns.
func without(campaigns []Campaign, repeats []repeat) []Campaign {
	if len(repeats) == 0 {
		return campaigns
	}
	kept := campaigns[:repeats[0].campaign]
	for n, r := range repeats {
		end := len(campaigns)
		if n+1 < len(repeats) {
			end = repeats[n+1].campaign
		}
		kept = append(kept, campaigns[r.campaign+1:end]...)
	}
	return kept
}

// described is a rejected ad with what is said of it, if that is known already.
type described struct {
	place

	reject Reject
}

// describe returns the first MaxRejects of the rejects, in order of the document.
func describe(data []byte, rejects []described) []Reject {
	slices.SortFunc(rejects, func(a, b described) int { return cmp.Compare(a.index, b.index) })
	rejects = rejects[:min(len(rejects), MaxRejects)]
	var all []Reject
	line := lineCounter{data: data, line: 1}
	ad := newAd(false)
	for _, r := range rejects {
		if r.reject.Reason == "" {
			ad.scan(data, r.at)
			r.reject = ad.reject()
		}
		r.reject.Index, r.reject.Line = r.index, line.at(r.at)
		all = append(all, r.reject)
	}
	return all
}
