package publish

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

// flight begins on the 30th: at first it is too far ahead to be in an index.
const flight = `{"ads":[{"id":"a","video_url":"https://v/1","country":"us","lang":"eng","start_hour":0,"end_hour":0,"start_at":"2027-03-30T08:00:00Z"}]}`

// dayBench is a Loop with a clock of the test.
func dayBench(t *testing.T, cfg Config, answers ...answer) (*bench, *time.Time) {
	t.Helper()
	now := time.Date(2027, 3, 10, 23, 59, 0, 0, time.UTC)
	cfg.Now = func() time.Time { return now }
	return newBench(t, cfg, answers...), &now
}

func serves(t *testing.T, index *compile.Result, at time.Time) int {
	t.Helper()
	r, err := adindex.Open(index.Bytes)
	require.NoError(t, err)
	key, ok := adindex.MakeKey("us", "en")
	require.True(t, ok)
	entry, found := r.Find(key)
	require.True(t, found)
	return r.CycleAt(entry, at.Unix()).Len()
}

func TestTheIndexIsRenewedAtMidnightThoughTheSourceIsSilent(t *testing.T) {
	begin := time.Date(2027, 3, 30, 8, 0, 0, 0, time.UTC)
	b, now := dayBench(t, Config{StateDir: t.TempDir()}, answer{text: flight}, unchanged, answer{err: errors.New("away")})
	b.stepAcknowledged(t)
	require.Len(t, b.sink.published, 1)
	require.Zero(t, serves(t, b.sink.published[0], begin))
	b.step(t)
	require.Len(t, b.sink.published, 1, "the same day")
	days := 0
	for ; len(b.sink.published) == 1; days++ {
		require.Less(t, days, 20)
		*now = now.Add(24 * time.Hour)
		b.step(t)
	}
	require.Equal(t, 7, days, "the 30th comes into sight on the 17th")
	require.Equal(t, 1, serves(t, b.sink.published[1], begin))
	require.Zero(t, serves(t, b.sink.published[1], begin.Add(-time.Minute)))
	require.Equal(t, b.sink.published[1].Version, b.stored, "its document is the one on disk")
}

func TestWhatCannotBeRenewedStays(t *testing.T) {
	b, now := dayBench(t, Config{}, answer{text: flight}, unchanged)
	b.step(t)
	b.maxBytes = 1
	for range 2 {
		*now = now.Add(8 * 24 * time.Hour)
		for range 5 {
			b.look() // it is tried once a day, though it was due long ago
		}
		b.step(t)
	}
	require.Len(t, b.sink.published, 1)
	require.EqualValues(t, 2, b.metric(t, `index_publish_errors_total{reason="error"}`))
	b.maxBytes = compile.DefaultMaxBytes
	*now = now.Add(24 * time.Hour)
	b.step(t)
	require.Len(t, b.sink.published, 2)
}

func TestAPlainDocumentIsNotKeptForMidnight(t *testing.T) {
	b, now := dayBench(t, Config{}, answer{text: doc("a")}, answer{err: campaign.ErrNotModified})
	b.step(t)
	require.Nil(t, b.current)
	*now = now.Add(48 * time.Hour)
	b.step(t)
	require.Len(t, b.sink.published, 1)
}
