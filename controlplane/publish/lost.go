package publish

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// storeFile has how far the operators' store was known. It is written as that of the last good document is, without content.
const storeFile = "last-store"

// known is how far the operators' store was when it was looked at last: one that is another one, or not as far any more, has lost what they
// said.
type known struct {
	// Store is the store's identity; "": it had none.
	Store string `json:"store,omitempty"`
	// These are the counters of what is said there besides revisions.
	Pin       uint64 `json:"pin,omitempty"`
	Decision  uint64 `json:"decision,omitempty"`
	Published uint64 `json:"published,omitempty"`
	// Lost is true from when it was found at less, though it may count on: till what it lost is back, or a version is confirmed.
	Lost bool `json:"lost,omitempty"`
}

func (l *Loop) knownNow() known {
	s := l.said
	return known{Store: s.Store, Pin: s.Pin.Counter, Decision: s.Decision.Counter, Published: s.Published.Counter}
}

// behind tells whether the store that was known knows less now, or is another one.
func (l *Loop) behind() bool {
	k, s := l.guard.known, l.said
	return l.otherStore() || s.Pin.Counter < k.Pin || s.Decision.Counter < k.Decision || s.Published.Counter < k.Published
}

// otherStore tells whether this is not the store that was known. That is back as soon as it is the one again.
func (l *Loop) otherStore() bool {
	k := l.guard.known
	return k.Store != "" && k.Store != l.said.Store
}

// lostAt tells whether the operators' store has lost what they said, where it is at that number of their revisions now.
func (l *Loop) lostAt(number uint64) bool {
	return l.operators != nil && (l.guard.known.Lost || l.otherStore() || number < l.guard.newest)
}

// watchStore notes how far the store is, unless it has lost anything.
func (l *Loop) watchStore() {
	k := &l.guard.known
	if l.operators == nil || !l.said.Loaded || l.otherStore() {
		return
	}
	if !k.Lost && (l.behind() || l.said.Rows.Revision() < l.guard.newest) {
		k.Lost = true
	}
	if !k.Lost {
		*k = l.knownNow()
	}
}

// recallStore reads how far an earlier process knew the store.
func (l *Loop) recallStore() {
	k, err := l.store.loadKnown()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		l.metrics.stateErrors.Inc()
		l.log.Error("it is not known how far the operators' store was", zap.String("why", text(err)))
	default:
		l.guard.known, l.guard.recorded = k, k
	}
	l.watchStore()
}

// recordStore keeps on disk how far the store is known.
func (l *Loop) recordStore() error {
	g := &l.guard
	if g.known == g.recorded {
		return nil
	}
	if err := l.store.saveKnown(g.known); err != nil {
		return err
	}
	g.recorded = g.known
	return nil
}

// lossOf tells people what was lost.
func (l *Loop) lossOf(number uint64) string {
	what := "What is published was made with another store of the operators' changes, or with more than this one knows now"
	if newest := l.guard.newest; number < newest {
		what = fmt.Sprintf("What is published was made of revision %d of the operators' changes, which their store does not know", newest)
	}
	return fmt.Sprintf("%s: it was emptied, deleted, or put back to a backup, and is at revision %d now. "+
		"What it has lost, a pin too, does not count any more if this is published.", what, number)
}

func (s *store) knownPath() string { return filepath.Join(s.dir, storeFile) }

func (s *store) saveKnown(k known) error {
	name, err := s.write(func(w io.Writer) error { return writeChecked(w, storeKind, k, nil) })
	if err != nil {
		return err
	}
	if err := os.Rename(name, s.knownPath()); err != nil {
		_ = os.Remove(name) // openStore removes what stays
		return err          // names both
	}
	return syncDir(s.dir)
}

func (s *store) loadKnown() (k known, err error) {
	data, err := read(s.knownPath())
	if err != nil {
		return known{}, err
	}
	if _, err = parseChecked(data, storeKind, &k); err != nil {
		return known{}, fmt.Errorf("read %s: %w", s.knownPath(), err)
	}
	return k, nil
}
