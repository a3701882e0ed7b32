package stack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeWithoutACore(t *testing.T) {
	for name, c := range map[string]struct {
		read func(string) time.Duration
		text string
		want time.Duration
	}{
		"processes waited":       {waited, "some avg10=7.42 avg60=8.92 avg300=15.45 total=19157984\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", 19157984 * time.Microsecond},
		"all waited, alone":      {waited, "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", 0},
		"no number":              {waited, "some avg10=7.42 total=x\n", 0},
		"no such file":           {waited, "", 0},
		"the host took a core":   {stolen, "cpu  4795631 120739 886184 3360220 32446 0 54632 3246 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n", 32460 * time.Millisecond},
		"a kernel that is older": {stolen, "cpu  4795631 120739 886184 3360220\n", 0},
		"no statistics":          {stolen, "", 0},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.read(c.text)) })
	}
}

func TestAStopwatchRuns(t *testing.T) {
	w := StartStopwatch()
	require.LessOrEqual(t, w.Took(), time.Since(w.began))
	w = Stopwatch{began: time.Now().Add(-time.Hour), starved: starved() - 2*time.Hour}
	require.InDelta(t, 6*time.Minute, w.Took(), float64(time.Minute), "never less than a tenth")
	w = Stopwatch{began: time.Now().Add(-time.Hour), starved: starved() + time.Hour}
	require.GreaterOrEqual(t, w.Took(), time.Hour)
}
