package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

type tooLargeError struct{ error }

func (tooLargeError) TooLarge() bool { return true }

var unchanged = answer{err: campaign.ErrNotModified}

func TestPollPublishesWhenTheVersionChanges(t *testing.T) {
	b := newBench(t, Config{},
		answer{text: doc("a")},
		unchanged,
		answer{text: doc("a") + "\n\n"}, // other bytes, the same ads
		answer{text: doc("a", "b")},
		answer{text: doc("a")},
	)
	b.steps(t, 5)
	require.Equal(t, []int{1, 2, 1}, b.sink.ads())
	require.Equal(t, b.sink.published[0].Version, b.sink.published[2].Version)
	require.EqualValues(t, 3, b.metric(t, "index_publishes_total"))
	require.EqualValues(t, 4, b.metric(t, `source_polls_total{result="ok"}`))
	require.EqualValues(t, 1, b.metric(t, `source_polls_total{result="not_modified"}`))
	lintMetrics(t, b.registry)
}

func TestPollPublishesWhatTheSourceSays(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a", "b")})
	require.False(t, b.Ready())
	b.step(t)
	require.True(t, b.Ready())

	index := b.sink.published[0]
	r, err := adindex.Open(index.Bytes)
	require.NoError(t, err)
	require.Equal(t, sourceTime.Unix(), r.SourceTime())
	key, ok := adindex.MakeKey("us", "en")
	require.True(t, ok)
	entry, found := r.Find(key)
	require.True(t, found)
	require.Equal(t, 2, r.CycleAt(entry, sourceTime.Unix()).Len())

	require.EqualValues(t, 1, b.metric(t, fmt.Sprintf("index_info{version=%q}", index.Version)))
	require.EqualValues(t, len(index.Bytes), b.metric(t, "index_bytes"))
	require.EqualValues(t, 2, b.metric(t, "index_ads"))
	require.EqualValues(t, index.Keys, b.metric(t, "index_keys"))
	require.EqualValues(t, sourceTime.Unix(), b.metric(t, "index_source_timestamp_seconds"))
}

func TestPollAnEmptyDocumentEmptiesTheIndex(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: emptyDoc})
	b.steps(t, 2)
	require.Equal(t, []int{1, 0}, b.sink.ads())
	require.True(t, b.Ready())
	require.Empty(t, b.Status().Source.Error)
}

func TestPollKeepsTheLastGoodIndex(t *testing.T) {
	tests := map[string]struct {
		answer answer
		result string
		text   string
	}{
		"when the source fails":             {answer{err: errDown}, "error", "get http://source: status 500"},
		"when the document is over a limit": {answer{err: fmt.Errorf("get: %w", tooLargeError{errors.New("larger than 9 bytes")})}, "too_large", "get: larger than 9 bytes"},
		"when the document is HTML":         {answer{text: htmlDoc}, "unusable", "document: line 1, column 1"},
		"when the document is truncated":    {answer{text: doc("a")[:40]}, "unusable", "document: line 1"},
		"when the document is empty":        {answer{text: ""}, "unusable", "document: "},
		"when there is no ads array":        {answer{text: `{}`}, "unusable", `no "ads" array`},
		"when the index is over its limit":  {answer{text: doc(ids(500)...)}, "too_large", "index too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{MaxIndexBytes: 4096}, answer{text: doc("a")}, tt.answer)
			b.steps(t, 3)
			require.Equal(t, []int{1}, b.sink.ads())
			require.Equal(t, 1, b.sink.offered)
			require.True(t, b.Ready())

			s := b.Status()
			require.Equal(t, tt.result, s.Source.LastResult)
			require.Contains(t, s.Source.Error, tt.text)
			require.Equal(t, 2, s.Source.ConsecutiveFailures)
			require.Equal(t, 1, s.Index.Ads)
			require.Equal(t, sourceTime, s.Source.DocumentTime)
			require.EqualValues(t, 2, b.metric(t, fmt.Sprintf("source_polls_total{result=%q}", tt.result)))
			require.EqualValues(t, 2, b.metric(t, "source_consecutive_failures"))
			require.EqualValues(t, 1, b.metric(t, "index_ads"))
		})
	}
}

func ids(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("id-%d", i))
	}
	return all
}

func TestPollNotModifiedRepeatsTheVerdict(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: htmlDoc}, unchanged, answer{err: errDown}, unchanged)
	b.steps(t, 5)
	s := b.Status()
	require.Equal(t, "unusable", s.Source.LastResult)
	require.Contains(t, s.Source.Error, "document: line 1")
	require.Equal(t, 4, s.Source.ConsecutiveFailures)
	require.EqualValues(t, 3, b.metric(t, `source_polls_total{result="unusable"}`))
	require.EqualValues(t, 0, b.metric(t, `source_polls_total{result="not_modified"}`))
}

func TestPollRecovers(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: htmlDoc}, answer{err: errDown}, answer{text: doc("a")})
	b.steps(t, 3)
	require.NotEmpty(t, b.Status().Source.Error)
	b.step(t)
	s := b.Status().Source
	require.Equal(t, "ok", s.LastResult)
	require.Empty(t, s.Error)
	require.Zero(t, s.ErrorSince)
	require.Zero(t, s.ConsecutiveFailures)
	require.Equal(t, []int{1}, b.sink.ads(), "the version is the same")
}

