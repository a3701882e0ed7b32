package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/bench/workload"
)

func TestAnAnswerTellsTheRevisionOfItsDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "campaigns.json")
	d, err := newDocument(file, workload.Keys)
	require.NoError(t, err)
	for _, want := range []uint32{0, 1, 2} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		c := workload.Standard(workload.Keys)
		c.Revision = want
		require.Equal(t, string(workload.Document(c)), string(text), "the whole document is of revision %d", want)
		got, err := revisionOf(text[len(`{"ads":[`)+1:])
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, d.next())
	}
	for name, body := range map[string]string{
		"no id": `{"code":"no_ad_available"}`, "a short id": `{"id":"1"}`, "an id without a revision": `{"id":"` + strings.Repeat("z", idLength) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := revisionOf([]byte(body))
			require.Error(t, err)
		})
	}
}

// newStanding has two connections on worker a and one on worker b, none of them open.
func newStanding() *standing {
	s := &standing{workers: []string{"a", "b"}, changed: make(chan struct{})}
	for _, worker := range []string{"a", "b", "a"} {
		s.conns = append(s.conns, &standingConn{worker: worker})
	}
	return s
}

func TestAPushIsServedWhenEachWorkerHasAnsweredWithIt(t *testing.T) {
	s := newStanding()
	due := time.Now()
	require.True(t, s.note(s.conns[0], due, 1, nil))
	require.True(t, s.note(s.conns[2], due, 1, nil))
	require.Nil(t, s.firsts(1), "worker b has not answered")
	require.True(t, s.note(s.conns[1], due, 1, nil))
	require.True(t, s.note(s.conns[0], due, 1, nil))
	firsts, err := s.wait(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []time.Time{s.conns[0].since, s.conns[1].since}, firsts, "the first answer of each worker")
	require.Nil(t, s.firsts(2))
	require.Len(t, s.taken(), 4)
	require.Empty(t, s.taken(), "samples are taken once")
}

func TestARequestFails(t *testing.T) {
	for name, c := range map[string]struct {
		revision uint32
		err      error
	}{
		"by its error": {err: errors.New("status 503")}, "by an answer of a document before the connection's last": {revision: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStanding()
			for _, conn := range s.conns {
				require.True(t, s.note(conn, time.Now(), 2, nil))
			}
			require.False(t, s.note(s.conns[0], time.Now(), c.revision, c.err))
			failed, first := s.failures()
			require.Equal(t, 1, failed)
			require.Error(t, first)
			_, err := s.wait(t.Context(), 2)
			require.ErrorIs(t, err, errors.Unwrap(first))
		})
	}
}

func TestALateRequestCountsFromWhenItWasDue(t *testing.T) {
	s := newStanding()
	s.note(s.conns[0], time.Now().Add(-time.Minute), 1, nil)
	require.GreaterOrEqual(t, s.taken()[0].took, time.Minute)
}

func TestConnectionsCoverAllWorkers(t *testing.T) {
	s := newStanding()
	require.False(t, s.cover(), "worker b has one connection")
	s.conns = append(s.conns, &standingConn{worker: "b"})
	require.True(t, s.cover())
	s.workers = append(s.workers, "c")
	require.False(t, s.cover())
}

func TestTheStatusTellsThePartsOfAPush(t *testing.T) {
	var s pushStatus
	require.NoError(t, json.Unmarshal([]byte(`{
		"index": {"bytes": 7, "read_at": "2027-01-05T12:00:00Z"},
		"xds": {
			"types": [{"type": "lds", "quarantined": []}, {"type": "ecds", "offered": {"since": "2027-01-05T12:00:01Z"}, "quarantined": []}],
			"envoys": [{"types": [{"type": "lds"}, {"type": "ecds", "last_ack": {"at": "2027-01-05T12:00:02Z"}}]}]
		}
	}`), &s))
	require.Equal(t, 7, s.Index.Bytes)
	require.Equal(t, time.Second, s.offered().Sub(s.Index.ReadAt))
	require.Equal(t, 2*time.Second, s.confirmed().Sub(s.Index.ReadAt))
	require.Empty(t, s.rejected())
	for name, status := range map[string]string{
		"a version that was taken back":  `{"xds": {"types": [{"quarantined": [{"text": "refused"}]}]}}`,
		"a version that is not answered": `{"xds": {"envoys": [{"types": [{"last_nack": {"text": "refused", "current": true}}]}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var s pushStatus
			require.NoError(t, json.Unmarshal([]byte(status), &s))
			require.Equal(t, "refused", s.rejected())
		})
	}
}

func TestEachCaseHasItsRowsAndTargets(t *testing.T) {
	cases := []pushCase{{ads: manyAds, workers: 2}, {ads: mostAds, workers: 4}, {ads: manyAds, workers: 2, every: pollInterval}}
	round := pushRound{median: 100, p95: 250, quiet: 2, during: 8, requests: 1000, bytes: manyAds * 150}
	var r report.Result
	reportPushes(cases, [][]pushRound{{round, round}, {round}, {round}}, &r)
	require.Len(t, r.Tables, 2)
	for _, table := range r.Tables {
		require.Len(t, table.Rows, len(cases))
		for _, row := range table.Rows {
			require.Len(t, row.Cells, len(table.Columns), row.Name)
		}
	}
	met := map[string]bool{}
	for _, target := range r.Targets {
		met[target.What] = target.Met()
	}
	require.Equal(t, map[string]bool{
		"100,000 ads, 2 workers: document read → every worker answers with it, p95":         true,
		"100,000 ads, 2 workers: p99 of requests during pushes ÷ without":                   false,
		"1,000,000 ads, 4 workers: document read → every worker answers with it, p95":       true,
		"1,000,000 ads, 4 workers: p99 of requests during pushes ÷ without":                 false,
		"100,000 ads, 2 workers, a push every 10s: p99 of requests during pushes ÷ without": false,
	}, met)
}

func TestMemoryOfAProcess(t *testing.T) {
	if runtime.GOOS == "linux" {
		require.Greater(t, residentBytes(os.Getpid()), 1e6)
	}
	require.Zero(t, residentBytes(-1))
	_, peak, err := compileChild(t.Context(), os.Args[0], "-test.run", "^$")
	require.NoError(t, err)
	require.Greater(t, peak, 1e6)
	_, _, err = compileChild(t.Context(), os.Args[0], "-test.no-such-flag")
	require.ErrorContains(t, err, "no-such-flag")
}

func TestTheLargestSizeIsConfirmed(t *testing.T) {
	for name, c := range map[string]struct{ briefly, throughout, want int }{
		"none but the least":               {96, 96, 96},
		"all":                              {1000, 1000, limitMost},
		"one between":                      {200, 200, 192},
		"one that fails after some pushes": {300, 230, 224},
		"none that lasts":                  {300, 0, 96},
	} {
		t.Run(name, func(t *testing.T) {
			got := largest(96, limitMost+limitStep, func(mib, pushes int) bool {
				if pushes == limitPushes {
					return mib <= c.throughout
				}
				return mib <= c.briefly
			})
			require.Equal(t, c.want, got)
		})
	}
}
