package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// Report is what a kept version tells of itself: the Report of a revision.Version, whose Source is the SHA-256 of the source's document in
// hex.
type Report struct {
	SourceTime time.Time `json:"source_time,omitzero"`
	Ads        int       `json:"ads"`
	// Keys counts pairs of country and language, language aliases counted each.
	Keys     int            `json:"keys"`
	Rejected int            `json:"rejected"`
	Reasons  map[string]int `json:"rejected_by_reason,omitempty"`
	// CutCycles counts cycles whose weights were made smaller; Cuts are of the first keys that have such, at most maxCuts.
	CutCycles int           `json:"cut_cycles,omitempty"`
	Cuts      []compile.Cut `json:"cuts,omitempty"`
	// TimeZones is the release of the tz database, where zones count.
	TimeZones string `json:"time_zones,omitempty"`
}

// maxCuts bounds the cuts of a report, for which there are revision.MaxReportBytes.
const maxCuts = 10

// ReportOf reads the report of a version that a Loop kept.
func ReportOf(v revision.Version) (Report, error) {
	var r Report
	if err := json.Unmarshal(v.Report, &r); err != nil {
		return Report{}, fmt.Errorf("report of version %s: %w", v.Hash, err)
	}
	return r, nil
}

func reportOf(index *compile.Result) []byte {
	// Strings, numbers and times within the range of JSON: nothing that could fail.
	report, _ := json.Marshal(Report{
		SourceTime: index.SourceTime.UTC(), Ads: index.Ads, Keys: index.Keys, Rejected: index.Rejected, Reasons: index.Reasons,
		CutCycles: index.CutCycles, Cuts: index.Cuts[:min(len(index.Cuts), maxCuts)], TimeZones: index.TimeZones,
	})
	return report
}

// The waits between tries to keep a version.
const (
	firstKeepRetry = time.Second
	lastKeepRetry  = time.Minute
)

// keepsVersions tells whether published versions are needed later: for operators, or for a guard after a restart.
func (l *Loop) keepsVersions() bool { return l.operators != nil || l.guard.limit < 1 && l.store != nil }

// keepVersion has a version kept that the sink has accepted, in place of one that still waits for that.
func (l *Loop) keepVersion(r release) {
	if !l.keepsVersions() {
		return
	}
	r.meta.At = l.now().UTC()
	select {
	case <-l.toKeep:
	default:
	}
	l.toKeep <- r // there is room: nobody else sends
}

// keepVersions keeps published versions until ctx ends, on disk and in the store. One that is not kept when the program dies is kept when
// it is published by the next one.
func (l *Loop) keepVersions(ctx context.Context) {
	reports := reporter{log: l.log, now: l.now}
	for {
		var r release
		var ok bool
		select {
		case <-ctx.Done():
			return
		case r = <-l.toKeep:
		}
		if r, ok = l.settled(ctx, r); !ok {
			return
		}
		if !persist(ctx, r, l.toKeep, func(r release) error {
			err := l.keepOne(ctx, r)
			if ctx.Err() == nil {
				l.noteKept(&reports, err)
			}
			return err
		}) {
			return
		}
	}
}

// persist does something with a value until that is done, ever more slowly: with a newer one as soon as there is one. It returns false if ctx
// ends first.
func persist[T any](ctx context.Context, value T, newer <-chan T, do func(T) error) bool {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for wait := firstKeepRetry; ; wait = min(2*wait, lastKeepRetry) {
		err := do(value)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			return true
		}
		retry.Reset(wait)
		select {
		case <-ctx.Done():
			return false
		case value = <-newer:
			wait = firstKeepRetry / 2
		case <-retry.C:
		}
	}
}

// settled returns what was published last once nothing newer was published for a moment: packing an index takes a processor for a while, which
// proxies need to load it. A version that is replaced within that moment is not kept. It gives up waiting after ten such moments, and
// returns false if ctx ends.
func (l *Loop) settled(ctx context.Context, r release) (release, bool) {
	latest := time.NewTimer(10 * l.keepAfter)
	defer latest.Stop()
	quiet := time.NewTimer(l.keepAfter)
	defer quiet.Stop()
	// The disk has it at once: that costs little, and whoever starts without the store needs it.
	r.onDisk = l.writeIndex(r) == nil
	for {
		select {
		case <-ctx.Done():
			return r, false
		case r = <-l.toKeep:
			r.onDisk = l.writeIndex(r) == nil
			quiet.Reset(l.keepAfter)
		case <-quiet.C:
			return r, true
		case <-latest.C:
			return r, true
		}
	}
}

func (l *Loop) writeIndex(r release) error {
	if l.store == nil {
		return nil
	}
	return l.store.saveIndex(&lastIndex{
		indexMetadata: indexMetadata{
			Source: identify(l.source), ReadAt: r.readAt, Version: r.meta, Newest: r.newest, Decided: r.decided, After: r.after,
		},
		Data: r.index.Bytes,
	}, l.sink.Acknowledged)
}

func (l *Loop) keepOne(ctx context.Context, r release) error {
	var onDisk error
	if !r.onDisk {
		onDisk = l.writeIndex(r)
	}
	if l.operators == nil || r.kept {
		return onDisk
	}
	return errors.Join(onDisk, l.operators.KeepVersion(ctx, r.meta, r.index.Bytes))
}

func (l *Loop) noteKept(reports *reporter, err error) {
	class := ""
	if err != nil {
		class = "error"
		l.metrics.keepErrors.Inc()
	}
	reports.report(class, err, "published version not kept", "published version kept again")
	if l.operators == nil {
		return
	}
	l.mu.Lock()
	l.status.Operators = l.status.Operators.with(func(s *OperatorsStatus) { s.KeepError = text(err) })
	l.mu.Unlock()
	l.announce()
}
