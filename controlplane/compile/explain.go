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

// Why a campaign of the explained key is not served. The first that holds is given, in this order.
const (
	ReasonPaused        = "paused"         // not enabled
	ReasonBeforeFlight  = "before_flight"  // start_at is ahead
	ReasonAfterFlight   = "after_flight"   // end_at is past
	ReasonWrongDay      = "wrong_day"      // on its wall clock it is not one of its days; a window's part after midnight is of the day before
	ReasonOutOfHours    = "out_of_hours"   // its window does not cover the hour of its wall clock
	ReasonLowerPriority = "lower_priority" // eligible, but waits for ads of a higher priority
	ReasonLessExact     = "less_exact"     // eligible, but waits for ads that name the country and lang more exactly

	ReasonOverridden = "overridden" // an operator's campaign with its id has taken its place
	ReasonInvalid    = "invalid"    // rejected; campaign.Reject has the reason
	ReasonDuplicate  = "duplicate"  // rejected, as an earlier ad has its id
)

// Explanation says what a key serves in one minute and why the other campaigns that it could concern are not served.
// Its slices are never nil.
type Explanation struct {
	Country string    `json:"country"` // canonical
	Lang    string    `json:"lang"`    // canonical
	Aliases []string  `json:"lang_aliases"`
	At      time.Time `json:"at"` // UTC, the beginning of the minute

	// Key is the canonical key whose entry answers, with * for a wildcard; empty if none does, which is a 404 at any time.
	Key string `json:"key"`

	Eligible []Ad       `json:"eligible"` // the ads that are served, in order of id bytes; none is a 404
	Cycle    []int      `json:"cycle"`    // turn by turn, the place of its ad in Eligible
	Waiting  []Waiting  `json:"waiting"`  // the other campaigns that apply to the key, in order of id bytes
	Rejected []Rejected `json:"rejected"` // in document order

	// RejectedMore is how many rejected ads the document has beyond those that it describes. Any of them may be of this key.
	RejectedMore int `json:"rejected_more"`
}

// Ad is a campaign of the explained key. Its country and lang are the campaign's own and may be campaign.Any.
type Ad struct {
	ID        string   `json:"id"`
	VideoURL  string   `json:"video_url"`
	Country   string   `json:"country"`
	Lang      string   `json:"lang"`
	StartHour int      `json:"start_hour"`
	EndHour   int      `json:"end_hour"`
	Priority  int      `json:"priority"`
	Weight    int      `json:"weight"`
	TimeZone  string   `json:"time_zone,omitempty"` // absent for UTC
	Days      []string `json:"days,omitempty"`      // absent for every day
	StartAt   string   `json:"start_at,omitempty"`
	EndAt     string   `json:"end_at,omitempty"`
	Index     int      `json:"index"` // place in the document, counted from 0
}

// Waiting is a campaign that is not served now.
type Waiting struct {
	Ad
	Reason string `json:"reason"`
	// NextEligible is the first minute, from At on, at which the campaign may be served if nothing goes before it, UTC: At itself for one
	// that waits for others. It is absent where there is none.
	NextEligible time.Time `json:"next_eligible,omitzero"`
}

// Rejected is an ad that the document names and no index has. It belongs to an explanation if those of its country and
// lang that can be read match, and at least one can: an ad for "us" whose lang is broken may have been meant for any key
// of us.
type Rejected struct {
	Reason string          `json:"reason"`
	Reject campaign.Reject `json:"reject"`
}

// Explain says what a request for country and lang, any alias in any case, is answered in the minute of at. It reads the
// campaigns, not an index: at is any time of the years 0000 to 9999 of UTC, and no horizon counts. It fails if a parameter is one that a
// request may not have.
func Explain(doc *campaign.Document, country, lang string, at time.Time) (Explanation, error) {
	return ExplainOver(doc, nil, country, lang, at)
}

