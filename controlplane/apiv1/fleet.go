package apiv1

import "time"

// Fleet is every Envoy that is known, in order of node id.
type Fleet struct {
	Version string  `json:"version"` // of the index on offer
	InSync  int     `json:"in_sync"`
	Behind  int     `json:"behind"`
	Gone    int     `json:"gone"` // lately disconnected
	Envoys  []Envoy `json:"envoys"`
	// Rates are of all Envoys; absent while none reports. Connections of one node id show the same rates, so theirs do not add up to these.
	Rates *Rates `json:"rates,omitempty"`
}

// Envoy is one connection of an Envoy.
type Envoy struct {
	Node      string    `json:"node"`
	Address   string    `json:"address"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"` // connected, or gone
	Types     []OfType  `json:"types"`
	// Per second, over the last half minute; absent without counters from it.
	Rates *Rates `json:"rates,omitempty"`
}

// OfType is what an Envoy makes of one type of resources.
type OfType struct {
	Type    string    `json:"type"` // listeners, clusters or index
	Version string    `json:"version"`
	InSync  bool      `json:"in_sync"`
	Since   time.Time `json:"since"` // of InSync
	// LastAckAge is in seconds; absent: none yet.
	LastAckAge *float64  `json:"last_ack_age_seconds,omitempty"`
	LastNack   time.Time `json:"last_nack,omitzero"`
	NackText   string    `json:"nack_text,omitempty"`
	// Rejecting says that nothing was acknowledged since the last rejection.
	Rejecting bool `json:"rejecting,omitempty"`
}

// Rates are requests per second by what became of them.
type Rates struct {
	Served       float64 `json:"served"`
	NoAd         float64 `json:"no_ad"`
	BadRequest   float64 `json:"bad_request"`
	Unavailable  float64 `json:"unavailable"`
	Internal     float64 `json:"internal"`
	Unauthorized float64 `json:"unauthorized"`
	Forbidden    float64 `json:"forbidden"` // token of another client or use
	RateLimited  float64 `json:"rate_limited"`
}

// Coverage says when a pair of country and language has no ad on one UTC day.
type Coverage struct {
	Country string `json:"country"`
	Lang    string `json:"lang"`
	// Quarters has a character for each quarter of an hour from midnight: "1" an ad at every minute, "0" none at all, "-" some minutes.
	Quarters string `json:"quarters"`
	// Without is the number of minutes without an ad.
	Without int `json:"minutes_without_ad"`
}

// CoveragePage is a page of the coverage that what is in force by the campaigns gives.
type CoveragePage struct {
	Page[Coverage]
	Basis

	// AllDay is how many of Total have no ad all day, InPart how many have none at some minutes.
	AllDay int `json:"without_ad_all_day"`
	InPart int `json:"without_ad_in_part"`
}

// Served is what Envoys answer for a country and a language at a time, from the published index. In days that the index does not have it says
// what it would still answer then.
type Served struct {
	Version string    `json:"version"`
	Country string    `json:"country"` // canonical, as Lang
	Lang    string    `json:"lang"`
	At      time.Time `json:"at"` // the minute
	// Key is whose cycle answers, such as us/eng or */eng; absent: no ad.
	Key string     `json:"key,omitempty"`
	Ads []ServedAd `json:"ads"`
	// Cycle has the place in Ads of each turn's ad; empty: no ad.
	Cycle []int `json:"cycle"`
}

// ServedAd is an ad as a game gets it.
type ServedAd struct {
	ID       string `json:"id"`
	VideoURL string `json:"video_url"`
}

// Basis says how an answer about what is in force stands to what is published. The answer to /explain has its members, too.
type Basis struct {
	// Version is that of the published index; empty: none is published.
	Version string `json:"version"`
	// Ahead says that what is shown is not, or not yet, what is published: a pin, a guard or the compiler is in between.
	Ahead bool `json:"ahead"`
}

// States of the source.
const (
	SourceOK       = "ok"
	SourceStale    = "stale"    // it has given no usable document since the start: what is served is from the disk, if anything
	SourceFailing  = "failing"  // it does not answer well
	SourceUnusable = "unusable" // its document cannot be used
)

// Summary is what a page shows of the present state.
type Summary struct {
	Version     string    `json:"version"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	Ads         int       `json:"ads"`
	Keys        int       `json:"keys"`
	Rejected    int       `json:"rejected"`
	// Revision is the operators' newest, CompiledRevision that of what is published unless a pin or a guard is in between; RevisionError is
	// why Revision is not compiled.
	Revision         uint64 `json:"revision"`
	CompiledRevision uint64 `json:"compiled_revision"`
	RevisionError    string `json:"revision_error,omitempty"`
	// OperatorsError is why the operators' store cannot be read now: what others have said since OperatorsReadAt is not known here.
	OperatorsError  string    `json:"operators_error,omitempty"`
	OperatorsReadAt time.Time `json:"operators_read_at,omitzero"` // absent without OperatorsError, and where it was never read
	// UnreadableRows counts what operators said that cannot be read: neither it nor the source's campaigns of its ids are served.
	UnreadableRows int `json:"unreadable_rows,omitempty"`

	Pin         *Pin    `json:"pin,omitempty"`
	Held        *Held   `json:"held,omitempty"`
	Source      string  `json:"source"`             // one of the constants
	SourceAge   float64 `json:"source_age_seconds"` // since the source last gave or confirmed a usable document
	SourceError string  `json:"source_error,omitempty"`
	InSync      int     `json:"in_sync"`
	Behind      int     `json:"behind"`
	Rates       *Rates  `json:"rates,omitempty"` // of the whole fleet
}

// Stuck reports whether the newest revision cannot be compiled. One that will be in a moment is not.
func (s *Summary) Stuck() bool { return s.Revision != s.CompiledRevision && s.RevisionError != "" }
