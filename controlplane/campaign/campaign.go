// Package campaign owns the campaign model: what a source document may say and what each of its ads means.
//
// Decode turns the bytes of a document into campaigns with canonical codes, and counts and lists the rejected ads, each with
// its reason. It is pure: no clock, no network, no state. It reads a large document on all processors, which does not show in the
// result. A document is judged as a whole only where it cannot be read as one (not JSON, no "ads" array); a bad ad never takes the
// others down.
//
// The six plain fields are id, video_url, country, lang, start_hour and end_hour; every other field is ignored.
// Wildcards are not part of the plain document, so a country or lang of "*" is rejected.
package campaign

// Limits of the plain fields. Hours are hours of the UTC day; an end of 0 and of 24 both mean midnight.
const (
	MaxIDBytes   = 128
	MaxURLBytes  = 2048
	MaxStartHour = 23
	MaxEndHour   = 24
)

// Campaign is one valid ad of a document.
type Campaign struct {
	ID       string // 1 to MaxIDBytes printable ASCII bytes
	VideoURL string // exactly as in the document, after JSON decoding
	Country  string // canonical: two lower-case letters, "gb" for UK
	Lang     string // canonical: see CanonicalLang

	StartHour int // 0 to MaxStartHour
	EndHour   int // 0 to MaxEndHour

	Index int // place in the document's array, counted from 0
}

// ActiveAt reports whether the campaign runs during hour (0 to 23) of the UTC day. The start is inside the window and
// the end is not; a window whose start is after its end wraps past midnight; equal hours mean the whole day.
func (c Campaign) ActiveAt(hour int) bool {
	switch {
	case c.StartHour == c.EndHour:
		return true
	case c.StartHour < c.EndHour:
		return c.StartHour <= hour && hour < c.EndHour
	default:
		return hour >= c.StartHour || hour < c.EndHour
	}
}

// MaxRejects bounds the rejected ads that a Document describes; all are counted.
const MaxRejects = 1000

// Document is a decoded source document.
type Document struct {
	Campaigns []Campaign // valid ads in document order; their IDs are unique

	Rejects  []Reject       // the first MaxRejects of the other ads, in document order
	Rejected int            // how many the other ads are
	Reasons  map[string]int // how many by reason; reasons without rejects are absent
}
