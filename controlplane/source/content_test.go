package source

import (
	"context"

	"adsidecar/controlplane/campaign"
)

// poller is what the publishing loop asks of a source.
type poller interface {
	Poll(ctx context.Context) (campaign.Snapshot, error)
	Changed() <-chan struct{}
	Describe() (kind, location string)
	Identity() string
	Position() string
	Resume(last campaign.Snapshot, position string)
}

var (
	_ poller = (*HTTP)(nil)
	_ poller = (*File)(nil)
	_ poller = (*S3)(nil)
)
