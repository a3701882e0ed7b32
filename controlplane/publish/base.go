package publish

import (
	"errors"
	"io/fs"
	"slices"

	"go.uber.org/zap"

	"adsidecar/controlplane/compile"
)

// maxBases bounds what is kept of versions that no proxy has loaded yet: more may be published while none is connected.
const maxBases = 8

// base is what a version serves.
type base struct {
	version string
	served  *compile.Served
	// again: proxies had loaded it before it was published last. Whether they have since is not known, and the sink goes back to what they
	// loaded of the latest.
	again bool
}

// base returns the version that a candidate would replace, "" for none, and what that serves, nil where no guard needs it. It is what
// proxies are given, also where that was taken back or pinned.
func (l *Loop) base() (string, *compile.Served) {
	g := &l.guard
	version := l.sink.Published()
	if version == "" {
		version = g.recalled
	}
	if version == "" || len(g.bases) == 0 {
		return version, nil
	}
	for _, b := range g.bases {
		if b.version == version {
			return version, b.served
		}
	}
	return version, g.bases[len(g.bases)-1].served // the sink goes back further than is remembered: better than no guard
}

// servedBy reads what an index serves, once for a candidate that waits.
func (l *Loop) servedBy(index *compile.Result) (*compile.Served, error) {
	g := &l.guard
	if g.tried.version == index.Version {
		return g.tried.served, nil
	}
	for _, b := range g.bases {
		if b.version == index.Version {
			return b.served, nil
		}
	}
	served, err := compile.ServedBy(index.Bytes)
	if err == nil {
		g.tried = base{version: index.Version, served: served}
	}
	return served, err
}

// remember notes what a published version serves, and forgets those that the sink does not go back to: it goes back to the last one that
// a proxy has loaded, or where there is none to one before.
func (l *Loop) remember(index *compile.Result) {
	g := &l.guard
	if g.limit >= 1 {
		return
	}
	served, err := l.servedBy(index)
	if err != nil {
		l.log.Error("published index cannot be compared with later ones", zap.String("version", index.Version), zap.Error(err))
		return
	}
	g.bases = slices.DeleteFunc(g.bases, func(b base) bool { return b.version == index.Version })
	for i, b := range slices.Backward(g.bases) {
		if !b.again && l.sink.Acknowledged(b.version) {
			g.bases = slices.Delete(g.bases, 0, i)
			break
		}
	}
	g.bases = append(g.bases, base{index.Version, served, l.sink.Acknowledged(index.Version)})
	g.bases = slices.Delete(g.bases, 0, max(0, len(g.bases)-maxBases))
}

// recall reads what an earlier process published last, which is what a guard compares the first candidate with.
func (l *Loop) recall() {
	i, err := l.store.recallIndex()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var r *release
	if err == nil {
		if i.Source != identify(l.source) {
			l.log.Warn("last published index ignored: it is of another source", zap.String("path", l.store.indexPath()))
			return
		}
		r, err = i.release(l.source)
	}
	if err != nil {
		l.metrics.stateErrors.Inc()
		l.log.Error("last published index ignored", zap.String("path", l.store.indexPath()), zap.String("why", text(err)))
		return
	}
	g := &l.guard
	g.recalled, g.newest = r.index.Version, max(i.Newest, i.Version.Revision)
	l.fleet.overtaken = i.After
	if i.Decided != nil {
		g.spent = *i.Decided
	}
	l.remember(r.index)
	l.recallStore()
}

// dropLast takes a version that proxies refused off the disk. If it is the one that an earlier process published last, the one before it
// is now what a candidate would replace.
func (l *Loop) dropLast(version string) error {
	if err := l.store.dropIndex(version); err != nil || l.guard.recalled != version {
		return err
	}
	// Without one before, a guard still compares with the refused one.
	if r, err := l.indexOnDisk(); err == nil {
		l.guard.recalled = r.index.Version
		l.remember(r.index)
	}
	return nil
}

// publishLast publishes the index on disk to proxies that are given nothing, while what is new has to wait: it is not known what operators
// say, what they pinned is not to be had, a guard holds it, or there is no document, neither on disk nor from the source. The index has what
// operators had said when it was published. Only a proxy without any index is better off with it, so it never replaces one. Nor is it
// published if it removes too much of what a candidate is compared with: then it was confirmed once, in the place of another one, and
// proxies have refused what came after it.
func (l *Loop) publishLast() {
	l.mu.Lock()
	overdue, held := l.overdue, l.status.Held != nil
	l.mu.Unlock()
	unknown := !l.loaded() && overdue
	unread := l.said.Pin.Version != "" && l.unread == l.said.Pin.Version
	sourceless := l.loaded() && l.candidate == nil && (l.failures > 0 || l.verdict.err != nil)
	if !unknown && !unread && !held && !sourceless || l.sink.Published() != "" {
		return
	}
	if l.fleet.base == nil && l.passOver(l.fleet.taken) {
		return // proxies refused it
	}
	r, err := l.offerLast()
	if errors.Is(err, ErrQuarantined) && l.store.hasBefore(l.store.indexPath()) {
		if err = l.dropLast(r.index.Version); err == nil {
			r, err = l.offerLast()
		}
	}
	if errors.Is(err, ErrQuarantined) && l.passOver(r.index.Version) {
		return
	}
	class := ""
	if err != nil {
		class = "error"
	}
	l.lasts.report(class, err, "what is new has to wait, and there is no index on disk for it: nothing is published", "there is an index on disk again")
	if err != nil {
		return
	}
	l.accepted(*r)
	l.fromDisk()
	if l.candidate != nil && l.candidate.Version == r.index.Version {
		l.unhold() // it was held against one that proxies have refused
	}
	l.log.Warn("last published index taken from disk, because what is new has to wait", zap.String("version", r.index.Version),
		zap.Bool("operators_unknown", unknown), zap.Bool("pin_unreadable", unread), zap.Bool("held", held), zap.Bool("no_document", sourceless))
}

// offerLast hands what the other replicas publish, where that was sought, or the index on disk to the sink.
func (l *Loop) offerLast() (*release, error) {
	r := l.fleet.base
	if r == nil {
		var err error
		if r, err = l.indexOnDisk(); err != nil {
			return nil, err
		}
	}
	if l.removesTooMuch(r.index) {
		return nil, errors.New("the one on disk removes too many ads")
	}
	return r, l.give(r.index, r.readAt)
}

// removesTooMuch tells whether a guard would hold an index for the ads that it removes.
func (l *Loop) removesTooMuch(index *compile.Result) bool {
	base, served := l.base()
	if base == index.Version || served == nil {
		return false
	}
	after, err := l.servedBy(index)
	if err != nil {
		return false // as with a candidate
	}
	removed, of := served.Removed(after, l.now())
	return float64(removed) > l.guard.limit*float64(of)
}
