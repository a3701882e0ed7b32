// Package campaign owns the campaign model: what a source document may say and what each of its ads means.
//
// Decode turns the bytes of a document into campaigns with canonical codes, and counts and lists the rejected ads, each with
// its reason. It is pure: no clock, no network, no state. It reads a large document on all processors, which does not show in the
// result. A document is judged as a whole only where it cannot be read as one (not JSON, no "ads" array); a bad ad never takes the
// others down.
//
// An ad must have the six plain fields id, video_url, country, lang, start_hour and end_hour. The optional ones are name, labels,
// enabled, priority, weight, time_zone, days, start_at and end_at; one that is wrong rejects the ad as a plain one does. What else an
// ad has is ignored in a document. ParseOne, which reads what an operator writes, refuses it and reports all that is wrong at
// once; AppendJSON is its inverse.
//
// What the fields decide at a given minute is the compiler's; what a campaign is, is here alone.
package campaign

import "math"

// Limits of the fields. Hours are hours of the day in the campaign's zone; an end of 0 and of 24 both mean midnight.
const (
	MaxIDBytes   = 128
	MaxURLBytes  = 2048
	MaxStartHour = 23
	MaxEndHour   = 24

	MaxNameBytes  = 256
	MaxLabels     = 16
	MaxLabelBytes = 64
	MinPriority   = -100
	MaxPriority   = 100
	MinWeight     = 1
	MaxWeight     = 100
)

// Any is the country or language of a campaign for all countries or languages.
const Any = "*"

// Campaign is one valid ad of a document. Where a field is optional its zero value is its default, so that one with the plain
// fields alone is an ad of a plain document.
type Campaign struct {
	ID       string // 1 to MaxIDBytes printable ASCII bytes
	VideoURL string // exactly as in the document, after JSON decoding
	Country  string // canonical: two lower-case letters, "gb" for UK; or Any
	Lang     string // canonical: see CanonicalLang; or Any

	StartHour int // 0 to MaxStartHour
	EndHour   int // 0 to MaxEndHour

	Index int // place in the document's array, counted from 0

	Name   string   // for people: up to MaxNameBytes of UTF-8 without control characters
	Labels []string // for people, in the order given: up to MaxLabels different ones of 1 to MaxLabelBytes, as a name otherwise; nil is none

	Priority int // MinPriority to MaxPriority; the larger wins
	Weight   int // MinWeight to MaxWeight; 0 counts as 1, which is what Decode and ParseOne give where the field is absent

	TimeZone string // name in the tz database (package zone) of the zone whose wall clock the hours and days are of; empty is UTC

	StartAt, EndAt Instant // the flight [StartAt, EndAt), each end may be open; StartAt is before EndAt

	Days   Days // days on which the window starts; 0 is every day
	Paused bool // enabled is false
}

// Flight returns the Unix minutes [from, until) between which the campaign may run: math.MinInt64 and math.MaxInt64 where it has no
// start and no end.
func (c *Campaign) Flight() (from, until int64) {
	from, until = math.MinInt64, math.MaxInt64
	if c.StartAt != 0 {
		from = c.StartAt.Minute()
	}
	if c.EndAt != 0 {
		until = c.EndAt.Minute()
	}
	return from, until
}

// ActiveAt reports whether hour (0 to 23) of the day in the campaign's zone is in its window; it looks at nothing else. The start is
// inside the window and the end is not; a window whose start is after its end wraps past midnight; equal hours mean the whole day.
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
