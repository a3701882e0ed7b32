package publish

import (
	"errors"
	"io/fs"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
)

// restore publishes the last good document of an earlier process, if there is one that can be used.
func (l *Loop) restore() {
	if l.store == nil {
		return
	}
	g, err := l.store.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		l.metrics.stateErrors.Inc()
		l.ignore(err.Error())
		return
	case g.Source != identify(l.source):
		l.ignore("it is of another source: " + g.Location)
		return
	}
	snapshot := campaign.Snapshot{Data: g.Data, SourceTime: g.SourceTime}
	if now := l.now(); g.ReadAt.After(now) {
		g.ReadAt = now // the clock was set back
	}
	found := l.judge(snapshot, g.ReadAt)
	if found.err != nil {
		// Limits or rules have changed. The source judges anew: nothing is resumed.
		l.ignore(found.err.Error())
		return
	}
	l.verdict, l.unsaved = found, nil
	l.stored, l.proven = l.candidate.Version, l.store.marked()
	if l.resumer != nil {
		l.resumer.Resume(snapshot, g.Position)
	}
	l.log.Info("last good document restored", zap.String("path", l.store.path), zap.Time("read_at", g.ReadAt))
	l.offer()
	l.show()
	l.metrics.lastSuccess.Set(seconds(g.ReadAt))
	l.metrics.fromDisk.Set(boolFloat(l.published != nil))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Source.LastSuccess = g.ReadAt
	l.status.Source.ServedFromDisk = l.published != nil
	l.status.State.SavedAt = g.ReadAt
}

// ignore notes why the document on disk is not used.
func (l *Loop) ignore(why string) {
	l.log.Error("last good document ignored", zap.String("path", l.store.path), zap.String("why", why))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.State.Ignored = why
}
