package publish

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
	"adsidecar/filter/adindex"
)

// fetchTimeout bounds reading a version from the store.
const fetchTimeout = 2 * time.Minute

// release is an index with what is to be kept of it.
type release struct {
	index  *compile.Result
	readAt time.Time        // when its document was read; zero: not known
	meta   revision.Version // without operators: of no revision
	onDisk bool             // what keeps versions has written it there
	kept   bool             // the store has it

	newest  uint64    // the operators' newest revision of which anything was published
	decided *followed // the decision that was followed last; nil: none
	after   uint64    // see fleet.overtaken
}

// arrival is what came of reading a version.
type arrival struct {
	version string
	release *release
	err     error
}

// pinned returns the pinned version, or nil while its bytes are not here.
func (l *Loop) pinned() *release {
	version := l.said.Pin.Version
	if l.candidate != nil && l.candidate.Version == version {
		l.notePin("", nil)
		return &release{index: l.candidate, readAt: l.readAt, meta: l.meta}
	}
	if l.fetched == nil || l.fetched.index.Version != version {
		l.fetched = nil
		l.fetch(version)
		return nil
	}
	return l.fetched
}

// fetch has a version read from the store, unless it is being read, or could not be since the last poll.
func (l *Loop) fetch(version string) {
	if l.fetching != "" || l.unread == version {
		return
	}
	l.fetching = version
	l.toFetch <- version // there is room: one is fetched at a time
}

// takeFetched takes what was read from the store.
func (l *Loop) takeFetched() {
	l.mu.Lock()
	a := l.arrived
	l.arrived = nil
	l.mu.Unlock()
	if a == nil {
		return
	}
	l.fetching = ""
	if a.version != l.said.Pin.Version {
		return
	}
	l.fetched = a.release
	if a.err != nil {
		l.unread = a.version
	}
	l.notePin(a.version, a.err)
}

func (l *Loop) notePin(version string, err error) {
	l.pinError = err
	class := ""
	if err != nil {
		class = "pin " + version
	}
	l.pins.report(class, err, "pinned version cannot be read, what is published stays", "pinned version can be read")
}

// fetchVersions reads what it is asked for until ctx ends.
func (l *Loop) fetchVersions(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case version := <-l.toFetch:
			r, err := l.readVersion(ctx, version)
			if err != nil && ctx.Err() != nil {
				return
			}
			l.mu.Lock()
			l.arrived = &arrival{version, r, err}
			l.mu.Unlock()
			l.poke()
		case refused := <-l.toSeek:
			r, err := l.newestKept(ctx, refused)
			if err != nil && ctx.Err() != nil {
				return
			}
			l.mu.Lock()
			l.found = &arrival{release: r, err: err}
			l.mu.Unlock()
			l.poke()
		}
	}
}

// readVersion reads a version from the store, or from the disk if that has it.
func (l *Loop) readVersion(ctx context.Context, version string) (*release, error) {
	if r, err := l.indexOnDisk(); err == nil && r.index.Version == version {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var b bytes.Buffer
	meta, err := l.operators.ReadVersion(ctx, version, &b)
	if err != nil {
		return nil, fmt.Errorf("read version %s: %w", version, err)
	}
	meta.Hash = version
	return releaseOf(meta, b.Bytes())
}

// releaseOf checks that the bytes are an index of that version which this program's filter reads.
func releaseOf(meta revision.Version, index []byte) (*release, error) {
	if got := adindex.Version(index); got != meta.Hash {
		return nil, fmt.Errorf("version %s: its bytes are those of %s", meta.Hash, got)
	}
	if _, err := adindex.Open(index); err != nil {
		return nil, fmt.Errorf("version %s: %w", meta.Hash, err)
	}
	report, err := ReportOf(meta)
	if err != nil {
		return nil, err
	}
	return &release{meta: meta, index: &compile.Result{
		Bytes: index, Version: meta.Hash, Ads: report.Ads, Keys: report.Keys, SourceTime: report.SourceTime,
		Rejected: report.Rejected, Reasons: report.Reasons,
		CutCycles: report.CutCycles, Cuts: report.Cuts, TimeZones: report.TimeZones,
	}}, nil
}
