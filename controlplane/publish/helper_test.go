package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

var (
	errDown    = errors.New("get http://source: status 500")
	sourceTime = time.Date(2027, 1, 5, 11, 0, 0, 0, time.UTC)
	emptyDoc   = `{"ads":[]}`
	htmlDoc    = `<html>`
)

// doc returns a document with one ad for each id, all for us/eng and all day.
func doc(ids ...string) string {
	var ads []string
	for _, id := range ids {
		ads = append(ads, fmt.Sprintf(
			`{"id":%q,"video_url":"https://v/%s","country":"us","lang":"eng","start_hour":0,"end_hour":24}`, id, id))
	}
	return `{"ads":[` + strings.Join(ads, ",") + `]}`
}

func decoded(t *testing.T, text string) *campaign.Document {
	t.Helper()
	document, err := campaign.Decode([]byte(text))
	require.NoError(t, err)
	return document
}

func decodedIndex(t *testing.T, text string) *compile.Result {
	t.Helper()
	index, err := compile.Compile(decoded(t, text), compile.Params{SourceTime: sourceTime})
	require.NoError(t, err)
	return index
}

// answer is what a fakeSource says to one poll.
type answer struct {
	text string
	err  error
}

// fakeSource gives its answers in order and the last one for ever, and tells when it was asked.
type fakeSource struct {
	answers  []answer
	asked    chan time.Time
	changed  chan struct{}
	identity string
	position string

	resumed         campaign.Snapshot
	resumedPosition string
}

func newSource(answers ...answer) *fakeSource {
	return &fakeSource{answers: answers, asked: make(chan time.Time), changed: make(chan struct{}), identity: "fake"}
}

func (s *fakeSource) Poll(ctx context.Context) (campaign.Snapshot, error) {
	select {
	case s.asked <- time.Now():
	case <-ctx.Done():
		return campaign.Snapshot{}, ctx.Err()
	}
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	if a.err != nil {
		return campaign.Snapshot{}, a.err
	}
	return campaign.Snapshot{Data: []byte(a.text), SourceTime: sourceTime}, nil
}

func (s *fakeSource) Changed() <-chan struct{} { return s.changed }
func (s *fakeSource) Describe() (_, _ string)  { return "fake", "here" }
func (s *fakeSource) Identity() string         { return s.identity }
func (s *fakeSource) Position() string         { return s.position }
func (s *fakeSource) Resume(last campaign.Snapshot, position string) {
	s.resumed, s.resumedPosition = last, position
}

// fakeSink keeps what is published and refuses what refuse says.
type fakeSink struct {
	refuse    func(index *compile.Result) error
	offered   int
	published []*compile.Result

	mu    sync.Mutex
	now   string // what proxies are given; a test takes it back as the proxies' refusal would
	acked map[string]bool
	// latest are the bytes of what was published last.
	latest []byte
}

func (s *fakeSink) Publish(index *compile.Result) error {
	s.offered++
	if s.refuse != nil {
		if err := s.refuse(index); err != nil {
			return err
		}
	}
	s.published = append(s.published, index)
	s.mu.Lock()
	s.latest = index.Bytes
	s.mu.Unlock()
	s.setPublished(index.Version)
	return nil
}

func (s *fakeSink) Published() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *fakeSink) Acknowledged(version string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked[version]
}

// acknowledge is what a proxy does that loads what it is given.
func (s *fakeSink) acknowledge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acked == nil {
		s.acked = map[string]bool{}
	}
	s.acked[s.now] = true
}

func (s *fakeSink) setPublished(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = version
}

// ads returns the number of ads of each published index.
func (s *fakeSink) ads() []int {
	counts := []int{}
	for _, index := range s.published {
		counts = append(counts, index.Ads)
	}
	return counts
}

// bench is a Loop on fakes.
type bench struct {
	*Loop
	source   *fakeSource
	sink     *fakeSink
	registry *prometheus.Registry
}

// newBench returns a Loop whose waits do not vary.
func newBench(t *testing.T, cfg Config, answers ...answer) *bench {
	t.Helper()
	b := &bench{source: newSource(answers...), sink: &fakeSink{}, registry: prometheus.NewRegistry()}
	cfg.Source, cfg.Sink, cfg.Registerer = b.source, b.sink, b.registry
	l, err := New(cfg)
	require.NoError(t, err)
	l.random, l.keepAfter = func() float64 { return 0.5 }, 0
	b.Loop = l
	return b
}

// step polls once, as Run would.
func (b *bench) step(t *testing.T) {
	t.Helper()
	go func() { <-b.source.asked }()
	b.poll(t.Context())
}

// stepAcknowledged polls once, and proxies load what is published.
func (b *bench) stepAcknowledged(t *testing.T) {
	t.Helper()
	b.step(t)
	b.sink.acknowledge()
}

// steps polls once for each answer.
func (b *bench) steps(t *testing.T, n int) {
	t.Helper()
	for range n {
		b.step(t)
	}
}

// start runs the Loop until the test, or its bubble, ends.
func (b *bench) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// waits returns the times between the next n+1 polls.
func (b *bench) waits(n int) []time.Duration {
	var waits []time.Duration
	before := <-b.source.asked
	for range n {
		at := <-b.source.asked
		waits = append(waits, at.Sub(before))
		before = at
	}
	return waits
}

// metric returns the value of a series: "name" or `name{label="value"}`.
func (b *bench) metric(t *testing.T, series string) float64 {
	t.Helper()
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	families, err := b.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != "adsidecar_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			var got []string
			for _, pair := range m.GetLabel() {
				got = append(got, fmt.Sprintf("%s=%q", pair.GetName(), pair.GetValue()))
			}
			if strings.Join(got, ",") == labels {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	require.FailNow(t, "no such series", series)
	return 0
}

func lintMetrics(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	problems, err := testutil.GatherAndLint(g)
	require.NoError(t, err)
	require.Empty(t, problems)
}
