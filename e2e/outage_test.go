package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestSourceOutage breaks the campaign source in every way while requests run: the last good document stays in force, status and metrics
// tell what is wrong and since when, and a source that is well again is followed at once.
func TestSourceOutage(t *testing.T) {
	e := newEditions("e0")
	s := served(t, stack.Options{Campaigns: e.document(t), Concurrency: 2, Gateway: "campaigns: {timeout: 1500ms}"})
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: e.ask})
	e.connections(len(l.conns))
	idle, _ := memory(t, s.ControlPlane().Process())

	outages := map[string]struct {
		mode   stack.SourceMode
		result string
		text   string
	}{
		"a source that answers 500":                        {stack.SourceFails, "error", "status 500"},
		"a source that answers a page of HTML":             {stack.SourceHTML, "unusable", "document: "},
		"a source that answers the first half":             {stack.SourceTruncated, "unusable", "document: "},
		"a source that takes the request and hangs":        {stack.SourceHangs, "error", "timed out after 1.5s"},
		"a source that stalls in the middle":               {stack.SourceStalls, "error", "timed out after 1.5s"},
		"a source that sends 1 GiB of zeros":               {stack.SourceZeros, "too_large", "67108864"},
		"a source that sends 1 GiB of zeros in 1 MiB gzip": {stack.SourceZerosGzip, "too_large", "67108864"},
	}
	for name, o := range outages {
		t.Run(name, func(t *testing.T) {
			before, err := statusOf(t.Context(), s.ControlPlane())
			require.NoError(t, err)
			require.Empty(t, before.Source.Error)
			countedBefore := planeMetrics(t, s.ControlPlane())
			began := time.Now()
			s.Source.SetMode(o.mode)

			first := waitStatus(t, s.ControlPlane(), func(s planeStatus) error { return failures(s, 1) })
			status := waitStatus(t, s.ControlPlane(), func(s planeStatus) error { return failures(s, 2) })
			require.Equal(t, o.result, status.Source.LastResult)
			require.Contains(t, status.Source.Error, o.text)
			require.WithinRange(t, status.Source.ErrorSince, began, first.Source.LastPoll)
			require.Equal(t, first.Source.ErrorSince, status.Source.ErrorSince, "the first failure's time stays")
			require.True(t, status.Source.LastSuccess.Before(status.Source.ErrorSince))
			require.NotNil(t, status.Source.AgeSeconds)
			require.Greater(t, *status.Source.AgeSeconds, status.Source.LastPoll.Sub(status.Source.ErrorSince).Seconds())
			require.Equal(t, before.Index, status.Index, "the last good one stays")
			require.NoError(t, s.ControlPlane().WaitReady(deadline(t, 20*time.Second)))
			metrics := planeMetrics(t, s.ControlPlane())
			counted := fmt.Sprintf("adsidecar_source_polls_total{result=%q}", o.result)
			require.GreaterOrEqual(t, metrics[counted], countedBefore[counted]+2)
			require.GreaterOrEqual(t, metrics["adsidecar_source_consecutive_failures"], 2.0)
			require.InDelta(t, float64(status.Source.LastSuccess.UnixMilli())/1e3, metrics["adsidecar_source_last_success_timestamp_seconds"], 0.01)
			l.progress(t, 5)

			e.announce(strings.NewReplacer(" ", "-").Replace(name))
			repaired := stack.StartStopwatch()
			s.Source.SetBody(e.document(t))
			require.NoError(t, e.wait(deadline(t, 60*time.Second)), l)
			took := repaired.Took()
			require.LessOrEqual(t, took, stackPoll+allowance)
			status = waitStatus(t, s.ControlPlane(), func(s planeStatus) error { return failures(s, 0) })
			require.Empty(t, status.Source.Error)
			require.Zero(t, status.Source.ErrorSince)
			require.Zero(t, planeMetrics(t, s.ControlPlane())["adsidecar_source_consecutive_failures"])
			most, now := memory(t, s.ControlPlane().Process())
			t.Logf("served again %s after the repair; resident memory %d MiB, at most %d", took.Round(time.Millisecond), now, most)
		})
	}
	l.unharmed(t)
	most, now := memory(t, s.ControlPlane().Process())
	t.Logf("resident memory of the control plane: %d MiB before, at most %d, %d now", idle, most, now)
	// A document may have 64 MiB. What a buffer of that size leaves behind while it grows is garbage for a while: several times as much.
	require.Less(t, most-idle, 10*64)
}

// failures is nil for a status after n or more polls in a row without a usable document; n = 0: after one with.
func failures(s planeStatus, n int) error {
	if got := s.Source.ConsecutiveFailures; got < n || n == 0 && got > 0 {
		return fmt.Errorf("%d failures, last %s: %s", got, s.Source.LastResult, s.Source.Error)
	}
	return nil
}