// ExplainOver does what Explain does, and lists those of the overridden campaigns that would apply: the source's campaigns whose place an
// operator's campaign of doc has taken.
func ExplainOver(doc *campaign.Document, overridden []campaign.Campaign, country, lang string, at time.Time) (Explanation, error) {
	canonicalCountry, countryErr := parseParam("country", country, campaign.ParseCountry)
	canonicalLang, langErr := parseParam("lang", lang, campaign.ParseLang)
	if err := errors.Join(countryErr, langErr, CheckMinute(at)); err != nil {
		return Explanation{}, err
	}
	e := Explanation{
		Country: canonicalCountry, Lang: canonicalLang, Aliases: campaign.LangAliases(canonicalLang),
		At:       at.UTC().Truncate(time.Minute),
		Eligible: []Ad{}, Cycle: []int{}, Waiting: []Waiting{}, Rejected: []Rejected{},
		RejectedMore: doc.Rejected - len(doc.Rejects),
	}
	if err := e.decide(doc.Campaigns); err != nil {
		return Explanation{}, err
	}
	for i := range overridden {
		if c := &overridden[i]; e.applies(c) {
			e.Waiting = append(e.Waiting, Waiting{Ad: adOf(c), Reason: ReasonOverridden})
		}
	}
	slices.SortStableFunc(e.Waiting, func(a, b Waiting) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range doc.Rejects {
		if e.concerns(r) {
			e.Rejected = append(e.Rejected, Rejected{Reason: rejectedReason(r), Reject: r})
		}
	}
	return e, nil
}

// CheckMinute refuses what RFC 3339 has no text for in UTC, though it may have one with an offset.
func CheckMinute(at time.Time) error {
	if y := at.UTC().Year(); y < 0 || y > 9999 {
		return errors.New("at must be in the years 0000 to 9999 of UTC")
	}
	return nil
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

// decide fills in the key, the campaigns that are served and those that wait.
func (e *Explanation) decide(campaigns []campaign.Campaign) error {
	var winner *campaign.Campaign
	var eligible []*campaign.Campaign
	var met [exactnesses]bool // whether the document has keys of each exactness for this one
	for i := range campaigns {
		c := &campaigns[i]
		if !e.applies(c) {
			continue
		}
		met[exactness(c)] = met[exactness(c)] || !c.Paused
		reason, err := ineligible(c, e.At)
		switch {
		case err != nil:
			return err
		case reason != "":
			if err := e.wait(c, reason); err != nil {
				return err
			}
			continue
		case winner == nil || outranks(c, winner):
			winner = c
		}
		eligible = append(eligible, c)
	}
	e.Key = e.entry(met)
	slices.SortFunc(eligible, func(a, b *campaign.Campaign) int { return cmp.Compare(a.ID, b.ID) })
	var refs []adindex.AdRef
	var weight []uint8
	var all weights
	for _, c := range eligible {
		switch {
		case c.Priority != winner.Priority:
			e.Waiting = append(e.Waiting, Waiting{Ad: adOf(c), Reason: ReasonLowerPriority, NextEligible: e.At})
		case exactness(c) != exactness(winner):
			e.Waiting = append(e.Waiting, Waiting{Ad: adOf(c), Reason: ReasonLessExact, NextEligible: e.At})
		default:
			refs = append(refs, adindex.AdRef(len(e.Eligible)))
			weight = append(weight, uint8(weightOf(c)))
			all[weightOf(c)]++
			e.Eligible = append(e.Eligible, adOf(c))
		}
	}
	shares := all.shares()
	for _, ad := range new(cycler).cycle(refs, weight, &shares) {
		e.Cycle = append(e.Cycle, int(ad))
	}
	return nil
}

func (e *Explanation) wait(c *campaign.Campaign, reason string) error {
	next, err := NextEligible(c, e.At)
	e.Waiting = append(e.Waiting, Waiting{Ad: adOf(c), Reason: reason, NextEligible: next})
	return err
}

// The exactnesses of a campaign, the most exact first.
const (
	exactPair = iota
	exactCountry
	exactLang
	anyPair
	exactnesses
)

func exactness(c *campaign.Campaign) int {
	switch {
	case c.Country != campaign.Any && c.Lang != campaign.Any:
		return exactPair
	case c.Country != campaign.Any:
		return exactCountry
	case c.Lang != campaign.Any:
		return exactLang
	default:
		return anyPair
	}
}

func outranks(c, d *campaign.Campaign) bool {
	if c.Priority != d.Priority {
		return c.Priority > d.Priority
	}
	return exactness(c) < exactness(d)
}

// applies reports whether the campaign is one for the country and lang.
func (e *Explanation) applies(c *campaign.Campaign) bool {
	return (c.Country == e.Country || c.Country == campaign.Any) && (c.Lang == e.Lang || c.Lang == campaign.Any)
}

// entry returns the key of the entry that Compile makes for the pair, if campaigns of these exactnesses are there.
func (e *Explanation) entry(met [exactnesses]bool) string {
	switch {
	case met[exactPair] || met[exactCountry] && met[exactLang]:
		return e.Country + "/" + e.Lang
	case met[exactCountry]:
		return e.Country + "/" + campaign.Any
	case met[exactLang]:
		return campaign.Any + "/" + e.Lang
	case met[anyPair]:
		return campaign.Any + "/" + campaign.Any
	default:
		return ""
	}
}

func (e *Explanation) concerns(r campaign.Reject) bool {
	if r.Country == "" && r.Lang == "" {
		return false
	}
	return (r.Country == "" || r.Country == campaign.Any || r.Country == e.Country) &&
		(r.Lang == "" || r.Lang == campaign.Any || r.Lang == e.Lang)
}

func rejectedReason(r campaign.Reject) string {
	if r.Reason == campaign.ReasonDuplicate {
		return ReasonDuplicate
	}
	return ReasonInvalid
}
