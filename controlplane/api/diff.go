package api

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

const (
	// maxShown is how many ads a diff lists.
	maxShown = 1000
	// Cycles are compared at each quarter of an hour of a week: hours and edges of zones are multiples of it.
	compareStep  = int64(15 * 60)
	compareSteps = 7 * 24 * 4
)

// numbers gives equal bodies of ads the same number, whichever index has them.
type numbers map[string]uint32

// of returns the number of each ad of an index.
func (n numbers) of(r *adindex.Reader) []uint32 {
	all := make([]uint32, r.Ads())
	for i := range all {
		body := string(bodyOf(r, adindex.AdRef(i)))
		number, ok := n[body]
		if !ok {
			number = uint32(len(n))
			n[body] = number
		}
		all[i] = number
	}
	return all
}

// bodyOf is an ad as a game gets it.
func bodyOf(r *adindex.Reader, ad adindex.AdRef) []byte {
	held := r.Body(ad)
	var base []byte
	if number, ok := adrequest.BaseOf(held); ok {
		base = r.Body(adindex.AdRef(number))
	}
	return adrequest.AppendBody(nil, held, base)
}

// changedKeys counts the keys whose answers differ in the seven days from a time on.
func changedKeys(a, b *adindex.Reader, from time.Time) int {
	n := numbers{}
	adsA, adsB := n.of(a), n.of(b)
	start := from.Unix() - from.Unix()%compareStep
	changed := 0
	for _, key := range keysOf(a, b) {
		entryA, inA := a.Find(key)
		entryB, inB := b.Find(key)
		for step := range int64(compareSteps) {
			at := start + step*compareStep
			var x, y adindex.Cycle
			if inA {
				x = a.CycleAt(entryA, at)
			}
			if inB {
				y = b.CycleAt(entryB, at)
			}
			if !sameCycle(x, y, adsA, adsB) {
				changed++
				break
			}
		}
	}
	return changed
}

func sameCycle(a, b adindex.Cycle, adsA, adsB []uint32) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if adsA[a.Ad(i)] != adsB[b.Ad(i)] {
			return false
		}
	}
	return true
}

// keysOf are the canonical keys of both.
func keysOf(readers ...*adindex.Reader) []adindex.Key {
	var keys []adindex.Key
	for _, r := range readers {
		for n := range r.Cursors() {
			keys = append(keys, r.CursorKey(uint32(n)))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ad is one of a set of ads: its id and its JSON.
type ad struct {
	id   string
	json []byte
}

// compareAds fills in what is added, changed and removed from one set of ads to another; both are by id.
func compareAds(d *apiv1.Diff, before, after []ad) {
	d.Ads = []apiv1.AdChange{}
	show := func(c apiv1.AdChange) {
		if len(d.Ads) < maxShown {
			d.Ads = append(d.Ads, c)
		}
	}
	for len(before) > 0 || len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = strings.Compare(before[0].id, after[0].id)
		}
		switch {
		case order < 0:
			d.Removed++
			show(apiv1.AdChange{ID: before[0].id, Before: before[0].json})
			before = before[1:]
		case order > 0:
			d.Added++
			show(apiv1.AdChange{ID: after[0].id, After: after[0].json})
			after = after[1:]
		default:
			if string(before[0].json) != string(after[0].json) {
				d.Changed++
				show(apiv1.AdChange{ID: after[0].id, Before: before[0].json, After: after[0].json})
			}
			before, after = before[1:], after[1:]
		}
	}
}

// adsOf are the ads of an index, by id.
func adsOf(r *adindex.Reader) ([]ad, error) {
	ads := make([]ad, r.Ads())
	for i := range ads {
		body := bodyOf(r, adindex.AdRef(i))
		var of struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(body, &of); err != nil {
			return nil, err
		}
		ads[i] = ad{id: of.ID, json: body}
	}
	slices.SortFunc(ads, func(a, b ad) int { return strings.Compare(a.id, b.id) })
	return ads, nil
}

// diffIndexes is what changes from one index to another.
func diffIndexes(a, b *adindex.Reader, now time.Time) (apiv1.Diff, error) {
	before, err := adsOf(a)
	if err != nil {
		return apiv1.Diff{}, err
	}
	after, err := adsOf(b)
	if err != nil {
		return apiv1.Diff{}, err
	}
	return diff(before, after, a, b, now), nil
}

// diffOf is what a change makes of what is in force. What cannot be compiled counts as an index without ads: whatever is published, it is
// not this.
func (s *server) diffOf(t trial) (apiv1.Diff, error) {
	before, err := s.indexOf(t.before)
	if err != nil {
		return apiv1.Diff{}, err
	}
	after := before
	switch {
	case t.index != nil:
		after, err = adindex.Reopen(t.index.Bytes)
	case t.after != t.before:
		after, err = s.indexOf(t.after)
	}
	if err != nil {
		return apiv1.Diff{}, err
	}
	return diff(enabled(t.before), enabled(t.after), before, after, s.Now()), nil
}

// indexOf is the index of what is in force: the loop's, where it is of the same.
func (s *server) indexOf(e *campaign.Effective) (*adindex.Reader, error) {
	if c := s.Publisher.View(); c != nil && c.Effective == e && c.Index != nil {
		return adindex.Reopen(c.Index.Bytes)
	}
	result, err := s.compile(e.Document, 1)
	if err != nil {
		if result, err = s.compile(&campaign.Document{}, 1); err != nil {
			return nil, err
		}
	}
	return adindex.Reopen(result.Bytes)
}

// enabled are the campaigns that are not paused, by id.
func enabled(e *campaign.Effective) []ad {
	var ads []ad
	for _, entry := range e.Entries() {
		if !entry.Campaign.Paused {
			ads = append(ads, ad{id: entry.Campaign.ID, json: campaign.AppendJSON(nil, entry.Campaign)})
		}
	}
	return ads
}

func diff(before, after []ad, a, b *adindex.Reader, now time.Time) apiv1.Diff {
	d := apiv1.Diff{BytesBefore: a.Size(), BytesAfter: b.Size(), Keys: changedKeys(a, b, now)}
	compareAds(&d, before, after)
	return d
}
