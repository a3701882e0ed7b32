package api

import (
	"sync"

	"adsidecar/controlplane/campaign"
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

// views keeps the last view: reading 100,000 campaigns for each request would be slow.
type views struct {
	mu      sync.Mutex
	overlay campaign.Overlay
	last    *view
}

// view is what is in force now. The error is that operators' changes are not known yet.
func (s *server) view() (*view, error) {
	state := s.History.State()
	if !state.Loaded {
		return nil, errNotLoaded
	}
	doc := s.Publisher.Document()
	if doc == nil {
		return nil, errNoDocument // what the source has is not known yet: to take it for nothing would make its campaigns the operators' own
	}
	s.views.mu.Lock()
	defer s.views.mu.Unlock()
	if v := s.views.last; v != nil && v.Source == doc && v.rows == state.Rows {
		return v, nil
	}
	v := &view{Effective: s.views.overlay.Apply(doc, state.Rows.Campaigns()), rows: state.Rows}
	v.list = sync.OnceValue(v.items)
	s.views.last = v
	return v, nil
}

// get returns the campaign of an id that is in force. Where there is none, the item has the revision of a row that has no effect: the pause
// of a campaign that the source does not have any more.
func (v *view) get(id string) (item, bool) {
	e, ok := v.Get(id)
	p, _ := v.rows.Get(id)
	return item{Entry: e, revision: p.Revision}, ok
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
