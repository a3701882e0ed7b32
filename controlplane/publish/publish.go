package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// DefaultInterval is the time between two polls unless Config says otherwise.
const DefaultInterval = 10 * time.Second

// ErrQuarantined is what a Sink's Publish wraps when it holds back that version of the index: proxies have refused it.
var ErrQuarantined = errors.New("index version is quarantined")

// Source gives the campaign document. Poll is called by one goroutine; the other methods by any.
type Source interface {
	// Poll returns the document as it is now, or campaign.ErrNotModified if it is the one that Poll returned last or
	// that Resume named. It must end when ctx is done, and by its own limit otherwise. An error that has a method
	// TooLarge() bool which returns true is counted as a document over its limit.
	Poll(ctx context.Context) (campaign.Snapshot, error)

	// Changed returns a channel that receives a value when the document may have changed, always the same one and
	// never closed. nil: the source cannot tell.
	Changed() <-chan struct{}

	// Describe returns a word for the kind of source and its location without secrets.
	Describe() (kind, location string)
}

// Resumer is a Source that can go on where an earlier process stopped. A source without it is identified by what
// Describe returns.
type Resumer interface {
	// Identity tells the source from others, in particular documents of the same source from those of others. It is
	// stored and must hold no secret.
	Identity() string

	// Position returns an opaque text that belongs to the document which Poll returned last.
	Position() string

	// Resume makes last, a document that Poll returned in an earlier process with this position, the one to which
	// campaign.ErrNotModified refers.
	Resume(last campaign.Snapshot, position string)
}

// Sink takes the compiled index.
type Sink interface {
	// Publish makes index the published one. An error that wraps ErrQuarantined says that proxies refused that
	// version. After any error it is called again after each poll, as long as the source has that document, so it
	// must be cheap for a version that is held back. Publish must not modify index and may keep it.
	Publish(index *compile.Result) error

	// Published returns the version that proxies are given now, "" for none. It differs from what Publish accepted
	// last when proxies refused that and it was taken back. Any goroutine calls it.
	Published() string

	// Acknowledged tells whether a proxy is known to have loaded that version, as far back as the sink remembers. Any goroutine calls it.
	Acknowledged(version string) bool
}

// Config configures a Loop.
type Config struct {
	Source Source
	Sink   Sink

	// Interval is the time between two polls. 0 means DefaultInterval.
	Interval time.Duration

	// MaxIndexBytes bounds the compiled index. 0 means compile.DefaultMaxBytes.
	MaxIndexBytes int

	// Operators are laid over each document. nil: documents are published as they are.
	Operators Operators

	// MaxRemovedShare, from 0 to 1, is the share of the served ads that a change or a poll may remove without being held: see Held.
	// nil: any.
	MaxRemovedShare *float64

	// StateDir is the directory of the last good document, made if it does not exist. Empty: no document is kept and
	// a restarted program publishes nothing until the source answers.
	StateDir string

	Logger     *zap.Logger           // nil: silence
	Now        func() time.Time      // nil: time.Now
	Registerer prometheus.Registerer // nil: metrics are not exported
}

