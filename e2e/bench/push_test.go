package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	early, _, err := s.firsts(1)
	require.NoError(t, err)
	require.Nil(t, early, "worker b has not answered")
	require.True(t, s.note(s.conns[1], due, 1, nil))
	require.True(t, s.note(s.conns[0], due, 1, nil))
	firsts, err := s.wait(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []time.Time{s.conns[0].since, s.conns[1].since}, firsts, "the first answer of each worker")
	early, _, err = s.firsts(2)
	require.NoError(t, err)
	require.Nil(t, early)
	require.Len(t, s.taken(), 4)
	require.Empty(t, s.taken(), "samples are taken once")
}

func TestAFailedRequestIsCountedAndTheRestGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		revision uint32
		err      error
		broken   bool
	}{
		"by its status": {err: fmt.Errorf("%w: status 503", errWrongAnswer)},
		"by an answer of a document before the connection's last": {revision: 1},
		"with its connection": {err: io.ErrUnexpectedEOF, broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStanding()
			for _, conn := range s.conns {
				require.True(t, s.note(conn, time.Now(), 2, nil))
			}
			require.Equal(t, !c.broken, s.note(s.conns[0], time.Now(), c.revision, c.err))
			failed, first := s.failures()
			require.Equal(t, 1, failed)
			require.Error(t, first)
			for _, conn := range s.conns[1:] {
				s.note(conn, time.Now(), 3, nil)
			}
			firsts, _, err := s.firsts(3)
			require.NoError(t, err)
			require.Equal(t, c.broken, firsts != nil, "a broken connection is not waited for, any other is")
		})
	}
}

func TestAWorkerWithoutConnectionsEndsAPush(t *testing.T) {
	s := newStanding()
	require.False(t, s.note(s.conns[1], time.Now(), 0, io.ErrUnexpectedEOF))
	_, err := s.wait(t.Context(), 0)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "all connections of b")
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

// foundRounds are rounds of pushes that took these times, in ms.
func foundRounds(rounds ...[]int) pushFound {
	var f pushFound
	for _, times := range rounds {
		r := pushRound{
			quiet: []pushSample{{took: 2 * time.Millisecond}}, during: []pushSample{{took: 8 * time.Millisecond}}, requests: 1000, bytes: manyAds * 150,
		}
		for _, ms := range times {
			r.pushes = append(r.pushes, pushed{served: time.Duration(ms) * time.Millisecond})
		}
		f.rounds = append(f.rounds, r)
	}
	return f
}

func TestAHighPercentileIsOfThePushesOfAllRounds(t *testing.T) {
	var rounds [][]int
	for range 4 {
		rounds = append(rounds, []int{100, 100, 100, 100, 100})
	}
	rounds[0][0], rounds[3][4] = 900, 500
	f := foundRounds(rounds...)
	require.Equal(t, report.Cell{500}, f.pooled(95), "the 19th of 20")
	require.Equal(t, report.Cell{900}, f.pooled(100))
	f = pushFound{}
	require.Empty(t, f.pooled(95))
}

func TestEachCaseHasItsRowsAndTargets(t *testing.T) {
	cases := []pushCase{
		{ads: manyAds, workers: 2},
		{ads: manyAds, workers: 4},
		{ads: mostAds, workers: 4},
		{ads: manyAds, workers: 2, every: time.Second},
		{ads: mostAds, workers: 2},
	}
	good := foundRounds([]int{100, 250}, []int{100, 250})
	failed := foundRounds([]int{100, 250}, []int{100, 250})
	failed.rounds[1].failed, failed.rounds[1].first = 3, errors.New("status 503\nlogs")
	var r report.Result
	reportPushes(cases, []pushFound{good, failed, good, good, {failures: []string{"rejected"}}}, &r)
	require.Len(t, r.Tables, 2)
	for _, table := range r.Tables {
		require.Len(t, table.Rows, len(cases))
		for _, row := range table.Rows {
			require.Len(t, row.Cells, len(table.Columns), row.Name)
		}
	}
	require.Equal(t, []string{"100,000 ads, 4 workers: 3 requests failed, the first: status 503", "1,000,000 ads, 2 workers: rejected"}, r.Failures)
	met := map[string]bool{}
	for _, target := range r.Targets {
		met[target.What] = target.Met()
	}
	require.Equal(t, map[string]bool{
		"100,000 ads, 2 workers: document read → every worker answers with it, p95":        true,
		"100,000 ads, 2 workers: p99 of requests during pushes ÷ without":                  false,
		"100,000 ads, 4 workers: document read → every worker answers with it, p95":        false,
		"100,000 ads, 4 workers: p99 of requests during pushes ÷ without":                  false,
		"1,000,000 ads, 4 workers: document read → every worker answers with it, p95":      true,
		"1,000,000 ads, 4 workers: p99 of requests during pushes ÷ without":                false,
		"100,000 ads, 2 workers, a push every 1s: p99 of requests during pushes ÷ without": false,
		"1,000,000 ads, 2 workers: document read → every worker answers with it, p95":      false,
		"1,000,000 ads, 2 workers: p99 of requests during pushes ÷ without":                false,
	}, met)
}

