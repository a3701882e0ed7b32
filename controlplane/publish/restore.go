package publish

import (
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
)

// restore publishes the last good document of an earlier process, if there is one that can be used.
func (l *Loop) restore() {
	if l.store == nil {
		return
	}
	l.recall()
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
	m, err := l.decode(snapshot, g.ReadAt)
	if err != nil {
		l.ignore(err.Error())
		return
	}
	l.restored = m
	if l.loaded() {
		l.restored = nil
		if !l.publishRestored(m) {
			return // the source judges anew: nothing is resumed
		}
	}
	l.verdict, l.judged = verdict{outcome: outcomeOK}, m
	if l.resumer != nil {
		l.resumer.Resume(snapshot, g.Position)
	}
	l.log.Info("last good document restored", zap.String("path", l.store.path), zap.Time("read_at", g.ReadAt))
	l.metrics.lastSuccess.Set(seconds(g.ReadAt))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Source.LastSuccess = g.ReadAt
	l.status.State.SavedAt = g.ReadAt
}

// publishRestored compiles and publishes the document on disk, unless a guard holds it: operators may have said more since. Where the last
// index is not known it is what later ones are compared with.
func (l *Loop) publishRestored(m *material) bool {
	if found := l.try(m, time.Now()); found.err != nil {
		if l.judged == m {
			l.verdict = found
		}
		l.ignore(found.err.Error()) // limits or rules have changed
		return false
	}
	l.stored, l.proven = l.candidate.Version, l.store.marked()
	if l.guard.recalled == "" {
		l.guard.recalled = l.candidate.Version
		l.remember(l.candidate)
	}
	l.fleet.restored = l.candidate.Version
	l.offer()
	l.show()
	return true
}

// ignore notes why the document on disk is not used.
func (l *Loop) ignore(why string) {
	l.log.Error("last good document ignored", zap.String("path", l.store.path), zap.String("why", why))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.State.Ignored = why
}
