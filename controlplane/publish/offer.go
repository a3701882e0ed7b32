package publish

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/compile"
)

// wanted returns what proxies shall be given; nil while that is not known or has to wait.
func (l *Loop) wanted() *release {
	switch {
	case l.operators != nil && l.said.Pin.Version != "":
		l.unhold() // it waits for the pin; the guard looks at it afterwards
		l.guard.passed = ""
		return l.pinned()
	case l.candidate == nil:
		return nil
	}
	l.fetched = nil
	l.notePin("", nil)
	if l.seeks() || l.guarded() {
		return nil
	}
	return &release{index: l.candidate, readAt: l.readAt, meta: l.meta}
}

// offer hands what is wanted to the sink unless it is what proxies are given. A sink that holds it back is asked again each time: the
// quarantine may have ended.
func (l *Loop) offer() {
	r := l.wanted()
	if r == nil {
		l.hold("", nil) // whatever was offered before, it is not what waits now
		l.publishLast()
		return
	}
	index := r.index
	if index.Version == l.sink.Published() {
		l.reach(index)
		l.hold("", nil)
		return
	}

	err := l.give(index, r.readAt)
	switch {
	case err == nil:
		l.reach(index)
		restored := index.Version == l.fleet.restored
		if !restored || l.said.Published.Counter == 0 {
			l.inform(index.Version)
		}
		l.accepted(*r)
		l.hold("", nil)
		if restored {
			l.fromDisk()
		}
		l.log.Info("index published", zap.String("version", index.Version), zap.Int("bytes", len(index.Bytes)),
			zap.Int("ads", index.Ads), zap.Int("keys", index.Keys), zap.Int("rejected", index.Rejected),
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

// give hands an index to the sink. Status describes it from the moment on at which proxies may have it.
func (l *Loop) give(index *compile.Result, readAt time.Time) error {
	given := l.statusOf(index, readAt)
	l.mu.Lock()
	l.giving = &given
	l.mu.Unlock()
	return l.sink.Publish(index)
}

// reach notes of which revision the candidate is, if that is what is published: a pin may be of an older one.
func (l *Loop) reach(index *compile.Result) {
	if index == l.candidate {
		l.guard.newest = max(l.guard.newest, l.meta.Revision)
	}
}

// accepted notes what the sink has taken.
func (l *Loop) accepted(r release) {
	l.published = r.index
	l.fleet.given, l.fleet.restored, l.fleet.base = r.index.Version, "", nil
	if r.index.Version != l.fleet.taken {
		l.fleet.taken = ""
	}
	l.remember(r.index)
	l.metrics.publishes.Inc()
	l.describeIndex(r.index, r.readAt)
	r.newest, r.after = l.guard.newest, l.fleet.overtaken
	if spent := l.guard.spent; spent.Counter > 0 {
		r.decided = &spent
	}
	l.keepVersion(r)
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

// confirm notes that the source gave a usable document: what is published is no longer the word of the disk alone, also where a pin, a
// guard or proxies keep that document back, which is told elsewhere.
func (l *Loop) confirm() {
	if l.candidate == nil {
		return // it waits for the operators' rows
	}
	l.confirmed = true
	l.metrics.fromDisk.Set(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Source.ServedFromDisk = false
}

// fromDisk notes that what is published is the word of the disk, if the source has not given any since the start.
func (l *Loop) fromDisk() {
	if l.confirmed {
		return
	}
	l.metrics.fromDisk.Set(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Source.ServedFromDisk = true
}
