package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
)

// Loop is the part of *publish.Loop that a Publisher is made of.
type Loop interface {
	Status() publish.Status
	View() *publish.View
	PollNow()
	Confirm(version string) error
	Refuse(version string) error
}

// Kept is the part of *revision.Service that a Publisher is made of.
type Kept interface {
	State() revision.State
	Versions(ctx context.Context) ([]revision.Version, error)
	ReadVersion(ctx context.Context, hash string, w io.Writer) (revision.Version, error)
	SetPin(ctx context.Context, counter uint64, version, who, comment string) (revision.Pin, error)
}

// publisher is the loop, which publishes, and the history, which keeps versions and the pin.
type publisher struct {
	Loop

	kept Kept

	mu      sync.Mutex // guards what follows: the last index that was read from the history
	version string
	index   []byte
}

// NewPublisher returns the Publisher of a loop that publishes what the operators of kept say.
func NewPublisher(loop Loop, kept Kept) Publisher {
	return &publisher{Loop: loop, kept: kept}
}

// Document implements Publisher.
func (p *publisher) Document() *campaign.Document {
	v := p.View()
	if v == nil || v.Effective == nil {
		return nil
	}
	return v.Source
}

// Published implements Publisher. While a pin or a guard keeps the candidate back, the index is read from the history.
func (p *publisher) Published(ctx context.Context) (string, []byte, error) {
	status := p.Status()
	if status.Index == nil {
		return "", nil, ErrNothingPublished
	}
	version := status.Index.Version
	if v := p.View(); v != nil && v.Index != nil && v.Index.Version == version {
		return version, v.Index.Bytes, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version != version {
		var b bytes.Buffer
		if _, err := p.kept.ReadVersion(ctx, version, &b); err != nil {
			return "", nil, fmt.Errorf("read the published index: %w", err)
		}
		p.version, p.index = version, b.Bytes()
	}
	return version, p.index, nil
}

// Versions implements Publisher.
func (p *publisher) Versions(ctx context.Context) ([]apiv1.Version, error) {
	kept, err := p.kept.Versions(ctx)
	if err != nil {
		return nil, err
	}
	published, pinned := "", p.kept.State().Pin.Version
	if status := p.Status(); status.Index != nil {
		published = status.Index.Version
	}
	versions := make([]apiv1.Version, 0, len(kept))
	for _, v := range kept {
		report, err := publish.ReportOf(v)
		if err != nil {
			return nil, fmt.Errorf("report of version %s: %w", v.Hash, err)
		}
		versions = append(versions, apiv1.Version{
			Version: v.Hash, PublishedAt: v.At.UTC(), Document: v.Source, SourceTime: report.SourceTime, Revision: v.Revision,
			Ads: report.Ads, Keys: report.Keys, Bytes: v.Bytes, Rejected: report.Rejected,
			Published: v.Hash == published, Pinned: v.Hash == pinned, Kept: true,
		})
	}
	return versions, nil
}

// ReadVersion implements Publisher.
func (p *publisher) ReadVersion(ctx context.Context, version string, w io.Writer) error {
	_, err := p.kept.ReadVersion(ctx, version, w)
	return err
}

// Pin implements Publisher.
func (p *publisher) Pin() *apiv1.Pin {
	pin := p.kept.State().Pin
	if pin.Version == "" {
		return nil
	}
	shown := showPin(pin)
	if status := p.Status().Pin; status != nil && status.Version == pin.Version {
		shown.Waiting = status.Waiting
	}
	return &shown
}

func showPin(p revision.Pin) apiv1.Pin {
	return apiv1.Pin{Version: p.Version, Who: p.Who, At: p.At.UTC(), Comment: p.Comment}
}

// Rollback implements Publisher.
func (p *publisher) Rollback(ctx context.Context, version, who, comment string) (apiv1.Pin, error) {
	kept, err := p.kept.Versions(ctx)
	if err != nil {
		return apiv1.Pin{}, err
	}
	for _, v := range kept {
		if v.Hash == version {
			pin, err := p.kept.SetPin(ctx, p.kept.State().Pin.Counter, version, who, comment)
			return showPin(pin), pinned(err)
		}
	}
	return apiv1.Pin{}, ErrNoVersion
}

// Resume implements Publisher.
func (p *publisher) Resume(ctx context.Context, who, comment string) error {
	pin := p.kept.State().Pin
	if pin.Version == "" {
		return ErrNotPinned
	}
	_, err := p.kept.SetPin(ctx, pin.Counter, "", who, comment)
	return pinned(err)
}

// pinned is the error of setting the pin.
func pinned(err error) error {
	if errors.Is(err, revision.ErrConflict) {
		return errPinChanged
	}
	return err
}

// Held implements Publisher.
func (p *publisher) Held() *apiv1.Held {
	h := p.Status().Held
	if h == nil {
		return nil
	}
	held := apiv1.Held(*h)
	return &held
}

// Confirm implements Publisher. Who did is in the audit log.
func (p *publisher) Confirm(_ context.Context, version, _, _ string) error {
	return p.Loop.Confirm(version)
}

// Refuse implements Publisher, as Confirm does.
func (p *publisher) Refuse(_ context.Context, version, _, _ string) error {
	return p.Loop.Refuse(version)
}
