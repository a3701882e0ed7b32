package publish

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/controlplane/compile"
)

// clock is a hand-set clock.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{at: time.Date(2027, 1, 5, 12, 0, 0, 0, time.UTC)} }

func TestStatusBeforeTheFirstPoll(t *testing.T) {
	b := newBench(t, Config{}, unchanged)
	text, err := json.Marshal(b.Status())
	require.NoError(t, err)
	require.JSONEq(t, `{
		"source": {"kind": "fake", "location": "here", "consecutive_failures": 0, "served_from_disk": false},
		"index": null,
		"rejected": {"total": 0, "by_reason": {}, "first": []},
		"state": {}
	}`, string(text))
}

func TestStatusWhileTheSourceFails(t *testing.T) {
	c := newClock()
	b := newBench(t, Config{Now: c.now}, answer{text: doc("a")}, answer{err: errDown}, answer{err: errors.New("another")})
	b.step(t)
	c.at = c.at.Add(10 * time.Second)
	b.step(t)
	c.at = c.at.Add(10 * time.Second)
	b.step(t)
	c.at = c.at.Add(5 * time.Second)

	index := b.sink.published[0]
	text, err := json.Marshal(b.Status())
	require.NoError(t, err)
	want := strings.NewReplacer("VERSION", index.Version).Replace(`{
		"source": {
			"kind": "fake", "location": "here",
			"last_poll": "2027-01-05T12:00:20Z", "last_result": "error",
			"last_success": "2027-01-05T12:00:00Z", "age_seconds": 25,
			"error": "another", "error_since": "2027-01-05T12:00:10Z", "consecutive_failures": 2,
			"document_time": "2027-01-05T11:00:00Z", "served_from_disk": false
		},
		"index": {
			"version": "VERSION", "bytes": BYTES, "ads": 1, "keys": 2,
			"read_at": "2027-01-05T12:00:00Z", "published_at": "2027-01-05T12:00:00Z", "source_time": "2027-01-05T11:00:00Z"
		},
		"rejected": {"total": 0, "by_reason": {}, "first": []},
		"state": {}
	}`)
	require.JSONEq(t, strings.Replace(want, "BYTES", jsonText(t, len(index.Bytes)), 1), string(text))
	require.EqualValues(t, c.at.Add(-25*time.Second).Unix(), b.metric(t, "source_last_success_timestamp_seconds"))
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestStatusIsACopy(t *testing.T) {
	b := newBench(t, Config{}, answer{text: strings.Replace(doc("a", "b"), `"us"`, `"usa"`, 1)})
	b.step(t)
	s := b.Status()
	s.Index.Version = "changed"
	s.Rejected.ByReason["changed"] = 1
	s.Rejected.First[0].ID = "changed"
	require.NotContains(t, jsonText(t, b.Status()), "changed")
}

func TestStatusErrorIsBounded(t *testing.T) {
	b := newBench(t, Config{}, answer{err: errors.New(strings.Repeat("é", 10_000) + "\xff")})
	b.step(t)
	require.Less(t, len(b.Status().Source.Error), maxErrorText+10)
	require.Contains(t, b.Status().Source.Error, "…")
}

func TestLoopMayBeAskedWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, answer{text: doc("a")}, answer{text: htmlDoc}, answer{text: doc("b")}, answer{err: errDown})
		b.start(t)
		var askers sync.WaitGroup
		for range 8 {
			askers.Go(func() {
				for range 100 {
					s := b.Status()
					if s.Index != nil && len(s.Index.Version) != 32 {
						panic("half an index")
					}
					b.Ready()
					b.PollNow()
				}
			})
		}
		b.waits(6)
		askers.Wait()
		require.True(t, b.Ready())
	})
}