func TestPollNotModifiedBeforeThereIsADocument(t *testing.T) {
	b := newBench(t, Config{}, unchanged)
	b.step(t)
	require.Equal(t, "error", b.Status().Source.LastResult)
	require.Contains(t, b.Status().Source.Error, "not modified, before there was a document")
	require.False(t, b.Ready())
}

func TestPollThatTheEndOfTheProgramCutsIsNoFailure(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.poll(ctx)
	require.Zero(t, b.Status().Source.ConsecutiveFailures)
	require.EqualValues(t, 0, b.metric(t, `source_polls_total{result="error"}`))
}

func TestPollTellsRejectedAds(t *testing.T) {
	bad := strings.Repeat(`,{"id":"x"}`, 1150) // more than a document describes
	text := strings.TrimSuffix(doc("a", "b"), "]}") + bad + `,{"id":"a","video_url":"https://v/a","country":"us","lang":"eng","start_hour":0,"end_hour":24}]}`
	b := newBench(t, Config{}, answer{text: text}, answer{text: doc("a")})
	b.step(t)

	require.Equal(t, []int{2}, b.sink.ads())
	s := b.Status().Rejected
	require.Equal(t, 1151, s.Total)
	require.Equal(t, map[string]int{campaign.ReasonMissingField: 1150, campaign.ReasonDuplicate: 1}, s.ByReason)
	require.Len(t, s.First, maxRejects)
	require.Equal(t, 2, s.First[0].Index)
	require.Equal(t, campaign.ReasonMissingField, s.First[0].Reason)
	require.EqualValues(t, 1150, b.metric(t, `ads_rejected{reason="missing_field"}`))
	require.EqualValues(t, 1, b.metric(t, `ads_rejected{reason="duplicate"}`))
	require.EqualValues(t, 0, b.metric(t, `ads_rejected{reason="invalid_url"}`))

	b.step(t)
	require.Zero(t, b.Status().Rejected.Total)
	require.EqualValues(t, 0, b.metric(t, `ads_rejected{reason="missing_field"}`))
}

func TestPollShowsOneVersionOnly(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: doc("b")}, answer{text: doc("a")})
	b.steps(t, 3)
	families, err := b.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "adsidecar_index_info" {
			require.Len(t, family.GetMetric(), 1)
		}
	}
	require.EqualValues(t, 1, b.metric(t, fmt.Sprintf("index_info{version=%q}", b.sink.published[2].Version)))
}

// quarantine refuses an index with n ads.
func quarantine(n int) func(*compile.Result) error {
	return func(index *compile.Result) error {
		if index.Ads == n {
			return fmt.Errorf("version %s: %w", index.Version, ErrQuarantined)
		}
		return nil
	}
}

func TestQuarantinedVersionIsOfferedWithEachPollAndCountedOnce(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged, answer{err: errDown}, answer{text: doc("a", "b") + " "})
	b.sink.refuse = quarantine(2)
	b.steps(t, 5)
	require.Equal(t, 5, b.sink.offered, "the sink alone knows when its quarantine ends")
	require.Equal(t, []int{1}, b.sink.ads())
	s := b.Status()
	require.Len(t, s.QuarantinedVersion, 32)
	require.NotEqual(t, s.Index.Version, s.QuarantinedVersion)
	require.Contains(t, s.PublishError, "is quarantined")
	require.Empty(t, s.Source.Error, "the source does its part")
	require.EqualValues(t, 1, b.metric(t, `index_publish_errors_total{reason="quarantined"}`))
	require.EqualValues(t, 1, b.metric(t, "index_quarantined"))

	b.sink.refuse = nil
	b.source.answers = []answer{{err: errDown}}
	b.step(t)
	require.Equal(t, []int{1, 2}, b.sink.ads(), "whatever the poll says")
	require.Empty(t, b.Status().QuarantinedVersion)
	require.EqualValues(t, 0, b.metric(t, "index_quarantined"))
	b.step(t)
	require.Equal(t, 6, b.sink.offered, "a published one is not")
}

func TestQuarantineEndsWithNewContent(t *testing.T) {
	for name, next := range map[string]string{
		"that was not seen before":  doc("a", "b", "c"),
		"that is the published one": doc("a"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: doc("a", "b")}, answer{text: next})
			b.sink.refuse = quarantine(2)
			b.steps(t, 2)
			require.NotEmpty(t, b.Status().QuarantinedVersion)
			b.step(t)
			require.Empty(t, b.Status().QuarantinedVersion)
			require.Empty(t, b.Status().PublishError)
			require.EqualValues(t, 0, b.metric(t, "index_quarantined"))
		})
	}
}

func TestSinkErrorIsTriedAgainAfterEachPoll(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")}, answer{err: errDown}, unchanged)
	failing := true
	b.sink.refuse = func(*compile.Result) error {
		if failing {
			return errors.New("snapshot: no")
		}
		return nil
	}
	b.steps(t, 2)
	require.Equal(t, 2, b.sink.offered)
	require.Equal(t, "snapshot: no", b.Status().PublishError)
	require.False(t, b.Ready())
	require.EqualValues(t, 2, b.metric(t, `index_publish_errors_total{reason="error"}`))
	failing = false
	b.step(t)
	require.Equal(t, []int{1}, b.sink.ads())
	require.Empty(t, b.Status().PublishError)
}
