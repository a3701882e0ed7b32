package publish

import (
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
)

// keep brings the state directory to what is known of the documents. What cannot be done is tried again after each poll.
func (l *Loop) keep() {
	if l.store == nil {
		return
	}
	err := errors.Join(l.unsave(l.refused), l.forgetIndex(), l.standIn(), l.mark(), l.save(), l.recordStore())
	class := ""
	if err != nil {
		class = "error"
		l.metrics.stateErrors.Inc()
	}
	l.saves.report(class, err, "last good document not kept on disk", "last good document kept on disk again")

	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.State.Error = text(err)
}

// unsave puts the document before back on disk if the one there is that of version: proxies refused its index after it was written, and
// a restart must not begin with it. With none before, a document that a proxy has loaded once stays: whoever refuses it now is more likely ill than it is.
func (l *Loop) unsave(version string) error {
	for version != "" && l.stored == version {
		if l.proven && !l.store.hasBefore(l.store.path) {
			return nil
		}
		if l.unsaved == nil && l.candidate != nil && version == l.candidate.Version {
			l.unsaved, _ = l.store.load() // to be saved again when its quarantine ends; what cannot be read is not
		}
		if err := l.store.revert(); err != nil {
			return err
		}
		l.stored, l.proven = "", false
		l.log.Info("document of the refused index taken off the disk", zap.String("version", version))
		r, err := l.onDisk()
		if err != nil {
			return err
		}
		if r != nil {
			l.stored, l.proven = r.index.Version, true
		}
	}
	return nil
}

// standIn publishes the document on disk while proxies are given nothing and the source's document is held back.
func (l *Loop) standIn() error {
	if l.sink.Published() != "" || l.stored == "" || l.stored == l.candidate.Version || l.said.Pin.Version != "" {
		return nil
	}
	r, err := l.onDisk()
	if r == nil {
		return err
	}
	index := r.index
	if base, served := l.base(); base != index.Version && l.examine(index, r.meta.Revision, base, served, l.said.Decision) != nil {
		return nil // a guard would hold it
	}
	switch err := l.give(index, r.readAt); {
	case errors.Is(err, ErrQuarantined):
		return l.unsave(index.Version)
	case err != nil:
		return err
	}
	l.accepted(*r)
	l.log.Warn("last good document published in place of the source's, which is held back",
		zap.String("version", index.Version), zap.Time("source_time", index.SourceTime))
	l.fromDisk()
	return nil
}

// onDisk compiles the document on disk; nil: there is none of this source.
func (l *Loop) onDisk() (*release, error) {
	g, err := l.store.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if g.Source != identify(l.source) {
		return nil, nil
	}
	started := time.Now()
	m, err := l.decode(campaign.Snapshot{Data: g.Data, SourceTime: g.SourceTime}, g.ReadAt)
	if err != nil {
		return nil, err
	}
	_, index, found := l.build(m, started)
	if found.err != nil {
		return nil, found.err
	}
	return &release{index: index, readAt: m.readAt, meta: l.metaOf(m, index)}, nil
}

// forgetIndex takes the last published index off the disk if proxies refused it.
func (l *Loop) forgetIndex() error {
	if !l.keepsVersions() || l.refused == "" {
		return nil
	}
	return l.dropLast(l.refused)
}

// mark notes on disk that a proxy has loaded the document there, also for a program that is started later.
func (l *Loop) mark() error {
	if l.stored == "" || l.proven || !l.sink.Acknowledged(l.stored) {
		return nil
	}
	if err := l.store.mark(); err != nil {
		return err
	}
	l.proven = true
	return nil
}

// save writes the last usable document to disk once its index is published. A document whose index the sink holds back is not a good
// one. The present document is kept as the one before if a proxy has loaded it and it is another index.
func (l *Loop) save() error {
	if l.unsaved == nil || l.candidate.Version != l.sink.Published() {
		return nil
	}
	before := l.stored != "" && l.stored != l.candidate.Version && (l.proven || l.sink.Acknowledged(l.stored))
	if err := l.store.save(l.unsaved, before); err != nil {
		return err
	}
	l.unsaved = nil
	l.stored, l.proven = l.candidate.Version, false

	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.State.SavedAt = l.now().UTC()
	return nil
}
