// Package compile turns campaigns into the bytes of an index, and explains what that index serves and why.
//
// All decisions fall here, so that the filter only walks: an ad's texts are escaped, its window becomes segments of the
// day, the ads of a segment become a cycle in order of id bytes, and each alias of a language becomes an entry of its own
// that shares schedule and cursor with the canonical key. UK needs no entry: a request for it arrives as GB.
//
// Compile is pure and deterministic. The bytes depend on the campaigns and the source time alone, not on the order of the
// document, the machine or the clock, so replicas that read the same campaigns agree on the version. It works on all processors:
// ids are ordered in piles, ads written while the cycles are made, and the version is hashed while the index is put together.
package compile

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// DefaultMaxBytes is the size limit of an index unless one is configured. A filter holds the old and the new index while
// it takes a push, in a VM of a fixed 1 GiB.
const DefaultMaxBytes = 96 << 20

// ErrTooLarge is returned, wrapped with both sizes, for an index over the limit.
var ErrTooLarge = errors.New("index too large")

// Params are the inputs of Compile besides the campaigns.
type Params struct {
	SourceTime time.Time // age of the document, kept in the index in whole seconds; the zero time is kept as 0, unknown
	MaxBytes   int       // size limit of the index in bytes; 0 is no limit
}

// Result is a compiled index with what status and metrics tell of it. It is read-only.
type Result struct {
	Bytes   []byte // the index; adindex.Open accepts it
	Version string // adindex.Version of Bytes: the same for the same ads, whatever their source time

	Ads           int // ads in the index
	Keys          int // entries, every alias counted
	CanonicalKeys int // entries, the aliases of a language counted once
	SourceTime    time.Time

	// Of the document, which it shares them with.
	Rejects  []campaign.Reject // the first campaign.MaxRejects
	Rejected int               // all
	Reasons  map[string]int    // all, by reason; reasons without rejects are absent
}

// Compile returns the index of a document's campaigns. It fails with ErrTooLarge where the index passes params.MaxBytes, and
// otherwise only on campaigns that campaign.Decode would not have made.
func Compile(doc *campaign.Document, params Params) (*Result, error) {
	entries, err := inOrder(doc.Campaigns)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(entries, doc.Campaigns)
	if err != nil {
		return nil, err
	}
	var sourceTime int64
	if !params.SourceTime.IsZero() {
		sourceTime = params.SourceTime.Unix()
	}
	p, err := b.Pieces(sourceTime)
	if err != nil {
		return nil, fmt.Errorf("build index: %w", err)
	}
	if params.MaxBytes > 0 && p.Size() > params.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes for %d ads, the limit is %d bytes",
			ErrTooLarge, p.Size(), len(doc.Campaigns), params.MaxBytes)
	}
	// The hash takes as long as copying and checking.
	version := make(chan string, 1)
	go func() { version <- p.Version() }()
	data := p.Bytes()
	// Envoy reports no reason for an index that the filter refuses, so what the filter would say is found out here.
	r, err := adindex.Open(data)
	if err == nil {
		err = r.CheckBodies(adrequest.CheckAd)
	}
	hash := <-version // also after an error: no goroutine outlives Compile
	if err != nil {
		return nil, fmt.Errorf("open the compiled index: %w", err)
	}
	return &Result{
		Bytes: data, Version: hash,
		Ads: r.Ads(), Keys: r.Keys(), CanonicalKeys: r.Cursors(), SourceTime: params.SourceTime,
		Rejects: doc.Rejects, Rejected: doc.Rejected, Reasons: doc.Reasons,
	}, nil
}

// newBuilder returns a builder of the ads and the keys. The ads are written while the cycles are made.
func newBuilder(entries []entry, campaigns []campaign.Campaign) (*adindex.Builder, error) {
	rendered := make(chan []bodies, 1)
	go func() { rendered <- render(entries, campaigns) }()
	b := adindex.NewBuilder()
	b.ExpectAds(len(entries))
	keys, err := groups(entries, campaigns)
	adder := keyAdder{Builder: b, aliases: make(map[string][]string)}
	for i := range keys {
		if err == nil {
			err = adder.add(&keys[i])
		}
	}
	for _, batch := range <-rendered { // also after an error, as above
		_, addErr := b.AddAds(batch.text, batch.ends)
		err = cmp.Or(err, batch.err, addErr)
	}
	return b, err
}
