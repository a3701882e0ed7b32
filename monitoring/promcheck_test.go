package monitoring

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPromcheck runs the tests of the rules and the dashboard, whose module is not this one.
func TestPromcheck(t *testing.T) {
	run := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./...")
	run.Dir = "promcheck"
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "ok  \tadsidecar/monitoring/promcheck", "%s", out)
}
