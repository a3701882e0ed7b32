// Package api answers the control plane's HTTP API, /api/v1, whose bodies package apiv1 has and openapi.json describes.
//
// It reads requests strictly, asks the operators' history, the publisher and the fleet behind it, and puts what they answer, errors above
// all, into the API's words. Who may ask is decided in front of it, by package access; who asked is recorded with each change.
//
// What is in force is the source's last usable document with the operators' campaigns over it, as CAMPAIGNS.md has it. It is put together
// here at each change, so that a reader sees what was just written, and may be ahead of what is published: Version.Revision says of what an
// index was made. No change is made after which the whole could not be compiled: each is tried before, on the very rows that it changes.
//
// All is bounded: a body by 64 KiB, an import by 128 MiB and 200,000 campaigns of 64 KiB each, a page by 1,000 items, streams of events by
// their number, of all and of each person. A body that is encoded, as by gzip, is refused.
// Changes are compiled one at a time, in the order in which they are written; beside them one import and one diff of versions.
package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/xds"
)

// Errors of a Publisher.
var (
	// ErrNoVersion is returned for a version that is not kept.
	ErrNoVersion = revision.ErrNoVersion
	// ErrNotPinned is returned by Resume where nothing is pinned.
	ErrNotPinned = errors.New("no version is pinned")
	// ErrNotHeld is returned by Confirm and Refuse for a version that is not the one that is held.
	ErrNotHeld = publish.ErrNotHeld
)

// History is what operators changed: *revision.Service, whose errors it has.
type History interface {
	State() revision.State
	Follow(ctx context.Context) error
	Apply(ctx context.Context, c revision.ChangeSet) (revision.Revision, error)
	Revert(ctx context.Context, number uint64, who, comment string, check revision.Check) (revision.Revision, error)
	Revision(ctx context.Context, number uint64) (revision.Revision, error)
	Revisions(ctx context.Context, before uint64, limit int) ([]revision.Revision, error)
	Changes(ctx context.Context, number uint64, from, limit int) ([]revision.Change, error)
	Between(ctx context.Context, from, to uint64) ([]revision.Change, error)
	Actions(ctx context.Context, before uint64, limit int) (page []revision.Action, total uint64, err error)
}

// Publisher is what is published and what decides about it: see [NewPublisher]. Its methods are safe for concurrent use.
type Publisher interface {
	Status() publish.Status
	// View is the candidate: what was compiled last, of the source's last usable document. nil before there is one.
	View() *publish.View
	PollNow()

	// Versions are those that are kept, newest first.
	Versions(ctx context.Context) ([]apiv1.Version, error)
	// ReadVersion writes the index of a version to w, or returns ErrNoVersion.
	ReadVersion(ctx context.Context, version string, w io.Writer) error

	// Pin is what is pinned; nil: nothing.
	Pin() *apiv1.Pin
	// Rollback publishes a version and pins it, or returns ErrNoVersion.
	Rollback(ctx context.Context, version, who, comment string) (apiv1.Pin, error)
	// Resume takes the pin off, or returns ErrNotPinned.
	Resume(ctx context.Context, who, comment string) error

	// Held is what a guard holds; nil: nothing.
	Held() *apiv1.Held
	// Confirm publishes the version that is held, and Refuse does not; another one is ErrNotHeld.
	Confirm(ctx context.Context, version, who, comment string) error
	Refuse(ctx context.Context, version, who, comment string) error
}

// Fleet is the Envoys as the xDS server sees them: *xds.Server.
type Fleet interface {
	Status() xds.Status
}

// Counters are the requests that Envoys answered, as they report: *counters.Service.
type Counters interface {
	Status() counters.Status
}

// Config is what the API needs.
type Config struct {
	History   History
	Publisher Publisher
	Fleet     Fleet
	Counters  Counters // nil: no rates are shown

	// MaxIndexBytes bounds the index that an import may make. 0: compile.DefaultMaxBytes.
	MaxIndexBytes int
	// MaxStreams bounds the streams of events at a time, of which one person has 16 at most. 0: 64.
	MaxStreams int
	// Done is closed when the program is about to end: streams of events end then. nil: never.
	Done <-chan struct{}
	// Timeout is how long a request may take, but for imports, exports and events. 0: 20 s.
	Timeout time.Duration
	// Now is the clock. nil: time.Now.
	Now    func() time.Time
	Logger *zap.Logger // nil: none
	// Audit takes each change that is made. nil: Logger.
	Audit *zap.Logger
}

// server has the API's state: the caches.
type server struct {
	Config

	views    views
	covers   covers
	opened   opened
	summary  summaries
	streams  *streams
	uploads  slots // of documents to import
	imports  slots // of documents that have arrived
	diffs    slots // of versions
	patterns []pattern
}

// Handler answers /api/v1 but for /session and /status; its paths are whole ones. It needs the identity that access.Guard gives a request.
func Handler(c Config) (http.Handler, error) {
	if c.History == nil || c.Publisher == nil || c.Fleet == nil {
		return nil, errors.New("history, publisher and fleet: all are needed")
	}
	c.MaxIndexBytes = cmp.Or(c.MaxIndexBytes, compile.DefaultMaxBytes)
	c.Timeout = cmp.Or(c.Timeout, 20*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Audit == nil {
		c.Audit = c.Logger
	}
	s := &server{
		covers: covers{one: make(slots, 1)},
		Config: c, streams: newStreams(cmp.Or(c.MaxStreams, 64)), uploads: make(slots, maxUploads), imports: make(slots, 1), diffs: make(slots, 1),
	}
	s.patterns = s.routes()
	return s, nil
}
