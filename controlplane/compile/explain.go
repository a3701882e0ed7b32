package compile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// Why a campaign of the explained key is not served.
const (
	ReasonOutOfHours = "out_of_hours" // valid, but its window does not cover the hour
	ReasonInvalid    = "invalid"      // rejected; campaign.Reject has the reason
	ReasonDuplicate  = "duplicate"    // rejected, as an earlier ad has its id
)

// Explanation says what a key serves in one minute and why the other campaigns that it could concern are not served.
// Its slices are never nil.
type Explanation struct {
	Country string    `json:"country"` // canonical
	Lang    string    `json:"lang"`    // canonical
	Aliases []string  `json:"lang_aliases"`
	At      time.Time `json:"at"` // UTC, the beginning of the minute

	// Key is the canonical key whose entry answers; empty if none does, which is a 404 at any time.
	Key string `json:"key"`

	Eligible []Ad       `json:"eligible"` // in the order of their turns; none is a 404
	Waiting  []Waiting  `json:"waiting"`  // the key's other campaigns, in order of id bytes
	Rejected []Rejected `json:"rejected"` // in document order

	// RejectedMore is how many rejected ads the document has beyond those that it describes. Any of them may be of this key.
	RejectedMore int `json:"rejected_more"`
}

// Ad is a campaign of the explained key.
type Ad struct {
	ID        string `json:"id"`
	VideoURL  string `json:"video_url"`
	StartHour int    `json:"start_hour"`
	EndHour   int    `json:"end_hour"`
	Index     int    `json:"index"` // place in the document, counted from 0
}

// Waiting is a campaign that is not eligible now.
type Waiting struct {
	Ad
	Reason       string    `json:"reason"`
	NextEligible time.Time `json:"next_eligible"` // the first minute after At, UTC
}

// Rejected is an ad that the document names and no index has. It belongs to an explanation if those of its country and
// lang that can be read match, and at least one can: an ad for "us" whose lang is broken may have been meant for any key
// of us.
type Rejected struct {
	Reason string          `json:"reason"`
	Reject campaign.Reject `json:"reject"`
}

// Explain says what a request for country and lang, any alias in any case, is answered in the minute of at. It reads the
// campaigns, not an index. It fails if a parameter is one that a request may not have.
func Explain(doc *campaign.Document, country, lang string, at time.Time) (Explanation, error) {
	canonicalCountry, countryErr := parseParam("country", country, campaign.ParseCountry)
	canonicalLang, langErr := parseParam("lang", lang, campaign.ParseLang)
	if err := errors.Join(countryErr, langErr); err != nil {
		return Explanation{}, err
	}
	e := Explanation{
		Country: canonicalCountry, Lang: canonicalLang, Aliases: campaign.LangAliases(canonicalLang),
		At:       at.UTC().Truncate(time.Minute),
		Eligible: []Ad{}, Waiting: []Waiting{}, Rejected: []Rejected{},
		RejectedMore: doc.Rejected - len(doc.Rejects),
	}
	for i := range doc.Campaigns {
		if c := &doc.Campaigns[i]; c.Country == e.Country && c.Lang == e.Lang {
			e.add(c)
		}
	}
	slices.SortFunc(e.Eligible, func(a, b Ad) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(e.Waiting, func(a, b Waiting) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range doc.Rejects {
		if e.concerns(r) {
			e.Rejected = append(e.Rejected, Rejected{Reason: rejectedReason(r), Reject: r})
		}
	}
	return e, nil
}

func parseParam(name, value string, parse func(string) (string, error)) (string, error) {
	if value == "" {
		return "", fmt.Errorf("%s is missing", name)
	}
	code, err := parse(value)
	if err != nil {
		return "", fmt.Errorf("%s %w, is %q", name, err, value)
	}
	return code, nil
}

func (e *Explanation) add(c *campaign.Campaign) {
	if key, ok := adindex.MakeKey(c.Country, c.Lang); ok {
		e.Key = key.String()
	}
	ad := Ad{ID: c.ID, VideoURL: c.VideoURL, StartHour: c.StartHour, EndHour: c.EndHour, Index: c.Index}
	if c.ActiveAt(e.At.Hour()) {
		e.Eligible = append(e.Eligible, ad)
		return
	}
	e.Waiting = append(e.Waiting, Waiting{Ad: ad, Reason: ReasonOutOfHours, NextEligible: nextEligible(c, e.At)})
}

// nextEligible returns the first minute after at, at which the campaign does not run, at which it does. A window is never
// empty, so that is within a day.
func nextEligible(c *campaign.Campaign, at time.Time) time.Time {
	t := at.Truncate(time.Hour)
	for range dayHours {
		if t = t.Add(time.Hour); c.ActiveAt(t.Hour()) {
			break
		}
	}
	return t
}

func (e *Explanation) concerns(r campaign.Reject) bool {
	if r.Country == "" && r.Lang == "" {
		return false
	}
	return (r.Country == "" || r.Country == e.Country) && (r.Lang == "" || r.Lang == e.Lang)
}

func rejectedReason(r campaign.Reject) string {
	if r.Reason == campaign.ReasonDuplicate {
		return ReasonDuplicate
	}
	return ReasonInvalid
}