// Loop publishes the index. New, then Run once; the other methods may be called by any goroutine at any time.
type Loop struct {
	source    Source
	resumer   Resumer // nil if the source is none
	sink      Sink
	interval  time.Duration
	maxBytes  int
	store     *store // nil without a StateDir
	log       *zap.Logger
	now       func() time.Time
	random    func() float64 // in [0, 1)
	keepAfter time.Duration  // how long a version has to be the last one before it is kept
	metrics   *metrics

	wake  chan struct{} // holds one value
	nudge chan struct{} // holds one value

	operators Operators               // nil without
	toKeep    chan release            // holds one value, the newest
	toFetch   chan string             // holds one value
	toTell    chan revision.Published // holds one value, the newest
	toSeek    chan []string           // holds one value: versions that are of no use

	// What follows belongs to Run.
	clock     <-chan time.Time // ticks when the wall clock is to be looked at
	verdict   verdict
	judged    *material        // the source's last document, if it could be decoded
	restored  *material        // the document on disk, till the operators' rows are loaded
	pending   *material        // the last document that could be decoded, while it cannot be compiled
	current   *material        // the candidate's document, if that may be compiled again
	candidate *compile.Result  // index of the last usable document
	meta      revision.Version // of the candidate; without operators: of no revision
	guard     guard
	fleet     fleet
	readAt    time.Time // when the candidate's document was read
	overlay   campaign.Overlay
	said      revision.State  // by the operators, as far as it is heeded
	fetched   *release        // the pinned version, if it was read from the store
	fetching  string          // version that is being read
	unread    string          // pinned version that could not be read since the last poll
	pinError  error           // why
	published *compile.Result // what the sink accepted last
	refused   string          // version of the candidate if the sink quarantined it
	shown     string          // version that the metrics tell of
	stored    string          // version of the document on disk; empty: none, or not known
	proven    bool            // it is known on disk that a proxy has loaded it
	unsaved   *lastGood       // last usable document while it is not on disk
	failures  int             // polls in a row that the source did not answer well
	answered  bool            // the source has answered since the start
	confirmed bool            // it has given or confirmed a document since then that could be used
	polls     reporter
	rows      reporter
	saves     reporter
	offers    reporter
	pins      reporter
	lasts     reporter

	mu      sync.Mutex // guards what follows
	changed chan struct{}
	view    *View
	decided revision.Decision // without operators: what was decided last
	arrived *arrival          // what was read from the store, till Run takes it
	found   *arrival          // what other replicas publish, till Run takes it
	heeded  revision.State    // what operators said, as far as Run has done what follows from it
	overdue bool              // the operators' rows have not been loaded in time
	status  Status
	history []IndexStatus // what the sink accepted, the latest last
	giving  *IndexStatus  // what the sink was given last: proxies may have it before it is in the history
}

// New returns a Loop for cfg. The error says that cfg is incomplete or that the state directory cannot be written.
func New(cfg Config) (*Loop, error) {
	if cfg.Source == nil || cfg.Sink == nil {
		return nil, errors.New("source and sink: both are needed")
	}
	if share := cfg.MaxRemovedShare; share != nil && !(*share >= 0 && *share <= 1) {
		return nil, errors.New("max removed share: not between 0 and 1")
	}
	if cfg.Interval < 0 || cfg.MaxIndexBytes < 0 {
		return nil, errors.New("interval and max index bytes: negative")
	}
	l := &Loop{
		source: cfg.Source, sink: cfg.Sink, interval: cfg.Interval, maxBytes: cfg.MaxIndexBytes,
		log: cfg.Logger, now: cfg.Now, random: rand.Float64, keepAfter: time.Second,
		wake: make(chan struct{}, 1), nudge: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	l.resumer, _ = cfg.Source.(Resumer)
	if l.interval == 0 {
		l.interval = DefaultInterval
	}
	if l.maxBytes == 0 {
		l.maxBytes = compile.DefaultMaxBytes
	}
	l.operators, l.guard.limit = cfg.Operators, 1
	if cfg.MaxRemovedShare != nil {
		l.guard.limit = *cfg.MaxRemovedShare
	}
	l.toKeep, l.toFetch = make(chan release, 1), make(chan string, 1)
	l.toTell, l.toSeek = make(chan revision.Published, 1), make(chan []string, 1)
	if l.log == nil {
		l.log = zap.NewNop()
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.polls = reporter{log: l.log, now: l.now}
	l.saves, l.offers, l.pins, l.lasts, l.rows = l.polls, l.polls, l.polls, l.polls, l.polls
	if l.operators != nil {
		l.status.Operators = &OperatorsStatus{}
	}
	l.status.Source.Kind, l.status.Source.Location = cfg.Source.Describe()
	if cfg.StateDir != "" {
		s, err := openStore(cfg.StateDir)
		if err != nil {
			return nil, fmt.Errorf("state directory: %w", err)
		}
		l.store = s
		l.status.State.Path = s.path
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	m.limit.Set(float64(l.maxBytes))
	l.metrics = m
	return l, nil
}

// PollNow makes the next poll due at once. Calls that come in a burst cause one poll.
func (l *Loop) PollNow() {
	select {
	case l.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// Ready reports whether an index is published.
func (l *Loop) Ready() bool { return l.sink.Published() != "" }
