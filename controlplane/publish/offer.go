package publish

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/compile"
)

// offer hands the candidate to the sink unless it is what proxies are given. A sink that holds it back is asked again each time: the
// quarantine may have ended.
func (l *Loop) offer() {
	index := l.candidate
	if index == nil {
		return
	}
	if index.Version == l.sink.Published() {
		l.hold("", nil)
		return
	}

	err := l.sink.Publish(index)
	switch {
	case err == nil:
		l.accepted(index, l.readAt)
		l.hold("", nil)
		l.log.Info("index published", zap.String("version", index.Version), zap.Int("bytes", len(index.Bytes)),
			zap.Int("ads", index.Ads), zap.Int("keys", index.Keys), zap.Int("rejected", len(index.Rejects)),
			zap.Time("source_time", index.SourceTime))
	case errors.Is(err, ErrQuarantined):
		if l.refused != index.Version {
			l.metrics.publishErrors.WithLabelValues("quarantined").Inc()
		}
		l.hold(index.Version, err)
	default:
		l.metrics.publishErrors.WithLabelValues("error").Inc()
		l.hold("", err)
	}
}

// accepted notes what the sink has taken, and when its document was read.
func (l *Loop) accepted(index *compile.Result, readAt time.Time) {
	l.published = index
	l.metrics.publishes.Inc()
	l.describeIndex(index, readAt)
}

// hold notes whether the candidate is held back: as a quarantined version, or by an error that may pass.
func (l *Loop) hold(version string, err error) {
	l.refused = version
	l.metrics.quarantined.Set(boolFloat(version != ""))
	class := ""
	switch {
	case version != "":
		class = "quarantined " + version
	case err != nil:
		class = "error"
	}
	l.offers.report(class, err, "index not published, the last good one stays", "index published again")

	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.QuarantinedVersion = version
	l.status.PublishError = text(err)
}

// confirm notes that what is published is what the source says, and no longer the word of the disk alone.
func (l *Loop) confirm() {
	if l.published == nil || l.candidate.Version != l.published.Version {
		return
	}
	l.metrics.fromDisk.Set(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Source.ServedFromDisk = false
}
