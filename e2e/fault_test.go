package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/xds"
	"adsidecar/e2e/stack"
)

// What the tests of faults read of the control plane, of Envoy and of processes.

const (
	// stackPoll is the poll interval of a stack that is not told another.
	stackPoll = 200 * time.Millisecond
	// allowance is how much longer than its poll interval an update may take until it is served.
	allowance = 2 * time.Second
	// backoffAllowance is how long an Envoy may take to come back to a control plane that is up: its backoff is at most 2 s.
	backoffAllowance = 3 * time.Second
)

// Series of Envoy's statistics.
const (
	ecdsSeries = "envoy_extension_config_discovery_http_filter_adsidecar_"
	ecdsTaken  = ecdsSeries + "update_success{}"
	ecdsNacked = ecdsSeries + "update_rejected{}"
)

// planeStatus is /api/v1/status.
type planeStatus struct {
	publish.Status
	XDS xds.Status `json:"xds"`
}

func statusOf(ctx context.Context, c *stack.ControlPlane) (planeStatus, error) {
	var s planeStatus
	err := c.Status(ctx, &s)
	return s, err
}

// index is what the control plane says of the index that it offers.
func (s planeStatus) index() xds.TypeStatus {
	for _, ty := range s.XDS.Types {
		if ty.Type == "ecds" {
			return ty
		}
	}
	return xds.TypeStatus{}
}

// holds is what a connected Envoy makes of the index.
func (s planeStatus) holds(node string) (xds.EnvoyOfType, error) {
	for _, e := range s.XDS.Envoys {
		if e.Node != node || !e.Connected {
			continue
		}
		for _, ty := range e.Types {
			if ty.Type == "ecds" {
				return ty, nil
			}
		}
	}
	return xds.EnvoyOfType{}, fmt.Errorf("%s is not connected, or has not asked for the index", node)
}

// waitStatus waits for a status that is as wanted, and returns it.
func waitStatus(t *testing.T, c *stack.ControlPlane, wanted func(planeStatus) error) planeStatus {
	t.Helper()
	var s planeStatus
	eventually(t, 60*time.Second, func(ctx context.Context) error {
		var err error
		if s, err = statusOf(ctx, c); err != nil {
			return err
		}
		return wanted(s)
	})
	return s
}

// inSync is a wanted status: this Envoy is connected and runs the index on offer.
func inSync(node string) func(planeStatus) error {
	return func(s planeStatus) error {
		held, err := s.holds(node)
		if err != nil {
			return err
		}
		if offered := s.index().Offered; offered == nil || !held.InSync || held.Acknowledged != offered.Version {
			return fmt.Errorf("%s has %+v of %+v", node, held, offered)
		}
		return nil
	}
}

// polls returns when the control plane has finished n more polls of its source.
func polls(t *testing.T, s *stack.Stack, n int) {
	t.Helper()
	require.NoError(t, s.Source.WaitRequests(deadline(t, 60*time.Second), n+1))
}

// planeMetrics and envoyStats read all series at once.
func planeMetrics(t *testing.T, c *stack.ControlPlane) map[string]float64 {
	t.Helper()
	m, err := c.Metrics(deadline(t, 20*time.Second))
	require.NoError(t, err)
	return m
}

func envoyStats(t *testing.T, e *stack.Envoy) map[string]float64 {
	t.Helper()
	m, err := e.Stats(deadline(t, 20*time.Second))
	require.NoError(t, err)
	return m
}

// pushes is how many responses of each type this process of the control plane has sent.
func pushes(t *testing.T, c *stack.ControlPlane) map[string]int {
	t.Helper()
	m := planeMetrics(t, c)
	n := map[string]int{}
	for _, ty := range []string{"lds", "cds", "ecds"} {
		value, ok := m[fmt.Sprintf("adsidecar_xds_pushes_total{type=%q}", ty)]
		require.True(t, ok, ty)
		n[ty] = int(value)
	}
	return n
}

// asked asks an Envoy until its answer passes the check, and returns how long that took.
func asked(t *testing.T, e *stack.Envoy, token, path string, check func(*stack.Answer) error) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, 60*time.Second, func(ctx context.Context) error {
		a, err := e.Do(ctx, "GET", path, "Bearer "+token, nil)
		if err != nil {
			return err
		}
		return check(a)
	})
	return time.Since(began)
}

// memory is what Linux says of a process, in MiB: the most that was resident at any time, and what is now.
func memory(t *testing.T, p *stack.Process) (most, now int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "status"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0 // not Linux
	}
	require.NoError(t, err)
	read := func(key string) int {
		m := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+) kB$`).FindSubmatch(text)
		require.NotNil(t, m, "%s in %s", key, text)
		kib, err := strconv.Atoi(string(m[1]))
		require.NoError(t, err)
		return kib >> 10
	}
	return read("VmHWM"), read("VmRSS")
}

// logTime is the time of the first line of Envoy's own log, after a time, that contains text.
func logTime(t *testing.T, e *stack.Envoy, after time.Time, text string) time.Time {
	t.Helper()
	const layout = "2006-01-02 15:04:05.000"
	for _, line := range e.Process().Log.Tail(2000) {
		if !strings.Contains(line, text) || len(line) < len(layout)+2 || line[0] != '[' {
			continue
		}
		at, err := time.ParseInLocation(layout, line[1:len(layout)+1], time.Local)
		require.NoError(t, err)
		if !at.Before(after.Truncate(time.Millisecond)) {
			return at
		}
	}
	require.Failf(t, "not in Envoy's log", "%q after %s", text, after)
	return time.Time{}
}

// publishedIndex is the version of the index that the control plane has published.
func publishedIndex(t *testing.T, c *stack.ControlPlane) string {
	t.Helper()
	var version string
	waitStatus(t, c, func(s planeStatus) error {
		if s.Index == nil {
			return errors.New("no index")
		}
		version = s.Index.Version
		return nil
	})
	return version
}

func requireNotReady(t *testing.T, c *stack.ControlPlane) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, c.WaitReady(ctx))
}