func TestLogTellsBeginningsEndsAndReminders(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	c := newClock()
	b := newBench(t, Config{Now: c.now, Logger: zap.New(core)}, answer{text: doc("a")}, answer{err: errDown})
	step := func(n int) {
		for range n {
			b.step(t)
			c.at = c.at.Add(time.Second)
		}
	}
	messages := func() []string {
		var all []string
		for _, entry := range logs.TakeAll() {
			all = append(all, entry.Level.String()+" "+entry.Message)
		}
		return all
	}
	const trouble = "error campaign source gives no usable document, the last good index stays"

	step(1)
	require.Equal(t, []string{"info index published"}, messages())
	step(1)
	require.Equal(t, []string{trouble}, messages())
	step(299)
	require.Empty(t, messages())
	step(1)
	require.Equal(t, []string{trouble}, messages(), "a reminder after five minutes")
	c.at = c.at.AddDate(-50, 0, 0)
	step(1)
	require.Equal(t, []string{trouble}, messages(), "the clock was ahead")
	step(1)
	require.Empty(t, messages())
	c.at = c.at.AddDate(50, 0, 0)
	step(1)
	require.Equal(t, []string{trouble}, messages())
	c.at = c.at.Add(-3 * time.Second)
	b.source.answers = []answer{{text: htmlDoc}}
	step(3)
	require.Equal(t, []string{trouble}, messages(), "another kind of trouble")
	b.source.answers = []answer{{text: doc("a")}}
	step(1)
	entries := logs.TakeAll()
	require.Len(t, entries, 1)
	require.Equal(t, "campaign source gives a usable document again", entries[0].Message)
	require.Equal(t, 304*time.Second, entries[0].ContextMap()["after"])
	step(5)
	require.Empty(t, messages())
}

func TestLogTellsRejectedAdsOncePerDocument(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	b := newBench(t, Config{Logger: zap.New(core)}, answer{text: strings.Replace(doc("a", "b"), `"us"`, `"usa"`, 1)}, unchanged)
	b.steps(t, 3)
	require.Len(t, logs.FilterMessage("ads rejected").All(), 1)
}

func TestLogTellsAQuarantineOnce(t *testing.T) {
	core, logs := observer.New(zapcore.ErrorLevel)
	b := newBench(t, Config{Logger: zap.New(core)}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged)
	b.sink.refuse = quarantine(2)
	b.steps(t, 5)
	require.Len(t, logs.FilterMessage("index not published, the last good one stays").All(), 1)
}

func TestNewRefuses(t *testing.T) {
	source, sink := newSource(unchanged), &fakeSink{}
	tests := map[string]struct {
		cfg  Config
		want string
	}{
		"no source":           {Config{Sink: sink}, "source and sink"},
		"no sink":             {Config{Source: source}, "source and sink"},
		"a negative interval": {Config{Source: source, Sink: sink, Interval: -1}, "negative"},
		"a negative size":     {Config{Source: source, Sink: sink, MaxIndexBytes: -1}, "negative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(tt.cfg)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestNewRefusesARegistryThatHasTheMetrics(t *testing.T) {
	cfg := Config{Source: newSource(unchanged), Sink: &fakeSink{}, Registerer: prometheus.NewRegistry()}
	_, err := New(cfg)
	require.NoError(t, err)
	_, err = New(cfg)
	require.ErrorContains(t, err, "register metrics")
}

func TestNewDefaults(t *testing.T) {
	l, err := New(Config{Source: newSource(unchanged), Sink: &fakeSink{}})
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, l.interval)
	require.Equal(t, compile.DefaultMaxBytes, l.maxBytes)
}

// TestAnIndexHasTheTimeAtWhichItsDocumentWasRead: what follows from then on is the control plane's doing.
func TestAnIndexHasTheTimeAtWhichItsDocumentWasRead(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	read := map[string]time.Time{} // by version
	late := func(b *bench) *bench {
		b.sink.refuse = func(index *compile.Result) error {
			if _, ok := read[index.Version]; !ok {
				read[index.Version] = c.at
			}
			c.at = c.at.Add(time.Second)
			return nil
		}
		return b
	}
	requireRead := func(b *bench) {
		t.Helper()
		index := b.Status().Index
		require.Equal(t, read[index.Version], index.ReadAt)
		require.Equal(t, c.at, index.PublishedAt, "publishing took a second")
	}
	b := late(newBench(t, Config{StateDir: dir, Now: c.now}, answer{text: doc("a")}, answer{text: doc("b")}))
	b.stepAcknowledged(t)
	requireRead(b)
	b.step(t)
	requireRead(b)

	c.at = c.at.Add(time.Hour)
	restarted := late(newBench(t, Config{StateDir: dir, Now: c.now}, answer{text: doc("b")}))
	restarted.restore()
	requireRead(restarted)
	restarted.sink.takeBack("")
	c.at = c.at.Add(time.Hour)
	restarted.step(t)
	index := restarted.Status().Index
	require.Equal(t, b.sink.published[0].Version, index.Version, "the document before, from disk")
	require.Equal(t, read[index.Version], index.ReadAt)
}
