package campaign

import (
	"cmp"
	"iter"
	"slices"
	"sync"
)

// MaxUnreadable bounds the rows that an Effective describes; all are counted.
const MaxUnreadable = 100

// Effective is a source document with what operators say of it. It is read-only, and any goroutine may use it.
type Effective struct {
	// Source is the document as the source has it.
	Source *Document
	// Document is what is in force: Source itself where operators say nothing. The source's campaigns come first, in their order; some
	// are paused, those that are overridden are left out. Then come the operators' campaigns in order of id, with Index −1. Rejects,
	// Rejected and Reasons are the source's: they tell of its document, also where an operator's campaign serves in place of a rejected ad.
	Document *Document
	// Overridden are the source's campaigns that an operator's of the same id replaces, in document order.
	Overridden []Campaign
	// Unreadable are the first MaxUnreadable rows, in order of id, that are no campaign of their id; UnreadableRows counts all.
	Unreadable     []Unreadable
	UnreadableRows int

	own     int // campaigns at the end of Document that are operators'
	paused  map[string]bool
	entries func() []Entry
}

// Unreadable is a row that cannot be read. Neither it nor a source's campaign of its id is in force: what operators said of it may have
// been that it is not to be served.
type Unreadable struct {
	ID     string       `json:"id"`
	Errors []FieldError `json:"errors"`
}

// Entry is one id of an Effective: the campaign in force, and where it comes from.
type Entry struct {
	// Campaign is what is in force, a paused one included. It is never nil.
	Campaign *Campaign
	// Operator says that it is an operator's campaign, and not the source's.
	Operator bool
	// Overridden is the source's campaign that an operator's replaces; nil if there is none.
	Overridden *Campaign
	// PausedByOperator says that it is the source's campaign, and that operators paused it. The source may have done so, too.
	PausedByOperator bool
}

// Entries are the campaigns in force in order of id bytes. They are ordered at the first call, which takes a while; nobody may write to the
// result.
func (e *Effective) Entries() []Entry { return e.entries() }

// Get returns the entry of an id. Its first call takes as long as that of Entries.
func (e *Effective) Get(id string) (Entry, bool) {
	entries := e.entries()
	i, found := slices.BinarySearchFunc(entries, id, func(e Entry, id string) int { return cmp.Compare(e.Campaign.ID, id) })
	if !found {
		return Entry{}, false
	}
	return entries[i], true
}

// Operators returns how many of the campaigns in force are operators'.
func (e *Effective) Operators() int { return e.own }

// PausedByOperator returns how many of the source's campaigns operators have paused.
func (e *Effective) PausedByOperator() int { return len(e.paused) }

func (e *Effective) order() []Entry {
	overridden := make(map[string]*Campaign, len(e.Overridden))
	for i := range e.Overridden {
		overridden[e.Overridden[i].ID] = &e.Overridden[i]
	}
	all := e.Document.Campaigns
	entries := make([]Entry, len(all))
	for i := range all {
		c := &all[i]
		entries[i] = Entry{
			Campaign: c, Operator: i >= len(all)-e.own, Overridden: overridden[c.ID], PausedByOperator: e.paused[c.ID],
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Campaign.ID, b.Campaign.ID) })
	return entries
}

// Overlay lays operators' rows over source documents. It remembers what it has parsed, so that after a change of one row only this one is
// parsed again. The zero value is ready. One goroutine may use it at a time.
type Overlay struct {
	rows map[string]parsedRow
}

// parsedRow is a row as it was read last. It keeps data, so that other bytes cannot come to lie in the same place.
type parsedRow struct {
	data     []byte
	campaign Campaign
	errors   []FieldError
}

// Apply returns what is in force of a source document under rows: by campaign id the JSON of an operator's campaign, or nothing, which
// pauses the source's campaign and does nothing while the source has none. Neither the document nor the bytes of a row may change
// afterwards, and no id may come twice.
func (o *Overlay) Apply(source *Document, rows iter.Seq2[string, []byte]) *Effective {
	e := &Effective{Source: source, Document: source}
	e.entries = sync.OnceValue(e.order)
	read := make(map[string]parsedRow, len(o.rows))
	for id, data := range rows {
		row, known := o.rows[id]
		if !known || !sameBytes(row.data, data) {
			row = parseRow(id, data)
		}
		read[id] = row
	}
	o.rows = read
	if len(read) == 0 {
		return e
	}

	document := *source
	document.Campaigns = make([]Campaign, 0, len(source.Campaigns)+len(read))
	for i := range source.Campaigns {
		c := &source.Campaigns[i]
		row, said := read[c.ID]
		switch {
		case !said:
			document.Campaigns = append(document.Campaigns, *c)
		case row.pauses():
			if e.paused == nil {
				e.paused = map[string]bool{}
			}
			e.paused[c.ID] = true
			paused := *c
			paused.Paused = true
			document.Campaigns = append(document.Campaigns, paused)
		default:
			e.Overridden = append(e.Overridden, *c)
		}
	}
	sources := len(document.Campaigns)
	for id, row := range read {
		switch {
		case row.errors != nil:
			e.UnreadableRows++
			e.Unreadable = append(e.Unreadable, Unreadable{ID: id, Errors: row.errors})
		case !row.pauses():
			document.Campaigns = append(document.Campaigns, row.campaign)
		}
	}
	own := document.Campaigns[sources:]
	slices.SortFunc(own, func(a, b Campaign) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(e.Unreadable, func(a, b Unreadable) int { return cmp.Compare(a.ID, b.ID) })
	e.Unreadable = slices.Clip(e.Unreadable[:min(len(e.Unreadable), MaxUnreadable)])
	e.own, e.Document = len(own), &document
	return e
}

func (r *parsedRow) pauses() bool { return len(r.data) == 0 && r.errors == nil }

func parseRow(id string, data []byte) parsedRow {
	row := parsedRow{data: data}
	if len(data) == 0 {
		return row
	}
	row.campaign, row.errors = ParseOne(data)
	if row.errors == nil && row.campaign.ID != id {
		row.errors = []FieldError{{Field: "id", Reason: ReasonInvalidID, Message: "is not the row's"}}
	}
	row.campaign.Index = -1
	return row
}

// sameBytes tells whether a and b are the same piece of memory. Content is not looked at: that would cost more than the map.
func sameBytes(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
