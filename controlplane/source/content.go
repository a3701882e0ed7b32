package source

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"adsidecar/controlplane/campaign"
)

// DefaultMaxBytes is the largest document that a source reads unless it is configured otherwise.
const DefaultMaxBytes = 64 << 20

// content remembers which document was handed out last, by its hash.
type content struct {
	hash  [sha256.Size]byte
	known bool
}

func (c *content) set(data []byte) {
	c.hash, c.known = sha256.Sum256(data), true
}

// handOut returns data as a snapshot, or campaign.ErrNotModified if it is the document handed out last. A time that
// the source does not give, or that lies in the future, becomes now: an age is never negative.
func (c *content) handOut(data []byte, sourceTime, now time.Time) (campaign.Snapshot, error) {
	before := *c
	if c.set(data); *c == before {
		return campaign.Snapshot{}, campaign.ErrNotModified
	}
	if sourceTime.IsZero() || sourceTime.After(now) {
		sourceTime = now
	}
	return campaign.Snapshot{Data: data, SourceTime: sourceTime.UTC(), SHA256: hex.EncodeToString(c.hash[:])}, nil
}
