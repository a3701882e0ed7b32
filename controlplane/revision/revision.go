package revision

import (
	"bytes"
	"time"
)

// Row is what operators say of one campaign.
type Row struct {
	// Campaign is the campaign's canonical JSON, at most MaxCampaignBytes. It is not read here. Empty: the source's campaign of this ID
	// is paused, and the row says nothing else of it. Never change the bytes.
	Campaign []byte
}

// Change is what a revision made of one row.
type Change struct {
	// ID is the campaign's.
	ID string
	// Before and After are nil where there is no row. They are never equal.
	Before, After *Row
}

// Kind is what an operator did that made a revision.
type Kind string

// The kinds. All but Import and Revert are of one campaign, as whoever asked for it saw it: what source and operators say together.
const (
	Create Kind = "create"
	Edit   Kind = "edit" // also of several, and what is none of the others
	Pause  Kind = "pause"
	Resume Kind = "resume" // after a pause
	Delete Kind = "delete" // of what operators say: the source's campaign may be back
	Import Kind = "import"
	Revert Kind = "revert"
)

// MaxFirstIDs is how many campaigns a [Summary] names.
const MaxFirstIDs = 3

// Summary is the changes of a revision in short. It is kept with the revision, so that a list of revisions reads no changes. One that was made
// before summaries were kept has none: no IDs.
type Summary struct {
	// FirstIDs are the first campaigns by ID, at most MaxFirstIDs.
	FirstIDs []string `json:"first_ids,omitempty"`
	// Added, Changed and Removed are how many rows, not campaigns: a pause adds one.
	Added   int `json:"added,omitempty"`
	Changed int `json:"changed,omitempty"`
	Removed int `json:"removed,omitempty"`
}

// summarize is of changes in the order of their IDs.
func summarize(changes []Change) Summary {
	var s Summary
	for _, c := range changes[:min(len(changes), MaxFirstIDs)] {
		s.FirstIDs = append(s.FirstIDs, c.ID)
	}
	for _, c := range changes {
		switch {
		case c.Before == nil:
			s.Added++
		case c.After == nil:
			s.Removed++
		default:
			s.Changed++
		}
	}
	return s
}

// Revision is an immutable set of changes, without these.
type Revision struct {
	// Number counts from 1, without a gap.
	Number uint64
	At     time.Time
	// Who made it, as the access control names them.
	Who, Comment string
	Kind         Kind
	// Reverts is the number of the revision that one of kind Revert undoes; else 0.
	Reverts uint64
	// Count is how many changes it has; see [Service.Changes].
	Count int
	Summary
}

// Present is a row that there is now.
type Present struct {
	Row Row
	// Revision is the number of the one that changed the row last.
	Revision uint64
}

// Pin holds a published version.
type Pin struct {
	// Counter grows with each change of the pin, from 0 where there never was one. See [Service.SetPin].
	Counter uint64 `json:"-"`
	// Version is what is held; "" where nothing is: then the rest tells who said so.
	Version string    `json:"version,omitempty"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// Decision is what an operator said last of a version that a guard held back: whether it is to be published in the place of Base.
type Decision struct {
	// Counter grows with each decision, from 0 where there never was one. See [Service.SetDecision].
	Counter uint64 `json:"-"`
	Version string `json:"version"`
	// Base is the version that was published then; "" for none.
	Base    string    `json:"base,omitempty"`
	Publish bool      `json:"publish,omitempty"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// Published is what a replica told last of what it publishes, for the others.
type Published struct {
	// Counter grows with each change, from 0 where there never was one. See [Service.SetPublished].
	Counter uint64 `json:"-"`
	// Version need not be kept, or not yet.
	Version string `json:"version"`
	// Spent is the Counter of the last decision that counts no more; 0: none does.
	Spent uint64 `json:"spent,omitempty"`
}

func (c Change) equal(other Change) bool {
	return c.ID == other.ID && equal(c.Before, other.Before) && equal(c.After, other.After)
}

// equal compares what may be nil.
func equal(a, b *Row) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.Campaign, b.Campaign)
}
