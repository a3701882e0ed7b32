package publish

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// maxRejects bounds the rejected ads that Status lists; all are counted.
const maxRejects = 100

// Status is what a Loop tells of itself. Times are UTC and absent while there is none.
type Status struct {
	Source   SourceStatus   `json:"source"`
	Index    *IndexStatus   `json:"index"` // null: nothing is published
	Rejected RejectedStatus `json:"rejected"`
	State    StateStatus    `json:"state"`

	Operators *OperatorsStatus `json:"operators,omitempty"` // absent without Config.Operators
	Pin       *PinStatus       `json:"pin,omitempty"`       // absent: nothing is pinned
	Held      *Held            `json:"held,omitempty"`      // absent: nothing is held

	// QuarantinedVersion is the version of the source's document if the sink holds it back. Index is the one that
	// was published before.
	QuarantinedVersion string `json:"quarantined_version,omitempty"`

	// PublishError is the sink's word on why the source's document is not published.
	PublishError string `json:"publish_error,omitempty"`
}

// SourceStatus is the state of the source.
type SourceStatus struct {
	Kind     string `json:"kind"`
	Location string `json:"location"` // without secrets

	LastPoll   time.Time `json:"last_poll,omitzero"`
	LastResult string    `json:"last_result,omitempty"` // ok, not_modified, error, unusable or too_large

	// LastSuccess is when the source last gave or confirmed a usable document. After a restart it is when the
	// document on disk was read. AgeSeconds is the time since then.
	LastSuccess time.Time `json:"last_success,omitzero"`
	AgeSeconds  *float64  `json:"age_seconds,omitempty"`

	// Error is the error of the last poll, ErrorSince the time of the first poll without success since the last one
	// with, ConsecutiveFailures the number of polls since then. All are empty while all is well.
	Error               string    `json:"error,omitempty"`
	ErrorSince          time.Time `json:"error_since,omitzero"`
	ConsecutiveFailures int       `json:"consecutive_failures"`

	DocumentTime time.Time `json:"document_time,omitzero"` // of the last usable document

	// ServedFromDisk says that what is published comes from disk and that the source has given no usable document since the start. One that
	// waits for the operators' rows does not count yet; one that a pin, a guard or proxies keep back does.
	ServedFromDisk bool `json:"served_from_disk"`
}

// Unusable says that the last poll brought a document that cannot be used, or is too large.
func (s SourceStatus) Unusable() bool {
	return s.LastResult == string(outcomeUnusable) || s.LastResult == string(outcomeTooLarge)
}

// IndexStatus is the published index.
type IndexStatus struct {
	Version     string    `json:"version"`
	Bytes       int       `json:"bytes"`
	Ads         int       `json:"ads"`
	Keys        int       `json:"keys"`
	ReadAt      time.Time `json:"read_at"` // when its document was read; from then on it is the control plane that takes time
	PublishedAt time.Time `json:"published_at"`
	SourceTime  time.Time `json:"source_time,omitzero"`
	CutCycles   int       `json:"cut_cycles,omitempty"` // cycles whose weights were made smaller
	TimeZones   string    `json:"time_zones,omitempty"` // release of the tz database, where zones count
}

// RejectedStatus are the ads of the last usable document that are not served.
type RejectedStatus struct {
	Total    int               `json:"total"`
	ByReason map[string]int    `json:"by_reason"`
	First    []campaign.Reject `json:"first"` // at most 100, in document order
}

// StateStatus is the last good document on disk.
type StateStatus struct {
	Path    string    `json:"path,omitempty"` // empty: none is kept
	SavedAt time.Time `json:"saved_at,omitzero"`
	Error   string    `json:"error,omitempty"`   // what went wrong with it after the last poll
	Ignored string    `json:"ignored,omitempty"` // why the document found at the start was not used
}