func TestPushesInARowSayWhatFailed(t *testing.T) {
	base := inARow{pushes: 50, done: 50, settled: 5, before: 100, after: 104, requests: 1000, bytes: 1 << 20}
	broken := base
	broken.failed, broken.first = 2, errors.New("status 503")
	for name, c := range map[string]struct {
		found inARow
		err   error
		want  string
	}{
		"nothing": {found: base}, "requests": {found: broken, want: "2 requests failed, the first: status 503"},
		"the push": {found: base, err: errors.New("rejected\nlogs"), want: "rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			var r report.Result
			c.found.report("s", c.err, &r)
			require.Len(t, r.Targets, 2)
			for _, target := range r.Targets {
				require.Equal(t, c.want, target.Failed)
				require.Equal(t, c.want == "", target.Met())
			}
			require.Len(t, r.Tables[0].Rows[0].Cells, len(r.Tables[0].Columns))
		})
	}
}

func TestAnEnvoyIsSizedFromMeasuredMemory(t *testing.T) {
	plan := pushPlan{workers: []int{1, 2, 3}, sizes: []int{100, 1000}, pushes: 3}
	resident := residentOf{}
	for _, workers := range plan.workers { // base 50 + 10 for each VM; k is 2.5 for an index of 16 MiB
		base := 50 + 10*float64(workers+1)
		resident[[2]int{100, workers}] = report.Cell{base, base}
		resident[[2]int{1000, workers}] = report.Cell{base + 40*float64(workers+1), base + 40*float64(workers+1)}
	}
	var r report.Result
	reportWorkers(plan, resident, map[int]float64{100: 0, 1000: 16}, &r)
	require.Len(t, r.Tables[0].Rows, 3)
	for i, row := range r.Tables[0].Rows {
		require.Len(t, row.Cells, len(r.Tables[0].Columns))
		require.Equal(t, report.Cell{70 + 10*float64(i), 70 + 10*float64(i)}, row.Cells[0])
		require.InDeltaSlice(t, []float64{2.5, 2.5}, row.Cells[2], 1e-9)
	}
	require.InDelta(t, 10, r.Tables[0].Rows[2].Cells[3].Median(), 1e-9)
	require.InDelta(t, 50.0/16, r.Targets[0].Cell.Median(), 1e-9, "a whole VM with its index")
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

func TestTheLargestSizeIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		passes int // up to this size
		want   int
		tries  []int
	}{
		"none but the least": {100, 96, []int{384, 224, 160, 128}},
		"all":                {1000, limitMost, []int{384}},
		"one between":        {200, 192, []int{384, 224, 160, 192}},
	} {
		t.Run(name, func(t *testing.T) {
			var tries []int
			got, err := largest(96, limitMost, func(mib int) (bool, error) {
				tries = append(tries, mib)
				return mib <= c.passes, nil
			})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, c.tries, tries)
		})
	}
	got, err := largest(96, limitMost, func(int) (bool, error) { return true, errors.New("out of time") })
	require.Error(t, err)
	require.Equal(t, 96, got, "what has passed")
}
