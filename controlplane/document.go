package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/source"
	"adsidecar/envoy/gateway"
)

// document is a campaign document as it was read, and where from.
type document struct {
	campaign.Snapshot
	origin origin
}

// origin says which document it is that a command speaks of, as there may be several: the source's may be one that is not published.
type origin struct {
	From       string    `json:"from"` // one of the constants below
	Location   string    `json:"location"`
	SourceTime time.Time `json:"source_time,omitzero"` // absent: unknown

	// Instead is why it is not the document that would have been used first.
	Instead string `json:"instead,omitempty"`

	// Operators tells of the operators' changes; empty: there are none, or they are not asked for.
	Operators string `json:"operators,omitempty"`
}

// The values of origin.From.
const (
	fromCampaigns = "campaigns" // --campaigns
	fromSource    = "source"
	fromLastGood  = "last_good" // the state directory
)

// text is "of 2026-12-24 23:59:59 UTC (5s old), from the source /campaigns.json".
func (o origin) text(now time.Time) string {
	from := "from " + o.Location
	switch o.From {
	case fromSource:
		from = "from the source " + o.Location
	case fromLastGood:
		from = "from the last good one in " + o.Location
	}
	if !o.SourceTime.IsZero() {
		age := max(now.Sub(o.SourceTime), 0).Truncate(time.Second)
		from = fmt.Sprintf("of %s (%s old), %s", o.SourceTime.UTC().Format("2006-01-02 15:04:05 UTC"), age, from)
	}
	if o.Instead != "" {
		from += ", because " + o.Instead
	}
	return from
}

// decode fails with the document's name for one that is unusable as a whole.
func (d document) decode() (*campaign.Document, error) {
	doc, err := campaign.Decode(d.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.origin.Location, err)
	}
	return doc, nil
}

// givenDocument reads a file; - is stdin.
func givenDocument(ctx context.Context, c *gateway.Campaigns, file string, stdin io.Reader) (document, error) {
	limit := int64(c.MaxDocumentMiB) << 20
	if file == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("larger than %d bytes", limit)
		}
		return newDocument(campaign.Snapshot{Data: data}, fromCampaigns, "stdin"), err
	}
	f, err := source.NewFile(source.FileConfig{Path: file, MaxBytes: limit})
	if err != nil {
		return document{}, err
	}
	snapshot, err := f.Poll(ctx)
	return newDocument(snapshot, fromCampaigns, file), err
}

// sourceDocument polls the configured source once.
func sourceDocument(ctx context.Context, c *gateway.Campaigns) (document, error) {
	src, _, err := openSource(c, zap.NewNop())
	if err != nil {
		return document{}, err
	}
	snapshot, err := src.Poll(ctx)
	_, location := src.Describe()
	return newDocument(snapshot, fromSource, location), err
}

// lastGoodDocument reads what the control plane published last and no Envoy refused.
func lastGoodDocument(c *gateway.Campaigns) (document, error) {
	src, _, err := openSource(c, zap.NewNop())
	if err != nil {
		return document{}, err
	}
	snapshot, err := publish.LastGood(c.StateDir, src)
	if err != nil {
		return document{}, fmt.Errorf("no last good document: %w", err)
	}
	return newDocument(snapshot, fromLastGood, c.StateDir), nil
}

func newDocument(s campaign.Snapshot, from, location string) document {
	return document{s, origin{From: from, Location: location, SourceTime: s.SourceTime.UTC()}}
}