// Status returns the present state. The caller may keep and change it, but for the fields of Rejected.First.
func (l *Loop) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	if !s.Source.LastSuccess.IsZero() {
		age := max(l.now().Sub(s.Source.LastSuccess).Seconds(), 0)
		s.Source.AgeSeconds = &age
	}
	if s.Operators != nil {
		s.Operators = s.Operators.followed(l.operators.Following())
	}
	s.Index = l.describe(l.sink.Published())
	// Never null, whoever reads the JSON.
	s.Rejected.ByReason = maps.Clone(s.Rejected.ByReason)
	if s.Rejected.ByReason == nil {
		s.Rejected.ByReason = map[string]int{}
	}
	s.Rejected.First = append([]campaign.Reject{}, s.Rejected.First...)
	return s
}

// tell notes what a poll found.
func (l *Loop) tell(found verdict) {
	now := l.now().UTC()
	class := ""
	if found.err != nil {
		class = string(found.outcome)
	}
	l.polls.report(class, found.err, "campaign source gives no usable document, the last good index stays",
		"campaign source gives a usable document again")

	l.mu.Lock()
	s := &l.status.Source
	s.LastPoll, s.LastResult = now, string(found.outcome)
	if found.err == nil {
		s.LastSuccess, s.Error, s.ErrorSince, s.ConsecutiveFailures = now, "", time.Time{}, 0
	} else {
		if s.ConsecutiveFailures == 0 {
			s.ErrorSince = now
		}
		s.Error = text(found.err)
		s.ConsecutiveFailures++
	}
	failures := s.ConsecutiveFailures
	l.mu.Unlock()

	l.metrics.polls.WithLabelValues(string(found.outcome)).Inc()
	l.metrics.failures.Set(float64(failures))
	if found.err == nil {
		l.metrics.lastSuccess.Set(seconds(now))
	}
}

// describeDocument notes a usable document.
func (l *Loop) describeDocument(sourceTime time.Time, index *compile.Result) {
	rejects := index.Rejects
	if len(rejects) > 0 {
		l.log.Warn("ads rejected", zap.Int("total", index.Rejected), zap.Any("by_reason", index.Reasons),
			zap.Any("first", rejects[0]))
	}
	l.metrics.setRejects(index.Reasons)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Source.DocumentTime = sourceTime
	l.status.Rejected = RejectedStatus{
		Total: index.Rejected, ByReason: index.Reasons,
		// A copy: the rest of a long list need not stay in memory.
		First: append([]campaign.Reject{}, rejects[:min(len(rejects), maxRejects)]...),
	}
}

// maxHistory bounds what is remembered of published indexes: enough for any that proxies may be taken back to.
const maxHistory = 64

// describeIndex notes an index that the sink accepted.
func (l *Loop) describeIndex(index *compile.Result, readAt time.Time) {
	described := l.statusOf(index, readAt)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, described)
	if len(l.history) > maxHistory {
		l.history = slices.Delete(l.history, 0, len(l.history)-maxHistory)
	}
}

func (l *Loop) statusOf(index *compile.Result, readAt time.Time) IndexStatus {
	return IndexStatus{
		Version: index.Version, Bytes: len(index.Bytes), Ads: index.Ads, Keys: index.Keys,
		ReadAt: readAt, PublishedAt: l.now().UTC(), SourceTime: index.SourceTime,
		CutCycles: index.CutCycles, TimeZones: index.TimeZones,
	}
}

// describe returns what is known of a version, nil for none. The caller holds mu.
func (l *Loop) describe(version string) *IndexStatus {
	if version == "" {
		return nil
	}
	for _, index := range slices.Backward(l.history) {
		if index.Version == version {
			return &index
		}
	}
	if l.giving != nil && l.giving.Version == version {
		index := *l.giving
		return &index
	}
	return &IndexStatus{Version: version}
}

// show brings the metrics to what proxies are given now, which is not what was published last once that was taken back.
func (l *Loop) show() {
	version := l.sink.Published()
	if version == l.shown {
		return
	}
	l.mu.Lock()
	index := l.describe(version)
	l.mu.Unlock()
	l.metrics.setIndex(index, l.shown)
	l.shown = version
}
