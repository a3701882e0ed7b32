package api

import (
	"iter"
	"slices"
	"sync"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
)

// item is a campaign with where it comes from. The zero value is no campaign.
type item struct {
	campaign.Entry

	revision uint64 // that changed the operators' row last, 0: there is no row
	shadowed bool   // Campaign is the source's, which an operator's replaces
}

// canonical is the campaign's JSON.
func (i item) canonical() []byte { return campaign.AppendJSON(nil, i.Campaign) }

// fromSource says that it is the source's, paused here or not.
func (i item) fromSource() bool { return i.Campaign != nil && !i.Operator }

// view is what is in force of one document and one set of rows. It does not change.
type view struct {
	*campaign.Effective

	rows revision.Rows
	list func() []item // all in force, by id
}

func newView(e *campaign.Effective, rows revision.Rows) *view {
	v := &view{Effective: e, rows: rows}
	v.list = sync.OnceValue(v.items)
	return v
}

// views keeps the last view, as putting 100,000 campaigns together for each request would be slow.
type views struct {
	mu      sync.Mutex
	overlay campaign.Overlay
	last    *view
}

// of is what is in force of the loop's document under rows: what the loop has, unless the rows are ahead of it.
func (v *views) of(candidate *publish.View, rows revision.Rows) *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	if candidate.Rows == rows {
		if v.last == nil || v.last.Effective != candidate.Effective {
			v.last = newView(candidate.Effective, rows) // also in place of one of our own that is the same: one is enough
		}
		return v.last
	}
	if v.last == nil || v.last.Source != candidate.Source || v.last.rows != rows {
		v.last = newView(v.overlay.Apply(candidate.Source, rows.Campaigns()), rows)
	}
	return v.last
}

// under is what would be in force of a document under other rows.
func (v *views) under(source *campaign.Document, rows iter.Seq2[string, []byte]) *campaign.Effective {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.overlay.Apply(source, rows)
}

// adopt takes what has come into force from whoever has put it together already.
func (v *views) adopt(e *campaign.Effective, rows revision.Rows) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = newView(e, rows)
}

// candidate is what the loop has made last. The error is that what the source has is not known yet: to take it for nothing would make its
// campaigns the operators' own.
func (s *server) candidate() (*publish.View, error) {
	if c := s.Publisher.View(); c != nil && c.Effective != nil {
		return c, nil
	}
	return nil, errNoDocument
}

// view is what is in force now. The error is that the operators' changes, or the source's campaigns, are not known yet.
func (s *server) view() (*view, error) {
	state := s.History.State()
	if !state.Loaded {
		return nil, errNotLoaded
	}
	candidate, err := s.candidate()
	if err != nil {
		return nil, err
	}
	return s.views.of(candidate, state.Rows), nil
}

// get returns the campaign of an id that is in force. Where there is none, the item has the revision of a row that has no effect: the pause
// of a campaign that the source does not have any more.
func (v *view) get(id string) (item, bool) {
	e, ok := v.Get(id)
	p, _ := v.rows.Get(id)
	return item{Entry: e, revision: p.Revision}, ok
}

// under is the canonical campaign that an id would have with another row; nil: none.
func (v *view) under(id string, r *revision.Row) []byte {
	if r != nil && len(r.Campaign) > 0 {
		return r.Campaign
	}
	n := slices.IndexFunc(v.Source.Campaigns, func(c campaign.Campaign) bool { return c.ID == id })
	if n < 0 {
		return nil
	}
	c := v.Source.Campaigns[n]
	c.Paused = c.Paused || r != nil
	return campaign.AppendJSON(nil, &c)
}

func (v *view) items() []item {
	entries := v.Entries()
	items := make([]item, len(entries))
	for n, e := range entries {
		p, _ := v.rows.Get(e.Campaign.ID)
		items[n] = item{Entry: e, revision: p.Revision}
	}
	return items
}

// shadowed are the source's campaigns that operators' replace, by id.
func (v *view) shadowed() []item {
	var items []item
	for _, i := range v.list() {
		if i.Overridden != nil {
			items = append(items, item{Entry: campaign.Entry{Campaign: i.Overridden}, revision: i.revision, shadowed: true})
		}
	}
	return items
}
