package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

// maxShown is how many ads a diff lists.
const maxShown = 1000

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
		body := compile.AppendAnswer(nil, r, adindex.AdRef(i))
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
func diffIndexes(ctx context.Context, a, b *adindex.Reader, now time.Time) (apiv1.Diff, error) {
	d, _, err := newDiff(ctx, a, b, now)
	if err != nil {
		return d, err
	}
	before, err := adsOf(a)
	if err != nil {
		return d, err
	}
	after, err := adsOf(b)
	if err != nil {
		return d, err
	}
	compareAds(&d, before, after)
	return d, ctx.Err()
}

// diffOf is what a change makes of what is in force. What cannot be compiled counts as an index without ads: whatever is published, it is
// not this.
func (s *server) diffOf(ctx context.Context, t trial) (apiv1.Diff, error) {
	before, err := s.indexOf(ctx, t.before)
	if err != nil {
		return apiv1.Diff{}, err
	}
	after := before
	switch {
	case t.index != nil:
		after, err = adindex.Reopen(t.index.Bytes)
	case t.after != t.before:
		after, err = s.indexOf(ctx, t.after)
	}
	if err != nil {
		return apiv1.Diff{}, err
	}
	d, keys, err := newDiff(ctx, before, after, s.Now())
	if err != nil {
		return d, err
	}
	later, err := keys.Later(t.before.Document, t.after.Document)
	if err != nil {
		return d, err
	}
	d.KeysLater = len(later)
	compareAds(&d, enabled(t.before), enabled(t.after))
	return d, ctx.Err()
}

// newDiff is a diff without its ads.
func newDiff(ctx context.Context, a, b *adindex.Reader, now time.Time) (apiv1.Diff, *compile.Difference, error) {
	keys, err := compile.Compare(ctx, a, b, now)
	if err != nil {
		return apiv1.Diff{}, nil, err
	}
	return apiv1.Diff{BytesBefore: a.Size(), BytesAfter: b.Size(), Keys: len(keys.Keys)}, keys, nil
}

// indexOf is the index of what is in force: the loop's, where it is of the same.
func (s *server) indexOf(ctx context.Context, e *campaign.Effective) (*adindex.Reader, error) {
	if c := s.Publisher.View(); c != nil && c.Effective == e && c.Index != nil {
		return adindex.Reopen(c.Index.Bytes)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
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
