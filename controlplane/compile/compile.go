// Package compile turns campaigns into the bytes of an index, and explains what that index serves and why.
//
// All decisions fall here, so that the filter only walks: an ad's texts are escaped, windows, zones and flights become segments of a day,
// a week or the days of the horizon, the ads that win in a segment become a cycle, and each alias of a language becomes an entry of its own
// that shares schedule and cursor with the canonical key. UK needs no entry: a request for it arrives as GB.
//
// A key whose campaigns have nothing but hours of the UTC day is cut at its hours (keys.go). For every other one, campaigns become
// candidates: those for all countries or languages too, each with the spans of minutes in which its window is open (timing.go). A sweep
// over the ends of spans keeps account of each tier of priority and exactness, and asks which is the first that is not empty (sweep.go).
//
// Compile is pure and deterministic. The bytes depend on the campaigns, the source time, the UTC day and the tz database alone, not on the
// order of the document, the machine or the time of the day, so replicas that read the same campaigns agree on the version; of plain
// campaigns the day does not count either. It works on all processors: ids are ordered in piles, ads written while the cycles are made,
// and the version is hashed while the index is put together.
package compile

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/zone"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// Params are the inputs of Compile besides the campaigns.
type Params struct {
	SourceTime time.Time // age of the document, kept in the index in whole seconds; the zero time is kept as 0, unknown
	MaxBytes   int       // size limit of the index in bytes; 0 is no limit

	// Now is the present time. Campaigns with flights or time zones are compiled for the days around it, and need it; the result is
	// the same at any time of one UTC day. For others it does not count.
	Now time.Time
}

// Result is a compiled index with what status and metrics tell of it. It is read-only.
type Result struct {
	Bytes   []byte // the index; adindex.Open accepts it
	Version string // adindex.Version of Bytes: the same for the same ads, whatever their source time

	Ads           int // ads in the index
	Keys          int // entries, every alias counted
	CanonicalKeys int // entries, the aliases of a language counted once
	SourceTime    time.Time

	// Since and Until bound the times Params.Now at which the same campaigns compile to the same: Since is the UTC midnight before
	// Params.Now if flights or time zones count, and Until the one after it if any of them is ahead. Zero is no bound.
	Since, Until time.Time
	// TimeZones is the release of the tz database if a campaign that the index serves has a zone but UTC, else empty.
	TimeZones string

	Cuts      []Cut // of the first MaxCuts keys that have cycles which were cut to MaxTurns, in order of keys
	CutCycles int   // all

	// Of the document, which it shares them with.
	Rejects  []campaign.Reject // the first campaign.MaxRejects
	Rejected int               // all
	Reasons  map[string]int    // all, by reason; reasons without rejects are absent
}

// Compile returns the index of a document's campaigns. It fails with ErrTooLarge where the index passes params.MaxBytes, with
// ErrKeyTooLarge, a *KeyTooLargeError, where one key passes MaxKeyBytes, with ErrTooManyPairs where wildcards make too many keys,
// where it needs params.Now and has not got it, and otherwise only on campaigns that campaign.Decode would not have made. No ad is left
// out for the sake of a limit.
func Compile(doc *campaign.Document, params Params) (*Result, error) {
	h := horizonOf(params.Now)
	ads, err := inOrder(doc.Campaigns, h)
	if err != nil {
		return nil, err
	}
	if ads.timed && params.Now.IsZero() {
		return nil, errors.New("campaigns have flights or time zones: the present time is needed")
	}
	k, err := addAll(ads, doc.Campaigns, h, params.MaxBytes)
	if err != nil {
		return nil, err
	}
	var sourceTime int64
	if !params.SourceTime.IsZero() {
		sourceTime = params.SourceTime.Unix()
	}
	p, err := k.builder.Pieces(sourceTime)
	if err != nil {
		return nil, fmt.Errorf("build index: %w", err)
	}
	if params.MaxBytes > 0 && p.Size() > params.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes for %d ads, the limit is %d bytes",
			ErrTooLarge, p.Size(), len(ads.entries), params.MaxBytes)
	}
	// The hash takes as long as copying and checking.
	version := make(chan string, 1)
	go func() { version <- p.Version() }()
	data := p.Bytes()
	// Envoy reports no reason for an index that the filter refuses, so what the filter would say is found out here.
	r, err := adindex.Open(data)
	if err == nil {
		err = r.CheckBodies(adrequest.Checker(func(ad uint32) []byte { return r.Body(adindex.AdRef(ad)) }))
	}
	hash := <-version // also after an error: no goroutine outlives Compile
	if err != nil {
		return nil, fmt.Errorf("open the compiled index: %w", err)
	}
	result := &Result{
		Bytes: data, Version: hash,
		Ads: r.Ads(), Keys: r.Keys(), CanonicalKeys: r.Cursors(), SourceTime: params.SourceTime,
		Cuts: k.cuts.keys, CutCycles: k.cuts.cycles,
		Rejects: doc.Rejects, Rejected: doc.Rejected, Reasons: doc.Reasons,
	}
	if len(k.resolver.zones) > 0 {
		result.TimeZones = zone.Version()
	}
	if ads.timed {
		result.Since = h.midnight()
	}
	if ads.moving || k.resolver.moving {
		result.Until = h.nextMidnight()
	}
	return result, nil
}

// addAll returns an adder with all ads and keys in its builder. The ads are written while the cycles are made.
func addAll(ads *ordered, campaigns []campaign.Campaign, h horizon, maxBytes int) (*keyAdder, error) {
	rendered := make(chan []bodies, 1)
	go func() { rendered <- render(ads.entries, campaigns) }()
	k := &keyAdder{
		builder: adindex.NewBuilder(), resolver: newResolver(h, ads.entries, campaigns),
		maxBytes: maxBytes, aliases: make(map[string][]string),
	}
	k.builder.ExpectAds(len(ads.entries))
	all, err := gatherGroups(ads, campaigns)
	if err == nil {
		err = k.addGroups(all)
	}
	for _, batch := range <-rendered { // also after an error, as above
		_, addErr := k.builder.AddAds(batch.text, batch.ends)
		err = cmp.Or(err, batch.err, addErr)
	}
	return k, err
}
