package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAKeyOfTenThousandFlightsInTime: 10,000 campaigns of one key, each of which begins and ends at minutes of its own, are compiled to at most
// 64 MiB or refused, within two seconds either way.
//
// A time is asserted because it is what the limit of a key is for: somebody who saves such a campaign waits for it. It is the program's processor
// time, which others on the machine do not stretch, and it is far below: a compiler that is quadratic in a key's edges would not be.
func TestAKeyOfTenThousandFlightsInTime(t *testing.T) {
	const within, maxBytes = 2 * time.Second, 64 << 20
	first := time.Now().UTC().Truncate(time.Minute)
	for name, tc := range map[string]struct {
		minutes int // of each flight
		code    int
		says    string
	}{
		"short flights fit":             {60, 0, `flights\.json: 10000 ads, 0 rejected; index [0-9a-f]{32}, 1 pairs of country and language, (\d+) bytes\n`},
		"long flights are refused then": {14 * 1440, 1, `key us/eng: key_too_large: key us/eng with 10000 campaigns takes \d+ bytes of segments and cycles, the limit is 67108864`},
	} {
		t.Run(name, func(t *testing.T) {
			ads := make([]map[string]any, 10_000)
			for i := range ads {
				from := first.Add(time.Duration(i) * time.Minute)
				ads[i] = map[string]any{
					"id": fmt.Sprintf("%06d", i), "video_url": "https://v/", "country": "us", "lang": "eng", "start_hour": 0, "end_hour": 0,
					"start_at": from.Format(time.RFC3339), "end_at": from.Add(time.Duration(tc.minutes) * time.Minute).Format(time.RFC3339),
				}
			}
			text, err := json.Marshal(map[string]any{"ads": ads})
			require.NoError(t, err)
			dir := files(t, map[string]string{"gateway.yaml": goodGateway, "flights.json": string(text)})
			cmd := exec.CommandContext(deadline(t, time.Minute), programs.Adsidecar, "validate", "-c", filepath.Join(dir, "gateway.yaml"), "--campaigns", "flights.json")
			cmd.Dir, cmd.Env = dir, os.Environ()
			said, err := cmd.CombinedOutput()
			require.Equal(t, tc.code, cmd.ProcessState.ExitCode(), "%v: %s", err, said)
			found := regexp.MustCompile(tc.says).FindSubmatch(said)
			require.NotNil(t, found, string(said))
			if len(found) > 1 {
				size, err := strconv.Atoi(string(found[1]))
				require.NoError(t, err)
				require.LessOrEqual(t, size, maxBytes)
			}
			took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			t.Logf("%s", took.Round(time.Millisecond))
			require.LessOrEqual(t, took, within)
		})
	}
}
