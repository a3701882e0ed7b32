package apiv1

import (
	"encoding/json"
	"time"
)

// Revision is one change set of the operators. Revisions are contiguous, and none is ever changed or removed.
type Revision struct {
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	Kind    string    `json:"kind"` // what was done: create, edit, pause, resume, delete, import or revert
	Reverts uint64    `json:"reverts,omitempty"`
	Changes int       `json:"changes"` // campaigns
	// FirstIDs are the first of these campaigns, in order of id, at most 3. They and the counts below are absent of revisions that were made
	// before they were kept.
	FirstIDs []string `json:"first_ids,omitempty"`
	// Added, Changed and Removed count what operators say of campaigns: a pause alone adds one.
	Added   int `json:"added,omitempty"`
	Changed int `json:"changed,omitempty"`
	Removed int `json:"removed,omitempty"`
}

// Action is what an operator did about what is published. Actions are contiguous, and none is ever changed or removed.
type Action struct {
	Number  uint64 `json:"number"`
	Kind    string `json:"kind"`              // rollback, resume, confirm or refuse
	Version string `json:"version,omitempty"` // what was pinned, or held; of a resume what was pinned until then, if that is known
	// Base is the version that was published when a guard held Version back; absent: none was, or Kind is another than confirm and refuse.
	Base    string    `json:"base,omitempty"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// RevisionChanges is a revision with a page of its changes, in order of id.
type RevisionChanges struct {
	Revision
	Page[RevisionChange]
}

// RevisionsDiff is what the revisions after From, up to To, changed in all, with a page of it, in order of id. What was changed and changed
// back is left out.
type RevisionsDiff struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Page[RevisionChange]
}

// RevisionChange is what a revision, or several, did to one campaign. A pause alone is {"id","enabled":false}.
type RevisionChange struct {
	ID     string          `json:"id"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Version is an index that was published and can be rolled back to: a source document and a revision, compiled.
type Version struct {
	Version     string    `json:"version"`
	PublishedAt time.Time `json:"published_at"` // last
	Document    string    `json:"document"`     // SHA-256 of the source document
	SourceTime  time.Time `json:"source_time,omitzero"`
	Revision    uint64    `json:"revision"` // of the operators; 0: none
	Ads         int       `json:"ads"`
	Keys        int       `json:"keys"`
	Bytes       int       `json:"bytes"`
	Rejected    int       `json:"rejected"`
	// RejectedByReason counts Rejected by the codes of FieldError; a reason without any is absent.
	RejectedByReason map[string]int `json:"rejected_by_reason,omitempty"`
	// CutCycles counts cycles whose weights ask for more turns than a cycle may have, so that they were made smaller; Cuts are of the first
	// keys that have such, at most 10.
	CutCycles int   `json:"cut_cycles,omitempty"`
	Cuts      []Cut `json:"cuts,omitempty"`
	// TimeZones is the release of the tz database, such as 2026a; absent: no ad has a time zone but UTC.
	TimeZones string `json:"time_zones,omitempty"`
	Published bool   `json:"published"` // now
	Pinned    bool   `json:"pinned"`    // now
}

// Cut is the longest of the cycles of one key whose weights were made smaller: its ads take nearly the shares that were asked for.
type Cut struct {
	Key   string `json:"key"` // such as us/eng
	Ads   int    `json:"ads"`
	Turns int    `json:"turns"` // that the cycle has
	Uncut int    `json:"uncut"` // that it would have had
}

// Pin holds a version: nothing newer is published until it is taken off.
type Pin struct {
	Version string    `json:"version"`
	Who     string    `json:"who"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
	// Waiting is the version that would be published without the pin; empty: the pinned one.
	Waiting string `json:"waiting,omitempty"`
	// Error is why the pinned version is not what is published: it cannot be read, or Envoys refuse it. What was published before stays.
	// Without it a pin that was just set may still be on its way.
	Error string `json:"error,omitempty"`
}

// MaxComment is how long a comment may be, in characters.
const MaxComment = 1000

// Comment is the optional body of a rollback.
type Comment struct {
	Comment string `json:"comment"`
}

// Held is a version that a guard keeps back until an operator confirms or refuses it, or a newer document replaces it.
type Held struct {
	Version string    `json:"version"`
	Base    string    `json:"base,omitempty"` // the version that it would replace
	Since   time.Time `json:"since"`
	// Reason is max_removed_share, or revision_lost: the operators' store is another one than what is published was made with, or has lost
	// revisions, a pin or a decision.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Removed are the ads that it removes, of Served that Base can still serve. They are 0 where guards.max_removed_share is 1.
	Removed int     `json:"removed"`
	Served  int     `json:"served"`
	Share   float64 `json:"share"` // Removed ÷ Served
	Limit   float64 `json:"limit"`
	Refused bool    `json:"refused"`
	// RefusedBy, Comment and DecidedAt are the operator's who refused it.
	RefusedBy string    `json:"refused_by,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
}
