package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

const (
	imported     = 100_000
	importWithin = 30 * time.Second
	// importPeak bounds what the control plane ever has in memory, code and garbage included; 310 to 450 MiB were measured.
	importPeak = 1 << 30
)

// importedLines is a document with a campaign on each line from the second on. The last one is alone in its key, nz/mri; the one of wrong, a
// line or 0, has no country.
func importedLines(wrong int) string {
	var b strings.Builder
	b.WriteString("{\"ads\":[\n")
	for n := range imported {
		key := fmt.Sprintf(`"country":"%c%c","lang":"eng",`, 'a'+n%26, 'a'+n/26%26)
		switch {
		case n+2 == wrong:
			key = `"country":"u1","lang":"eng",`
		case n == imported-1:
			key = `"country":"nz","lang":"mri",`
		}
		fmt.Fprintf(&b, `{"id":"c%06d","video_url":"https://video.example.com/%d.mp4",%s"start_hour":0,"end_hour":0}`, n, n, key)
		b.WriteString(map[bool]string{true: "\n", false: ",\n"}[n == imported-1])
	}
	b.WriteString("]}\n")
	return b.String()
}

// told is what a program has written so far. It is safe for concurrent use.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// step is a line of progress.
type step struct {
	phase string
	done  float64
}

var stepLine = regexp.MustCompile(`(?m)^(received|checked|stored) ([0-9.]+)(?: MB| of 100000 campaigns)$`)

func (w *told) steps(t *testing.T) []step {
	t.Helper()
	var all []step
	for _, found := range stepLine.FindAllStringSubmatch(w.String(), -1) {
		done, err := strconv.ParseFloat(found[2], 64)
		require.NoError(t, err)
		all = append(all, step{found[1], done})
	}
	return all
}

// TestAnImportOf100000Campaigns: the command line tells how far it is, is done within 30 s, the control plane's memory stays bounded, and a real
// Envoy serves what was imported. One row that is wrong is named by its line, and nothing is imported then.
func TestAnImportOf100000Campaigns(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), Concurrency: 1})
	last := fmt.Sprintf(`"id":"c%06d"`, imported-1)
	// answer asks for the key that only the last campaign has.
	answer := func(ctx context.Context) (*stack.Answer, error) {
		return s.Envoy().Do(ctx, http.MethodGet, stack.AdPath("nz", "mri"), "Bearer "+s.Token(), nil)
	}

	const wrong = 77_778
	dir := files(t, map[string]string{"wrong.json": importedLines(wrong)})
	began := time.Now()
	refused := command{dir: dir}.run(t, "campaigns", "apply", "-f", "wrong.json", "--server", s.ControlPlane().URL)
	require.Equal(t, 1, refused.code, refused.stderr)
	require.Less(t, time.Since(began), importWithin)
	require.Regexp(t, fmt.Sprintf(`(?m)^  line %d: ad %d \(c%06d\): country`, wrong, wrong-1, wrong-2), refused.stderr)
	require.Equal(t, 1, strings.Count(refused.stderr, "line "), refused.stderr)
	a, err := answer(deadline(t, 10*time.Second))
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, a.Status, "nothing of it is there: %s", a)

	text := importedLines(0)
	stderr, stdout := &told{}, &told{}
	from, to := io.Pipe()
	cmd := exec.CommandContext(deadline(t, 2*importWithin), programs.Adsidecar, "campaigns", "apply", "-f", "-", "--verbose", "--server", s.ControlPlane().URL)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = from, stdout, stderr
	began = time.Now()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = to.Close() }) // a test that failed on the way waits for nobody
	// Two fifths of the document are sent in two parts, each after the last was told of: so it is told while it goes on, on any machine.
	part := len(text) / 5
	for n := range 2 {
		_, err = io.WriteString(to, text[n*part:(n+1)*part])
		require.NoError(t, err)
		eventually(t, importWithin, func(context.Context) error {
			steps := stderr.steps(t)
			if len(steps) <= n || steps[len(steps)-1].done < float64(n*part)/1e6 {
				return fmt.Errorf("%d parts sent, told: %v", n+1, steps)
			}
			return nil
		})
	}
	_, err = io.WriteString(to, text[2*part:])
	require.NoError(t, err)
	require.NoError(t, to.Close())
	require.NoError(t, cmd.Wait(), stderr)
	took := time.Since(began)
	require.Contains(t, stdout.String(), "Ads: 100000 added, 0 changed, 0 removed.")
	require.Contains(t, stdout.String(), "Saved as revision 1.")
	require.Less(t, took, importWithin)
	requireGrowing(t, stderr.steps(t))
	eventually(t, importWithin-took, func(ctx context.Context) error {
		a, err := answer(ctx)
		if err != nil {
			return err
		}
		if !strings.Contains(string(a.Body), last) {
			return fmt.Errorf("served: %s", a)
		}
		return nil
	})
	t.Logf("%.1f MB imported in %s, served after %s, told: %v", float64(len(text))/1e6, took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), stderr.steps(t))
	if peak, known := peakMemory(t, s.ControlPlane().Process().PID()); known {
		t.Logf("the control plane had at most %d MiB", peak>>20)
		require.Less(t, peak, importPeak)
	}
}

// requireGrowing requires several steps that go on: a phase after the other, and in each no less than before.
func requireGrowing(t *testing.T, steps []step) {
	t.Helper()
	require.GreaterOrEqual(t, len(steps), 3)
	order := map[string]int{"received": 1, "checked": 2, "stored": 3}
	for i, now := range steps[1:] {
		before := steps[i]
		require.GreaterOrEqual(t, order[now.phase], order[before.phase], steps)
		if now.phase == before.phase {
			require.Greater(t, now.done, before.done, steps)
		}
	}
	require.NotEqual(t, "received", steps[len(steps)-1].phase, "what comes after the upload is told, too: %v", steps)
}

// peakMemory is the most that a process ever had in memory, in bytes; only Linux says it of one that runs.
func peakMemory(t *testing.T, pid int) (int, bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0, false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`).FindSubmatch(status)
	require.NotNil(t, found)
	kib, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kib << 10, true
}
