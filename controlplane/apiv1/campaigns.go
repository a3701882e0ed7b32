package apiv1

import (
	"encoding/json"
	"time"
)

// States of a campaign.
const (
	Running   = "running"   // enabled and in its flight: served in its hours, if nothing outranks it
	Scheduled = "scheduled" // its flight is to come
	Paused    = "paused"
	Ended     = "ended"    // its flight is over
	Shadowed  = "shadowed" // a source campaign that an operator's campaign of the same id replaces
)

// Origins of a campaign.
const (
	FromSource   = "source"
	FromOperator = "operator"
)

// Campaign is one campaign and what becomes of it.
type Campaign struct {
	ID     string `json:"id"`
	Origin string `json:"origin"`
	State  string `json:"state"`
	// Campaign is the campaign as a document has it, in canonical form.
	Campaign json.RawMessage `json:"campaign"`
	// Overrides says that the source has a campaign of this id, which this one replaces; PausedByOperator that a source campaign is
	// paused here and follows its source otherwise.
	Overrides        bool `json:"overrides,omitempty"`
	PausedByOperator bool `json:"paused_by_operator,omitempty"`
	// Source is the source's campaign that this one replaces.
	Source json.RawMessage `json:"source,omitempty"`

	ETag     string `json:"etag"`
	Revision uint64 `json:"revision,omitempty"` // that last changed it here; 0: no operator has
	// NextEligible is the next minute in which it may be served, the present one if it may be now; zero: never, as far as is known.
	// Higher priorities and more exact campaigns are not looked at: /explain does.
	NextEligible time.Time `json:"next_eligible,omitzero"`
	EligibleNow  bool      `json:"eligible_now"`
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
	// Total counts all items that match, over all pages.
	Total int `json:"total"`
}

// Saved is the answer to a change: its revision, and the campaign after it if it was of one.
type Saved struct {
	Revision uint64    `json:"revision"`
	Campaign *Campaign `json:"campaign,omitempty"`
	// Note is for people, such as "The source's campaign is served again."
	Note string `json:"note,omitempty"`
}

// FieldError is one finding in a campaign that was sent; a 422 invalid_campaign has them all in "fields".
type FieldError struct {
	Field   string `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Row     int    `json:"row,omitempty"`  // of an import: place in "ads", counted from 1
	Line    int    `json:"line,omitempty"` // of an import, counted from 1
	ID      string `json:"id,omitempty"`
}

// Invalid is the body of 422 invalid_campaign and, of an import, 422 invalid_document.
type Invalid struct {
	Message string       `json:"message"`
	Code    string       `json:"code"`
	Fields  []FieldError `json:"fields"`
	// More counts findings beyond those in Fields.
	More int `json:"more,omitempty"`
}

// Conflict is the body of 412 revision_conflict: what the client sent, and what is there now.
type Conflict struct {
	Message string    `json:"message"`
	Code    string    `json:"code"`
	Present *Campaign `json:"present,omitempty"` // absent: it was deleted
	// Changed names the fields in which what was sent, or would be there again, After, differs from what is there, Before.
	Changed []FieldChange `json:"changed"`
	// IDs are the campaigns that others have changed, of a revert or an import: at most 100, the first of which is shown.
	IDs []string `json:"ids,omitempty"`
}

// FieldChange is a field of a campaign in two states; an absent field is null.
type FieldChange struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// Imported is the answer to an import, or what it would do.
type Imported struct {
	DryRun   bool   `json:"dry_run"`
	Revision uint64 `json:"revision,omitempty"` // absent of a dry run, and if nothing changed
	// Base is the newest revision of what Diff is made against. With If-Match: "Base", in quotes, an import is made only if nobody has changed
	// one of its campaigns since.
	Base uint64 `json:"base"`
	Diff Diff   `json:"diff"`
	// Note is for people: that weights are made smaller, or that what was imported is not published for now.
	Note string `json:"note,omitempty"`
}

// Phases of an import.
const (
	Receiving = "receive" // Done and Total count bytes
	Checking  = "check"   // from here on campaigns
	Storing   = "store"
)

// ImportEvent is a line of the answer to an import with "Accept: application/x-ndjson". One of the members is there; the last line has the
// Result or the Error, and no line before it has. A stream that ends without either was cut off: the import may have been made.
type ImportEvent struct {
	Progress *ImportProgress `json:"progress,omitempty"`
	Result   *Imported       `json:"result,omitempty"`
	Error    *ImportFailure  `json:"error,omitempty"`
}

// ImportProgress is how far an import is. Phases follow each other in the order of the constants; one may begin anew, or be left out.
type ImportProgress struct {
	Phase string `json:"phase"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // 0: not known
}

// ImportFailure is the answer that the import would have had without the stream.
type ImportFailure struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// Diff is what changes from one set of served ads to another: campaigns that are enabled, or of two versions those that an index has.
type Diff struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Removed int `json:"removed"`
	// Keys counts pairs of country and language (an asterisk for those that no campaign names) that the two indexes answer differently:
	// another ad, order or number of turns, at any minute from now to the end of the days that both know minute by minute, two weeks after
	// the last midnight, and of older versions a week from now at least. A pair without flights and changes of zones ahead repeats week by
	// week, and is compared for ever.
	Keys int `json:"keys"`
	// KeysLater counts the pairs beside those that may be answered differently after that: a campaign that is added, changed or removed
	// applies to them and runs then, and flights or changes of zones make those days other than the ones that were compared. They are the
	// most that may: which campaign wins then is not worked out. Every other pair stays as it is. It is absent for none, and of two versions.
	KeysLater   int `json:"keys_later,omitempty"`
	BytesBefore int `json:"bytes_before"`
	BytesAfter  int `json:"bytes_after"`
	// Ads are the first of them in order of id, at most 1,000.
	Ads []AdChange `json:"ads"`
}

// AdChange is an ad that a diff adds (no Before), removes (no After) or changes.
type AdChange struct {
	ID     string          `json:"id"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}
