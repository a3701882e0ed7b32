package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/revision"
)

// seekTimeout bounds reading what the other replicas publish, before the first candidate is published: proxies wait for that.
const seekTimeout = 30 * time.Second

// fleet is what Run knows of the other replicas, which share the operators' store.
type fleet struct {
	// overtaken is how far the others had told what they publish when this one published last.
	overtaken uint64
	given     string // what proxies were given when that was looked at last
	restored  string // version of the document on disk, till anything is published: that is nothing new to the others

	// What a replica that publishes nothing takes over from the others.
	base     *release // till anything is published
	taken    string   // its version
	refused  []string // those that proxies refused
	seeking  bool
	answered bool
}

// elsewhere tells whether another replica has published the candidate since this one published last: then it passed a guard there. A store
// that lost revisions tells of the past.
func (l *Loop) elsewhere() bool {
	p := l.said.Published
	return p.Version == l.candidate.Version && p.Counter > l.fleet.overtaken && !l.lostAt(l.meta.Revision)
}

// spentElsewhere tells whether a decision counts no more, by what other replicas did. While what they publish is the version of which it
// speaks, it counts here too.
func (l *Loop) spentElsewhere(d revision.Decision) bool {
	p := l.said.Published
	return l.operators != nil && d.Counter > 0 && p.Spent == d.Counter && (p.Version != d.Version || !d.Publish)
}

// inform tells the other replicas that a version is published, and which decision is spent by that. It is not waited for.
func (l *Loop) inform(version string) {
	if l.operators == nil || !l.said.Loaded {
		return
	}
	state, _ := l.operators.Watch()
	p := revision.Published{Counter: state.Published.Counter, Version: version, Spent: state.Published.Spent}
	if l.guard.spent.is(followedBy(state.Decision)) {
		p.Spent = state.Decision.Counter
	}
	l.fleet.overtaken = p.Counter
	select {
	case <-l.toTell:
	default:
	}
	l.toTell <- p // there is room: nobody else sends
}

// compare informs the other replicas of what happened without a candidate: proxies refused a version, and are given another; or a version that
// was confirmed was not told, because another replica told something else at that moment.
func (l *Loop) compare() {
	now, d, p := l.sink.Published(), l.said.Decision, l.said.Published
	switch {
	case now == "":
	case now != l.fleet.given:
		l.inform(now)
	case d.Publish && followedBy(d).is(l.guard.spent) && now == d.Version && l.said.Pin.Version == "" && l.candidate != nil &&
		l.candidate.Version == now && p.Version != now && p.Counter > l.fleet.overtaken:
		l.inform(now)
	}
	l.fleet.given = now
}

// informOthers tells them what it is given until ctx ends: the newest of what could not be told. What another replica has told meanwhile
// is newer.
func (l *Loop) informOthers(ctx context.Context) {
	reports := reporter{log: l.log, now: l.now}
	var t teller
	for {
		var p revision.Published
		select {
		case <-ctx.Done():
			return
		case p = <-l.toTell:
		}
		if !persist(ctx, p, l.toTell, func(p revision.Published) error {
			err := t.tell(ctx, l.operators, p)
			if ctx.Err() == nil {
				class := ""
				if err != nil {
					class = "error"
				}
				reports.report(class, err, "other control planes cannot be told what is published", "other control planes are told again")
			}
			return err
		}) {
			return
		}
	}
}

// teller tells what one replica publishes.
type teller struct {
	told    uint64             // counter of what it told last
	unknown revision.Published // it may have been told
}

func (t *teller) tell(ctx context.Context, o Operators, p revision.Published) error {
	for {
		p.Counter = max(p.Counter, t.told)
		now, _ := o.Watch()
		if now.Published == p {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, seekTimeout)
		told, err := o.SetPublished(ctx, p)
		cancel()
		if err == nil {
			t.told, t.unknown = told.Counter, revision.Published{}
			return nil
		}
		if !errors.Is(err, revision.ErrConflict) {
			t.unknown = p
			t.unknown.Counter++
			return err
		}
		if now, _ = o.Watch(); t.unknown.Counter == 0 || now.Published != t.unknown {
			*t = teller{}
			return nil // another replica was faster
		}
		t.told, t.unknown = now.Published.Counter, revision.Published{}
	}
}

// seeks tells whether it has to be waited for what the others publish, which is what the candidate would replace: nothing is published
// here, and what is on disk, if anything, is older.
func (l *Loop) seeks() bool {
	f, p := &l.fleet, l.said.Published
	switch {
	case l.operators == nil || l.guard.limit >= 1 || f.answered || l.sink.Published() != "":
		return false
	case p.Counter == 0 || l.elsewhere():
		return false // nobody has published anything, or it is what they publish
	case len(f.refused) == 0 && l.guard.recalled != "" && (p.Counter <= f.overtaken || p.Version == l.guard.recalled):
		return false // what is on disk is as new
	}
	if !f.seeking {
		f.seeking = true
		l.toSeek <- slices.Clone(f.refused) // there is room: it is sought once at a time
	}
	return true
}

// newestKept reads what the others publish, or if that is not kept or refused the newest version that is; nil: there is none.
func (l *Loop) newestKept(ctx context.Context, refused []string) (*release, error) {
	ctx, cancel := context.WithTimeout(ctx, seekTimeout)
	defer cancel()
	kept, err := l.operators.Versions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what other control planes publish: %w", err)
	}
	kept = slices.DeleteFunc(kept, func(v revision.Version) bool { return slices.Contains(refused, v.Hash) })
	if len(kept) == 0 {
		return nil, nil
	}
	state, _ := l.operators.Watch()
	i := slices.IndexFunc(kept, func(v revision.Version) bool { return v.Hash == state.Published.Version })
	r, err := l.readVersion(ctx, kept[max(i, 0)].Hash)
	if err != nil {
		return nil, err
	}
	r.kept = true
	return r, nil
}

// takeBase takes what was found. Without it the candidate is compared with what is on disk, if anything.
func (l *Loop) takeBase() {
	l.mu.Lock()
	a := l.found
	l.found = nil
	l.mu.Unlock()
	if a == nil {
		return
	}
	l.fleet.seeking, l.fleet.answered = false, true
	switch {
	case a.err != nil:
		l.log.Error("it is not known what other control planes publish", zap.String("why", text(a.err)))
	case a.release != nil && l.sink.Published() == "":
		l.fleet.base, l.fleet.taken = a.release, a.release.index.Version
		l.guard.recalled = l.fleet.taken
		l.remember(a.release.index)
	}
}

// passOver looks for an older version than one that proxies refused, if that was taken over from the other replicas. It returns false if not.
func (l *Loop) passOver(version string) bool {
	f := &l.fleet
	if version == "" || version != f.taken {
		return false
	}
	f.refused = append(f.refused, version)
	f.base, f.taken, f.answered = nil, "", false
	l.poke()
	return true
}
