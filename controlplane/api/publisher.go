package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
)

// Loop is the part of *publish.Loop that a Publisher is made of.
type Loop interface {
	Status() publish.Status
	View() *publish.View
	PollNow()
	Confirm(ctx context.Context, version, who, comment string) error
	Refuse(ctx context.Context, version, who, comment string) error
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
}

// NewPublisher returns the Publisher of a loop that publishes what the operators of kept say.
func NewPublisher(loop Loop, kept Kept) Publisher {
	return &publisher{Loop: loop, kept: kept}
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
			Ads: report.Ads, Keys: report.Keys, Bytes: v.Bytes, Rejected: report.Rejected, RejectedByReason: report.Reasons,
			CutCycles: report.CutCycles, Cuts: showCuts(report.Cuts), TimeZones: report.TimeZones,
			Published: v.Hash == published, Pinned: v.Hash == pinned,
		})
	}
	return versions, nil
}

func showCuts(cuts []compile.Cut) []apiv1.Cut {
	var shown []apiv1.Cut
	for _, c := range cuts {
		shown = append(shown, apiv1.Cut(c))
	}
	return shown
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
	status := p.Status()
	if of := status.Pin; of != nil && of.Version == pin.Version {
		shown.Waiting, shown.Error = of.Waiting, cmp.Or(of.Error, refusal(status))
	}
	return &shown
}

// refusal is why a pinned version that was read is not what is published; empty: it is, or will be in a moment.
func refusal(s publish.Status) string {
	if s.Index != nil && s.Index.Version == s.Pin.Version {
		return ""
	}
	if s.QuarantinedVersion == s.Pin.Version {
		return cmp.Or(s.PublishError, "Envoys refuse this version.")
	}
	return s.PublishError
}

func showPin(p revision.Pin) apiv1.Pin {
	return apiv1.Pin{Version: p.Version, Who: p.Who, At: p.At.UTC(), Comment: p.Comment}
}

// Rollback implements Publisher.
func (p *publisher) Rollback(ctx context.Context, version, who, comment string) (apiv1.Pin, error) {
	pin, err := p.kept.SetPin(ctx, p.kept.State().Pin.Counter, version, who, comment)
	return showPin(pin), pinned(err)
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

// Confirm implements Publisher.
func (p *publisher) Confirm(ctx context.Context, version, who, comment string) error {
	return decided(p.Loop.Confirm(ctx, version, who, comment))
}

// Refuse implements Publisher.
func (p *publisher) Refuse(ctx context.Context, version, who, comment string) error {
	return decided(p.Loop.Refuse(ctx, version, who, comment))
}

// decided is the error of deciding on what is held.
func decided(err error) error {
	if errors.Is(err, revision.ErrConflict) {
		return errDecided
	}
	return err
}

var errDecided = newProblem(http.StatusConflict, "decision_changed", "Somebody else has just decided on it: look again.")
